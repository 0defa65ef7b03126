//! The live log of one run: what was told, ready to be read from any point. Plain data; no task, no lock.
//!
//! The text of a message is one string with an end offset per delta, so a delta costs four bytes and is no frame.

use std::sync::Arc;

use crate::domain::{Event, EventId, ItemId};

/// How much of a log one look returns at most, in bytes of text.
const LOOK_BYTES: usize = 16 * 1024;

/// How many events one look returns at most.
const LOOK_EVENTS: usize = 64;

/// What a fixed-size event is counted with, in bytes.
const EVENT_BYTES: usize = 256;

/// Everything that was told of a run, oldest first.
#[derive(Debug, Default)]
pub(super) struct Log {
    entries: Vec<Entry>,
    last: Option<EventId>,
    bytes: usize,
}

#[derive(Debug)]
enum Entry {
    /// An event with its weight in bytes, taken once: many readers look, and some results are large.
    Whole(EventId, Arc<Event>, usize),
    Text(Text),
}

/// What a delta is a piece of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Voice {
    /// What the model says.
    Speech,
    /// What it thinks.
    Thought,
}

/// Consecutive deltas of one message and voice; their ids are consecutive too.
#[derive(Debug)]
struct Text {
    voice: Voice,
    message: ItemId,
    first: EventId,
    text: String,
    ends: Vec<u32>,
}

impl Log {
    /// Adds an event that is more than a delta.
    pub(super) fn push(&mut self, id: EventId, event: Event) {
        let weight = weight(&event);
        self.bytes += weight;
        self.last = Some(id);
        self.entries.push(Entry::Whole(id, Arc::new(event), weight));
    }

    /// Adds a delta.
    pub(super) fn push_delta(&mut self, id: EventId, voice: Voice, message: ItemId, delta: &str) {
        self.bytes += delta.len() + size_of::<u32>();
        self.last = Some(id);
        match self.entries.last_mut() {
            Some(Entry::Text(text)) if text.goes_on_with(id, voice, message) => text.push(delta),
            Some(Entry::Text(_) | Entry::Whole(..)) | None => {
                let mut text = Text { voice, message, first: id, text: String::new(), ends: Vec::new() };
                text.push(delta);
                self.entries.push(Entry::Text(text));
            }
        }
    }

    /// Lets ids up to this one pass for told: an earlier attempt may have told them, and they are not here.
    pub(super) fn reach(&mut self, id: EventId) {
        self.last = self.last.max(Some(id));
    }

    /// Returns the id of the newest event.
    pub(super) const fn last(&self) -> Option<EventId> {
        self.last
    }

    /// Tells whether the run's end was told.
    pub(super) fn is_complete(&self) -> bool {
        matches!(self.entries.last(), Some(Entry::Whole(_, event, _)) if matches!(**event, Event::Ended(_)))
    }

    /// Returns how much memory it takes, about, in bytes.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns the events behind `seen`, oldest first; not all of them if they are many.
    pub(super) fn look(&self, seen: EventId) -> Vec<(EventId, Arc<Event>)> {
        let from = self.entries.partition_point(|entry| entry.last_id() <= seen);
        let mut found = Vec::new();
        let mut bytes = 0;
        for entry in self.entries.get(from..).unwrap_or_default() {
            match entry {
                Entry::Whole(id, event, weight) => {
                    bytes += weight;
                    found.push((*id, Arc::clone(event)));
                }
                Entry::Text(text) => text.look(seen, &mut found, &mut bytes),
            }
            if found.len() >= LOOK_EVENTS || bytes >= LOOK_BYTES {
                break;
            }
        }
        found
    }
}

impl Entry {
    fn last_id(&self) -> EventId {
        match self {
            Self::Whole(id, ..) => *id,
            Self::Text(text) => text.first.plus(text.count() - 1),
        }
    }
}

impl Text {
    fn count(&self) -> i64 {
        i64::try_from(self.ends.len()).unwrap_or(i64::MAX)
    }

    /// Tells whether a delta goes on where this text ends.
    fn goes_on_with(&self, id: EventId, voice: Voice, message: ItemId) -> bool {
        (voice, message, id) == (self.voice, self.message, self.first.plus(self.count()))
    }

    fn event(&self, delta: String) -> Event {
        match self.voice {
            Voice::Speech => Event::MessageDelta { message_id: self.message, delta },
            Voice::Thought => Event::ReasoningDelta { message_id: self.message, delta },
        }
    }

    fn push(&mut self, delta: &str) {
        self.text.push_str(delta);
        self.ends.push(u32::try_from(self.text.len()).unwrap_or(u32::MAX));
    }

    fn look(&self, seen: EventId, found: &mut Vec<(EventId, Arc<Event>)>, bytes: &mut usize) {
        let skipped = usize::try_from((seen.get() - self.first.get() + 1).max(0)).unwrap_or(0);
        let mut start = match skipped.checked_sub(1).and_then(|before| self.ends.get(before)) {
            Some(end) => *end as usize,
            None => 0,
        };
        let mut id = self.first.plus(i64::try_from(skipped).unwrap_or(0));
        for end in self.ends.iter().skip(skipped) {
            let end = *end as usize;
            let delta = self.text.get(start..end).unwrap_or_default().to_owned();
            *bytes += delta.len();
            found.push((id, Arc::new(self.event(delta))));
            if found.len() >= LOOK_EVENTS || *bytes >= LOOK_BYTES {
                return;
            }
            start = end;
            id = id.next();
        }
    }
}

fn weight(event: &Event) -> usize {
    let text = match event {
        Event::MessageDelta { delta, .. } | Event::ReasoningDelta { delta, .. } => delta.len(),
        Event::MessageCompleted { content, .. } => content.len(),
        Event::ToolCompleted { result, .. } => result.text.len() + result.result.to_string().len(),
        Event::ToolStarted { call, .. } => {
            let arguments = call.arguments.iter().map(|(name, value)| name.len() + value.to_string().len());
            arguments.sum::<usize>() + call.unparsed.as_ref().map_or(0, String::len)
        }
        Event::RunCreated { .. } | Event::MessageDiscarded { .. } | Event::Notice(_) | Event::Ended(_) => 0,
    };
    text + EVENT_BYTES
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::NoticeCode;

    /// Reads a log to its end, look by look.
    fn read(log: &Log, mut seen: EventId) -> Vec<(EventId, Event)> {
        let mut all = Vec::new();
        loop {
            let found = log.look(seen);
            let Some((last, _)) = found.last() else { return all };
            seen = *last;
            all.extend(found.into_iter().map(|(id, event)| (id, event.as_ref().clone())));
        }
    }

    fn delta(message: ItemId, text: &str) -> Event {
        Event::MessageDelta { message_id: message, delta: text.into() }
    }

    #[test]
    fn a_log_is_read_from_any_point() {
        let (mut log, message) = (Log::default(), ItemId::new());
        log.push_delta(1.into(), Voice::Speech, message, "añ");
        log.push_delta(2.into(), Voice::Speech, message, "b");
        log.push(3.into(), Event::Notice(NoticeCode::ReplyTruncated.notice()));
        assert_eq!(read(&log, 1.into()).first(), Some(&(2.into(), delta(message, "b"))));
        assert_eq!(read(&log, EventId::NONE).len(), 3);
        assert_eq!(read(&log, 3.into()), []);
    }

    #[test]
    fn a_look_is_bounded_and_the_next_one_goes_on() {
        let (mut log, message) = (Log::default(), ItemId::new());
        for id in 1..=1_000 {
            log.push_delta(id.into(), Voice::Speech, message, "x");
        }
        assert_eq!(log.look(EventId::NONE).len(), LOOK_EVENTS);
        assert_eq!(read(&log, EventId::NONE).len(), 1_000);
    }

    proptest! {
        #[test]
        fn whatever_the_cut_head_and_tail_are_the_whole(
            kinds in prop::collection::vec(0_u8..4, 1..80), cut in 0_i64..80,
        ) {
            let (mut log, messages) = (Log::default(), [ItemId::new(), ItemId::new()]);
            let mut told = Vec::new();
            for (id, kind) in (1_i64..).zip(kinds) {
                let id = EventId::from(id);
                let text = format!("{id}ñ");
                let event = match kind {
                    0 => Event::Notice(NoticeCode::DemoMode.notice()),
                    1 => delta(messages[0], &text),
                    2 => Event::ReasoningDelta { message_id: messages[0], delta: text },
                    _ => delta(messages[1], &text),
                };
                match &event {
                    Event::MessageDelta { message_id, delta } => {
                        log.push_delta(id, Voice::Speech, *message_id, delta);
                    }
                    Event::ReasoningDelta { message_id, delta } => {
                        log.push_delta(id, Voice::Thought, *message_id, delta);
                    }
                    _ => log.push(id, event.clone()),
                }
                told.push((id, event));
            }
            let tail: Vec<_> = told.iter().filter(|(id, _)| id.get() > cut).cloned().collect();
            prop_assert_eq!(read(&log, cut.into()), tail);
        }
    }
}
