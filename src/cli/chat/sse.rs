//! Reads server-sent events from bytes as they arrive, cut anywhere: in a character, in a line, between CR and LF.

/// The most that may be kept of events that are not whole yet, in bytes. A sound one is far below it.
const LIMIT: usize = 16 * 1024 * 1024;

/// An event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Frame {
    /// The last id so far: an event without one keeps that of the one before.
    pub(super) id: i64,
    /// Its name.
    pub(super) event: String,
    /// Its data, lines joined.
    pub(super) data: String,
}

/// An event grew beyond every measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event is too long")]
pub(super) struct TooLong;

/// What was read of a stream.
#[derive(Debug, Default)]
pub(super) struct Frames {
    rest: Vec<u8>,
    next: Frame,
    has_data: bool,
    /// How long the service wants its clients to wait before they come back, in milliseconds.
    pub(super) retry_ms: Option<u64>,
}

impl Frames {
    /// Returns the events that these bytes complete. One that is never completed is never returned.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<Vec<Frame>, TooLong> {
        self.rest.extend_from_slice(bytes);
        let mut whole = Vec::new();
        while let Some((line, read)) = first_line(&self.rest) {
            let line = String::from_utf8_lossy(line).into_owned();
            self.rest.drain(..read);
            whole.extend(self.take(&line));
        }
        if self.rest.len() + self.next.data.len() > LIMIT { Err(TooLong) } else { Ok(whole) }
    }

    fn take(&mut self, line: &str) -> Option<Frame> {
        if line.is_empty() {
            return self.complete();
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "data" => {
                if self.has_data {
                    self.next.data.push('\n');
                }
                self.next.data.push_str(value);
                self.has_data = true;
            }
            "event" => value.clone_into(&mut self.next.event),
            "id" => self.next.id = value.parse().unwrap_or(self.next.id),
            "retry" => self.retry_ms = value.parse().ok().or(self.retry_ms),
            // A comment has no name, and other names have no meaning.
            _ => {}
        }
        None
    }

    fn complete(&mut self) -> Option<Frame> {
        let id = self.next.id;
        let frame = std::mem::replace(&mut self.next, Frame { id, ..Frame::default() });
        std::mem::take(&mut self.has_data).then_some(frame)
    }
}

/// Finds the first line, and how much is read with its end. A CR at the very end may be half of a CRLF.
fn first_line(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let end = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r'))?;
    let (line, ending) = bytes.split_at(end);
    match ending {
        [b'\r', b'\n', ..] => Some((line, end + 2)),
        [b'\r'] => None,
        _ => Some((line, end + 1)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STREAM: &str = "retry: 1000\n\n: hi\n\nid: 7\r\nevent: notice\r\ndata: {\"ä\":1}\r\n\r\ndata: a\ndata:b\n\n\
        id: x\nevent: lost\n\nid: 8\rdata\r\rdata: never";

    fn frame(id: i64, event: &str, data: &str) -> Frame {
        Frame { id, event: event.into(), data: data.into() }
    }

    proptest! {
        #[test]
        fn however_the_bytes_are_cut_the_same_events_come(cuts in proptest::collection::vec(0..STREAM.len(), 0..12)) {
            let mut cuts = cuts;
            cuts.extend([0, STREAM.len()]);
            cuts.sort_unstable();
            let mut frames = Frames::default();
            let pieces = cuts.windows(2).map(|ends| &STREAM.as_bytes()[ends[0]..ends[1]]);
            let read: Vec<Frame> = pieces.flat_map(|piece| frames.push(piece).unwrap()).collect();
            prop_assert_eq!(read, [frame(7, "notice", "{\"ä\":1}"), frame(7, "", "a\nb"), frame(8, "", "")]);
            prop_assert_eq!(frames.retry_ms, Some(1000));
        }
    }

    #[test]
    fn a_line_without_an_end_is_not_kept_for_ever() {
        let mut frames = Frames::default();
        assert_eq!(frames.push(&vec![b'x'; LIMIT]), Ok(Vec::new()));
        assert_eq!(frames.push(b"x"), Err(TooLong));
    }
}
