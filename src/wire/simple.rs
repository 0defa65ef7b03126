//! The simple formats: the text as it is typed, bare or in the plainest server-sent events. For curl and old clients.

use crate::domain::{Event, ItemId, RunFailure};

use super::native::DONE;

/// What a stream ends with whose run was not heard to end.
const LOST: &str = "The connection to this answer was lost. The conversation will show how it ended.";

/// How text is wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrapping {
    /// `data:` lines, and `data: [DONE]` at the end.
    Events,
    /// Nothing: the bytes of the text.
    Bare,
}

/// Renders the text of a run. It remembers what it sent, so that a message without its deltas is sent once.
#[derive(Debug)]
pub struct Simple {
    wrapping: Wrapping,
    current: Option<(ItemId, usize)>,
    is_over: bool,
}

impl Simple {
    /// Starts rendering.
    pub const fn new(wrapping: Wrapping) -> Self {
        Self { wrapping, current: None, is_over: false }
    }

    /// Renders an event; most of them are nothing here.
    pub fn render(&mut self, event: &Event) -> String {
        match event {
            Event::MessageDelta { message_id, delta } => self.piece(*message_id, delta),
            Event::ReasoningDelta { .. } => String::new(),
            Event::MessageCompleted { message_id, content, .. } => {
                let sent = self.current.filter(|(id, _)| id == message_id).map_or(0, |(_, sent)| sent);
                self.piece(*message_id, content.get(sent..).unwrap_or_default())
            }
            Event::Ended(end) => self.over(end.failure.map(RunFailure::message)),
            // What was read cannot be unread; another text follows, set apart as a message of its own.
            Event::MessageDiscarded { .. } => String::new(),
            Event::RunCreated { .. }
            | Event::ToolStarted { .. }
            | Event::ToolCompleted { .. }
            | Event::Notice(_) => String::new(),
        }
    }

    /// Renders that nothing more will be heard. A stream without its end must not look whole.
    pub fn close(&mut self) -> String {
        if self.is_over { String::new() } else { self.over(Some(LOST)) }
    }

    fn piece(&mut self, message: ItemId, text: &str) -> String {
        if text.is_empty() {
            return String::new();
        }
        let (gap, sent) = match self.current {
            Some((id, sent)) if id == message => ("", sent),
            Some(_) => ("\n\n", 0),
            None => ("", 0),
        };
        self.current = Some((message, sent + text.len()));
        self.wrap(&format!("{gap}{text}"))
    }

    fn wrap(&self, text: &str) -> String {
        match self.wrapping {
            Wrapping::Bare => text.into(),
            Wrapping::Events => data(text),
        }
    }

    fn over(&mut self, trouble: Option<&str>) -> String {
        self.is_over = true;
        match (self.wrapping, trouble) {
            (Wrapping::Bare, None) => String::new(),
            (Wrapping::Bare, Some(trouble)) => format!("\n{trouble}\n"),
            (Wrapping::Events, None) => DONE.into(),
            (Wrapping::Events, Some(trouble)) => format!("event: error\n{}{DONE}", data(trouble)),
        }
    }
}

/// Writes text as one event: each line of it is a `data:` line, which a parser joins again. A carriage return also ends
/// a line for parsers, so it is left out.
fn data(text: &str) -> String {
    let mut frame = String::with_capacity(text.len() + 8);
    for line in text.replace('\r', "").split('\n') {
        frame.push_str("data: ");
        frame.push_str(line);
        frame.push('\n');
    }
    frame.push('\n');
    frame
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{End, RunId, RunStatus, Usage};

    fn delta(message_id: ItemId, delta: &str) -> Event {
        Event::MessageDelta { message_id, delta: delta.into() }
    }

    fn whole(message_id: ItemId, content: &str) -> Event {
        Event::MessageCompleted { message_id, content: content.into(), incomplete: false }
    }

    fn end(failure: Option<RunFailure>) -> Event {
        let status = if failure.is_some() { RunStatus::Failed } else { RunStatus::Completed };
        Event::Ended(End {
            run_id: RunId::new(),
            status,
            failure,
            usage: Usage::default(),
            retry_after: None,
        })
    }

    fn render(wrapping: Wrapping, events: &[Event]) -> String {
        let mut simple = Simple::new(wrapping);
        events.iter().map(|event| simple.render(event)).collect()
    }

    /// Reads events as the specification says (HTML, 9.2.6), as far as `data:` goes.
    fn parse(stream: &str) -> Vec<String> {
        let frames = stream.split_terminator("\n\n");
        let data = |frame: &str| {
            let lines = frame.split('\n').filter_map(|line| line.strip_prefix("data:"));
            lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n")
        };
        frames.map(data).collect()
    }

    #[test]
    fn text_comes_as_data_and_ends_with_done() {
        let id = ItemId::new();
        let stream = render(
            Wrapping::Events,
            &[delta(id, "Hi,\n"), delta(id, " there"), whole(id, "Hi,\n there"), end(None)],
        );
        assert_eq!(stream, "data: Hi,\ndata: \n\ndata:  there\n\ndata: [DONE]\n\n");
    }

    #[test]
    fn a_message_without_its_deltas_is_sent_as_the_rest_that_is_missing() {
        let id = ItemId::new();
        assert_eq!(render(Wrapping::Bare, &[delta(id, "Hi"), whole(id, "Hi there"), end(None)]), "Hi there");
        assert_eq!(render(Wrapping::Bare, &[whole(id, "Hi there"), end(None)]), "Hi there");
    }

    #[test]
    fn two_messages_are_a_blank_line_apart() {
        let (one, two) = (ItemId::new(), ItemId::new());
        assert_eq!(render(Wrapping::Bare, &[delta(one, "a"), whole(one, "a"), delta(two, "b")]), "a\n\nb");
    }

    #[test]
    fn a_failure_is_an_error_event_with_a_plain_sentence() {
        let stream = render(Wrapping::Events, &[end(Some(RunFailure::ModelUpstream))]);
        assert_eq!(
            stream,
            "event: error\ndata: AI service temporarily unavailable. Please try again.\n\ndata: [DONE]\n\n"
        );
    }

    #[test]
    fn a_stream_that_is_never_ended_says_so() {
        let mut simple = Simple::new(Wrapping::Events);
        simple.render(&delta(ItemId::new(), "Once upon"));
        assert_eq!(
            simple.close(),
            "event: error\ndata: The connection to this answer was lost. The conversation will show how it ended.\n\ndata: [DONE]\n\n"
        );
        assert_eq!(simple.close(), "", "once");
    }

    proptest! {
        #[test]
        fn any_parser_restores_the_text(pieces in prop::collection::vec("[a-z :\n\u{1f600}]{1,8}", 1..12)) {
            let id = ItemId::new();
            let mut events: Vec<Event> = pieces.iter().map(|piece| delta(id, piece)).collect();
            events.push(whole(id, &pieces.concat()));
            let stream = render(Wrapping::Events, &events);
            prop_assert_eq!(parse(&stream).concat(), pieces.concat());
        }
    }
}
