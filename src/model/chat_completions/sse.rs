//! Reads server-sent events from bytes that are cut anywhere. The readers at hand panic on a byte order mark,
//! hide the name of an event and have no limit.

/// The most that one event may hold, in bytes.
pub(super) const EVENT_LIMIT: usize = 1024 * 1024;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// One event. Events without data do not come out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event {
    /// Its name; empty when the server gave none.
    pub(super) name: String,
    /// Its data, lines joined by a newline.
    pub(super) data: String,
}

/// The server sent an event of more than [`EVENT_LIMIT`] bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLarge;

/// What is known of the event that is being read.
#[derive(Debug, Default)]
pub(super) struct Reader {
    line: Vec<u8>,
    name: String,
    data: Option<String>,
    is_past_first_line: bool,
    ended_with_return: bool,
}

impl Reader {
    /// Takes in the next bytes and adds the events that they complete to `events`.
    pub(super) fn read(&mut self, bytes: &[u8], events: &mut Vec<Event>) -> Result<(), TooLarge> {
        let mut rest = bytes;
        while let Some(at) = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')) {
            let (line, tail) = rest.split_at(at);
            let is_second_half = at == 0 && tail.first() == Some(&b'\n') && self.ended_with_return;
            self.ended_with_return = tail.first() == Some(&b'\r');
            rest = tail.get(1..).unwrap_or_default();
            if !is_second_half {
                self.extend_line(line)?;
                events.extend(self.end_line());
            }
        }
        self.ended_with_return &= rest.is_empty();
        self.extend_line(rest)
    }

    /// Returns the event that the end of the body left without its blank line, if there is one.
    pub(super) fn finish(mut self) -> Option<Event> {
        let last = self.end_line();
        last.or_else(|| self.end_event())
    }

    fn extend_line(&mut self, bytes: &[u8]) -> Result<(), TooLarge> {
        let held = self.line.len() + self.data.as_ref().map_or(0, String::len);
        if held + bytes.len() > EVENT_LIMIT {
            return Err(TooLarge);
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn end_line(&mut self) -> Option<Event> {
        let bytes = std::mem::take(&mut self.line);
        let is_first = !std::mem::replace(&mut self.is_past_first_line, true);
        let bytes = if is_first { bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&bytes) } else { &bytes };
        if bytes.is_empty() {
            return self.end_event();
        }
        let line = String::from_utf8_lossy(bytes);
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => self.extend_data(value),
            "event" => self.name = value.to_owned(),
            _ => {} // a comment, `id`, `retry`, or a field that the standard does not know
        }
        None
    }

    fn extend_data(&mut self, value: &str) {
        match &mut self.data {
            Some(data) => {
                data.push('\n');
                data.push_str(value);
            }
            None => self.data = Some(value.to_owned()),
        }
    }

    fn end_event(&mut self) -> Option<Event> {
        let name = std::mem::take(&mut self.name);
        let data = self.data.take()?;
        Some(Event { name, data })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn events_of(pieces: &[&[u8]]) -> Vec<Event> {
        let (mut reader, mut events) = (Reader::default(), Vec::new());
        for piece in pieces {
            reader.read(piece, &mut events).unwrap();
        }
        events.extend(reader.finish());
        events
    }

    fn data_of(body: &str) -> Vec<String> {
        events_of(&[body.as_bytes()]).into_iter().map(|event| event.data).collect()
    }

    #[test]
    fn lines_may_end_in_any_of_the_three_ways() {
        assert_eq!(data_of("data: a\n\ndata: b\n\n"), ["a", "b"]);
        assert_eq!(data_of("data: a\r\n\r\ndata: b\r\n\r\n"), ["a", "b"]);
        assert_eq!(data_of("data: a\r\rdata: b\r\r"), ["a", "b"]);
    }

    #[test]
    fn comments_and_unknown_fields_are_no_events() {
        assert_eq!(data_of(": PROCESSING\n\nid: 1\nretry: 3\nfoo: bar\n\ndata:a\n\n"), ["a"]);
    }

    #[test]
    fn several_data_lines_are_joined_by_a_newline() {
        assert_eq!(data_of("data: a\ndata:\ndata:  b\n\n"), ["a\n\n b"]);
    }

    #[test]
    fn a_byte_order_mark_at_the_start_is_not_part_of_the_first_line() {
        assert_eq!(data_of("\u{feff}data: a\n\n"), ["a"]);
    }

    #[test]
    fn an_event_keeps_its_name_and_does_not_pass_it_on() {
        let events = events_of(&[b"event: error\ndata: a\n\ndata: b\n\n"]);
        assert_eq!(
            events,
            [
                Event { name: "error".into(), data: "a".into() },
                Event { name: String::new(), data: "b".into() }
            ]
        );
    }

    #[test]
    fn an_event_that_lacks_only_its_blank_line_still_counts() {
        assert_eq!(data_of("data: a\n\ndata: [DONE]"), ["a", "[DONE]"]);
        assert_eq!(data_of("data: a\n\ndata: [DONE]\n"), ["a", "[DONE]"]);
    }

    #[test]
    fn an_event_without_end_is_refused() {
        let (mut reader, mut events) = (Reader::default(), Vec::new());
        let piece = vec![b'x'; EVENT_LIMIT / 2];
        assert_eq!(reader.read(&piece, &mut events), Ok(()));
        assert_eq!(reader.read(&piece, &mut events), Ok(()));
        assert_eq!(reader.read(b"x", &mut events), Err(TooLarge));
        assert_eq!(events, []);
    }

    proptest! {
        #[test]
        fn cuts_change_nothing(
            lines in prop::collection::vec("(data:|data: |event: |: |id: |)[aé€😀 :]{0,6}(\n|\r\n|\r|\n\n|\r\n\r\n)", 0..12),
            cuts in prop::collection::vec(1usize..7, 1..200),
        ) {
            let body = lines.concat();
            let (mut pieces, mut rest) = (Vec::new(), body.as_bytes());
            for cut in cuts {
                let (piece, tail) = rest.split_at(cut.min(rest.len()));
                pieces.push(piece);
                rest = tail;
            }
            pieces.push(rest);
            prop_assert_eq!(events_of(&pieces), events_of(&[body.as_bytes()]));
        }
    }
}
