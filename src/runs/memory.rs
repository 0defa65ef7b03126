//! What the scribe of a run remembers between two steps, and what it holds back until the run is accepted.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::log::Voice;
use crate::{
    domain::{Event, EventId, ItemId, ModelIdentity, NoticeCode, Usage},
    store::Partial,
};

/// Where an attempt begins.
#[derive(Clone, Copy)]
pub(super) struct Beginning {
    /// The id of its first event.
    pub(super) next: EventId,
    /// The newest event that is stored.
    pub(super) last_stored: EventId,
    /// The message that is written next, as it is stored.
    pub(super) message: ItemId,
    /// The message that asked for the open calls, if there are any.
    pub(super) asked_by: ItemId,
    /// What earlier attempts cost.
    pub(super) usage: Usage,
    /// When the run was accepted.
    pub(super) started_at: DateTime<Utc>,
}

/// What the recorder remembers between two steps.
pub(super) struct State {
    pub(super) next: EventId,
    pub(super) last_stored: EventId,
    pub(super) message: ItemId,
    pub(super) partial: Option<Partial>,
    pub(super) saved_bytes: usize,
    pub(super) asked_by: ItemId,
    pub(super) noticed: Vec<NoticeCode>,
    pub(super) context_start: Option<i64>,
    pub(super) usage: Usage,
    pub(super) tool_calls: u64,
    pub(super) first_delta_at: Option<DateTime<Utc>>,
    pub(super) answered_by: Option<ModelIdentity>,
    pub(super) retry_after: Option<Duration>,
    /// What is to be told once the run is accepted; nothing after that.
    pub(super) held: Option<Vec<(EventId, Told)>>,
}

/// Something that is told.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Told {
    Event(Event),
    Delta(Voice, ItemId, String),
}

impl State {
    pub(super) const fn at(from: Beginning) -> Self {
        Self {
            next: from.next,
            last_stored: from.last_stored,
            message: from.message,
            partial: None,
            saved_bytes: 0,
            asked_by: from.asked_by,
            noticed: Vec::new(),
            context_start: None,
            usage: from.usage,
            tool_calls: 0,
            first_delta_at: None,
            answered_by: None,
            retry_after: None,
            held: None,
        }
    }

    /// Gives an event its id.
    pub(super) const fn take_id(&mut self) -> EventId {
        let id = self.next;
        self.next = id.next();
        id
    }

    /// Keeps the next id free for the event that tells of the acceptance, and holds everything else back until then.
    pub(super) fn hold_back(&mut self) {
        self.take_id();
        self.held = Some(Vec::new());
    }

    /// Takes back what is held back still, but not what it cost. Tells whether anything was.
    pub(super) fn start_over(&mut self, from: Beginning) -> bool {
        let is_held = self.held.is_some();
        if is_held {
            *self = Self::at(Beginning { usage: self.usage, ..from });
        }
        is_held
    }

    /// Gives something its id and holds it back, or returns it if it is to be told now.
    pub(super) fn hold(&mut self, told: Told) -> Option<(EventId, Told)> {
        let told = (self.take_id(), told);
        match &mut self.held {
            Some(held) => {
                held.push(told);
                None
            }
            None => Some(told),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> (State, Beginning) {
        let (next, message) = (EventId::first_of(1), ItemId::new());
        let (usage, started_at) = (Usage::default(), DateTime::UNIX_EPOCH);
        let from = Beginning { next, last_stored: next, message, asked_by: message, usage, started_at };
        (State::at(from), from)
    }

    fn word(state: &mut State) -> Option<(EventId, Told)> {
        state.hold(Told::Event(Event::Notice(NoticeCode::DemoMode.notice())))
    }

    #[test]
    fn what_is_held_back_keeps_its_ids_behind_that_of_the_acceptance() {
        let (mut state, from) = state();
        state.hold_back();
        assert_eq!(word(&mut state), None);
        let held = state.held.take().unwrap();
        assert_eq!(held.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [from.next.next()]);
        assert_eq!(word(&mut state).map(|(id, _)| id), Some(from.next.plus(2)));
    }

    #[test]
    fn starting_over_forgets_what_was_held_back_but_not_what_it_cost() {
        let (mut state, from) = state();
        state.hold_back();
        word(&mut state);
        state.usage.add(Usage { model_calls: 1, ..Usage::default() });
        assert!(state.start_over(from));
        assert_eq!((state.next, state.usage.model_calls, state.held.is_none()), (from.next, 1, true));
        word(&mut state);
        assert!(!state.start_over(from), "what was told is not taken back");
        assert_eq!(state.next, from.next.next());
    }
}
