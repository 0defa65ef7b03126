//! When readers of a live run are told of a delta: at once, unless they were told of another a moment ago.
//!
//! Waking a reader and sending what it finds costs far more than the delta. Where deltas come in a burst, those of a
//! moment are told together; where they come as people read, each is told as it comes.

use std::time::Duration;

use tokio::time::Instant;

/// How long readers are left alone after a delta. Nobody sees so short a wait, and no model talks much faster.
const MOMENT: Duration = Duration::from_millis(1);

/// Knows whether readers are to be told. Pure; the time is given to it.
#[derive(Debug, Default)]
pub(super) struct Herald {
    /// Whether somebody sees to it that what is owed is told in time.
    pub(super) is_gathering: bool,
    told_at: Option<Instant>,
    is_owing: bool,
}

impl Herald {
    /// Decides whether readers are told of a delta that comes now. If not, that is owed.
    pub(super) fn is_to_tell(&mut self, now: Instant) -> bool {
        let is_soon = self.told_at.is_some_and(|told_at| now < told_at + MOMENT);
        self.is_owing = self.is_gathering && is_soon;
        if !self.is_owing {
            self.told_at = Some(now);
        }
        !self.is_owing
    }

    /// Returns when readers are to be told, if that is owed.
    pub(super) fn owed_at(&self) -> Option<Instant> {
        self.told_at.filter(|_| self.is_owing).map(|told_at| told_at + MOMENT)
    }

    /// Notes that readers are told of all there is.
    pub(super) fn settle(&mut self, now: Instant) {
        (self.told_at, self.is_owing) = (Some(now), false);
    }
}
