//! Reads server-sent events from bytes that are cut anywhere. The readers at hand panic on a byte order mark,
//! hide the name of an event and have no limit.

use std::borrow::Cow;

/// The most that one event may hold, in bytes.
pub(super) const EVENT_LIMIT: usize = 1024 * 1024;

/// How many bytes are looked at in one step.
const GROUP: usize = 32;

/// The most room that is kept from one event for the next, in bytes.
const KEPT_ROOM: usize = 16 * 1024;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// One event. Events without data do not come out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Event<'a> {
    /// Its name; empty when the server gave none.
    pub(super) name: &'a str,
    /// Its data, lines joined by a newline.
    pub(super) data: &'a str,
}

/// The server sent an event of more than [`EVENT_LIMIT`] bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLarge;

/// What is known of the event that is being read. Its room serves for the next one too: nothing is allocated for an event.
#[derive(Debug, Default)]
pub(super) struct Reader {
    /// The beginning of a line whose end has not come yet.
    line: Vec<u8>,
    name: String,
    data: String,
    has_data: bool,
    /// Whether what is known is an event that was returned already.
    is_told: bool,
    is_past_first_line: bool,
    ended_with_return: bool,
}

impl Reader {
    /// Takes bytes away up to the end of the next event, and returns that; nothing, and no bytes are left, if they do not
    /// complete one.
    pub(super) fn next(&mut self, bytes: &mut &[u8]) -> Result<Option<Event<'_>>, TooLarge> {
        self.forget_what_was_told();
        while let Some(at) = line_end(bytes) {
            let (line, tail) = bytes.split_at(at);
            let is_second_half = at == 0 && tail.first() == Some(&b'\n') && self.ended_with_return;
            self.ended_with_return = tail.first() == Some(&b'\r');
            *bytes = tail.get(1..).unwrap_or_default();
            if !is_second_half && self.end_line(line)? {
                return Ok(Some(self.event()));
            }
        }
        self.ended_with_return &= bytes.is_empty();
        self.check_room_for(bytes)?;
        self.line.extend_from_slice(std::mem::take(bytes));
        Ok(None)
    }

    /// Returns the event that the end of the body left without its blank line, if there is one.
    pub(super) fn finish(&mut self) -> Option<Event<'_>> {
        self.forget_what_was_told();
        let has_ended = self.end_line(&[]).unwrap_or_default() || self.end_event();
        has_ended.then(|| self.event())
    }

    fn event(&self) -> Event<'_> {
        Event { name: &self.name, data: &self.data }
    }

    fn forget_what_was_told(&mut self) {
        if !std::mem::take(&mut self.is_told) {
            return;
        }
        self.has_data = false;
        self.name.clear();
        self.data.clear();
        self.data.shrink_to(KEPT_ROOM);
    }

    fn check_room_for(&self, bytes: &[u8]) -> Result<(), TooLarge> {
        if self.line.len() + self.data.len() + bytes.len() > EVENT_LIMIT { Err(TooLarge) } else { Ok(()) }
    }

    /// Reads a line of which the rest has come. Returns whether it ends an event.
    fn end_line(&mut self, rest: &[u8]) -> Result<bool, TooLarge> {
        self.check_room_for(rest)?;
        if self.line.is_empty() {
            return Ok(self.read_line(rest));
        }
        let mut line = std::mem::take(&mut self.line);
        line.extend_from_slice(rest);
        let has_ended = self.read_line(&line);
        line.clear();
        line.shrink_to(KEPT_ROOM);
        self.line = line;
        Ok(has_ended)
    }

    fn read_line(&mut self, bytes: &[u8]) -> bool {
        let is_first = !std::mem::replace(&mut self.is_past_first_line, true);
        let bytes = if is_first { bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes) } else { bytes };
        if bytes.is_empty() {
            return self.end_event();
        }
        // What is text, as nearly all is, is found to be so several bytes at a time.
        let line = str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed);
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => self.extend_data(value),
            "event" => value.clone_into(&mut self.name),
            _ => {} // a comment, `id`, `retry`, or a field that the standard does not know
        }
        false
    }

    fn extend_data(&mut self, value: &str) {
        if std::mem::replace(&mut self.has_data, true) {
            self.data.push('\n');
        }
        self.data.push_str(value);
    }

    /// Returns whether there is an event; one without data is forgotten.
    fn end_event(&mut self) -> bool {
        self.is_told = self.has_data;
        if !self.has_data {
            self.name.clear();
        }
        self.has_data
    }
}

/// Finds the end of the first line. Bytes are looked at in groups, which is done at once for all of a group.
fn line_end(bytes: &[u8]) -> Option<usize> {
    let is_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
    let (groups, _) = bytes.as_chunks::<GROUP>();
    let has_none = |group: &&[u8; GROUP]| !group.iter().fold(false, |found, byte| found | is_end(byte));
    let skipped = groups.iter().take_while(has_none).count() * GROUP;
    let place = bytes.get(skipped..)?.iter().position(is_end)?;
    Some(skipped + place)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Returns the name and the data of each event.
    fn events_of(pieces: &[&[u8]]) -> Vec<(String, String)> {
        let (mut reader, mut events) = (Reader::default(), Vec::new());
        let owned = |event: Event<'_>| (event.name.to_owned(), event.data.to_owned());
        for mut piece in pieces.iter().copied() {
            while let Some(event) = reader.next(&mut piece).unwrap() {
                events.push(owned(event));
            }
        }
        events.extend(reader.finish().map(owned));
        events
    }

    fn data_of(body: &str) -> Vec<String> {
        events_of(&[body.as_bytes()]).into_iter().map(|(_, data)| data).collect()
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
        assert_eq!(data_of("data\ndata\n\n"), ["\n"]);
    }

    #[test]
    fn a_byte_order_mark_at_the_start_is_not_part_of_the_first_line() {
        assert_eq!(data_of("\u{feff}data: a\n\n"), ["a"]);
    }

    #[test]
    fn an_event_keeps_its_name_and_does_not_pass_it_on() {
        let events = events_of(&[b"event: error\ndata: a\n\ndata: b\n\n"]);
        assert_eq!(events, [("error".into(), "a".into()), (String::new(), "b".into())]);
    }

    #[test]
    fn an_event_that_lacks_only_its_blank_line_still_counts() {
        assert_eq!(data_of("data: a\n\ndata: [DONE]"), ["a", "[DONE]"]);
        assert_eq!(data_of("data: a\n\ndata: [DONE]\n"), ["a", "[DONE]"]);
    }

    #[test]
    fn an_event_without_end_is_refused() {
        let (mut reader, piece) = (Reader::default(), vec![b'x'; EVENT_LIMIT / 2]);
        assert_eq!(reader.next(&mut &piece[..]), Ok(None));
        assert_eq!(reader.next(&mut &piece[..]), Ok(None));
        assert_eq!(reader.next(&mut &b"x"[..]), Err(TooLarge));
    }

    #[test]
    fn an_event_of_any_length_is_found_and_a_long_one_keeps_no_room() {
        let mut reader = Reader::default();
        for length in (0..100).chain([EVENT_LIMIT - 10, 3]) {
            let (data, mut body) = ("x".repeat(length), format!("data:{}\n\n", "x".repeat(length)));
            body.push_str("data: next");
            let mut rest = body.as_bytes();
            let event = Event { name: "", data: &data };
            assert_eq!(reader.next(&mut rest), Ok(Some(event)), "{length}");
            assert_eq!((reader.next(&mut rest), rest), (Ok(None), &[][..]));
            assert_eq!(reader.next(&mut &b"\n\n"[..]), Ok(Some(Event { name: "", data: "next" })));
            assert!(reader.data.capacity() <= KEPT_ROOM, "{length}");
        }
    }

    proptest! {
        #[test]
        fn cuts_change_nothing(
            lines in prop::collection::vec("(data:|data: |event: |: |id: |)([aé€😀 :]{0,6}|a{25,70})(\n|\r\n|\r|\n\n|\r\n\r\n)", 0..12),
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
