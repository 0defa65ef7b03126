//! One question, as the model sees whoever asks it: what it may be told before the reply begins, and what it costs.

use std::{
    borrow::Cow,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use super::{
    Agent, Turn,
    window::{self, Room},
};
use crate::domain::{Asker, Item, Meter, Model, NoticeCode, Scribe};

/// The longest pause that people need not be told of.
const SHORT_PAUSE: Duration = Duration::from_secs(1);

/// One question.
pub(super) struct Asking<'a> {
    agent: &'a Agent,
    history: &'a [Item],
    scribe: &'a dyn Scribe,
    /// What stands in the request beside the history, by our estimate.
    constant: usize,
    /// What was sent last, by our estimate.
    sent: AtomicUsize,
    /// What was spent on what nobody hears.
    pub(super) meter: Meter,
}

impl<'a> Asking<'a> {
    /// Asks with the history of a turn, of which so many tokens are sent to the model that is asked first, beside the constant
    /// ones.
    pub(super) fn of(agent: &'a Agent, turn: &'a Turn<'_>, constant: usize, fitting: usize) -> Self {
        Self {
            agent,
            history: turn.history.items(),
            scribe: turn.scribe,
            constant,
            sent: AtomicUsize::new(constant + fitting),
            meter: Meter::default(),
        }
    }

    /// Returns what was sent last, in tokens by our estimate.
    pub(super) fn sent(&self) -> usize {
        self.sent.load(Ordering::Relaxed)
    }
}

impl Asker for Asking<'_> {
    fn waits(&self, pause: Duration) {
        if pause > SHORT_PAUSE {
            self.scribe.notice(NoticeCode::ModelRetrying);
        }
    }

    /// The conversation keeps its beginning: the next turn is the usual model's again.
    fn fitting(&self, model: &dyn Model) -> Cow<'_, [Item]> {
        let room = self.agent.room(model, self.constant);
        let cut = window::cut(self.history, room);
        if cut.count > 0 {
            self.scribe.notice(NoticeCode::HistoryTrimmed);
        }
        let fitting = window::shown(self.history.get(cut.count..).unwrap_or_default(), cut.left, room);
        self.sent.store(self.constant + fitting.tokens, Ordering::Relaxed);
        fitting.items
    }
}

/// Counts what nobody hears when the call is over, however that comes: by an end, a failure, or because nobody waits any more.
impl Drop for Asking<'_> {
    fn drop(&mut self) {
        let spent = self.meter.take();
        if spent.model_calls > 0 {
            self.scribe.spent(spent);
        }
    }
}

impl Agent {
    /// Finds the room that a model has for history beside what stands in every request.
    pub(super) fn room(&self, model: &dyn Model, constant: usize) -> Room {
        let by = model.identity();
        let estimated = |tokens| self.calibration.estimated(&by, tokens);
        Room::beside(constant, self.limits.history_tokens, model.context_window(), estimated)
    }
}
