//! When readers of a live run are told of a delta: at once, unless they were told of another a moment ago.
//!
//! Waking a reader and sending what it finds costs far more than the delta. Where deltas come in a burst, those of a
//! moment are told together, until no more of them is there; where they come as people read, each is told as it comes.

use std::time::Duration;

use tokio::time::Instant;

/// How long after one delta another is not told at once. Nobody sees so short a wait, and no model talks much faster.
const MOMENT: Duration = Duration::from_millis(1);

/// Knows whether readers are to be told. Pure; the time is given to it.
#[derive(Debug, Default)]
pub(super) struct Herald {
    /// Whether somebody sees to it that what is owed is told in time.
    pub(super) is_gathering: bool,
    told_at: Option<Instant>,
    /// How many deltas they are owed, and how many when it was last asked.
    owed: usize,
    seen: usize,
}

/// What is to be done about deltas that readers were not told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Debt {
    /// There are none.
    None,
    /// More came since it was last asked, and more may come.
    Growing,
    /// No more came.
    Due,
}

impl Herald {
    /// Decides whether readers are told of a delta that comes now. If not, that is owed.
    pub(super) fn is_to_tell(&mut self, now: Instant) -> bool {
        let is_soon = self.told_at.is_some_and(|told_at| now < told_at + MOMENT);
        if self.is_gathering && is_soon {
            self.owed += 1;
            return false;
        }
        self.settle(now);
        true
    }

    /// Tells what is to be done about those that are owed.
    pub(super) fn debt(&mut self) -> Debt {
        match (self.owed, std::mem::replace(&mut self.seen, self.owed)) {
            (0, _) => Debt::None,
            (owed, seen) if owed > seen => Debt::Growing,
            _ => Debt::Due,
        }
    }

    /// Notes that readers are told of all there is by something else than a delta.
    pub(super) fn forgive(&mut self) {
        (self.owed, self.seen) = (0, 0);
    }

    /// Notes that readers are told of all there is.
    pub(super) fn settle(&mut self, now: Instant) {
        self.told_at = Some(now);
        self.forgive();
    }
}
