//! When keys are asked for. Anyone can send a token with a made-up key name; that must not make us the one who floods
//! the identity provider, so all reasons to ask share one limit.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// The least time between the beginnings of two fetches, whatever the reason.
const APART: TimeDelta = TimeDelta::seconds(60);

/// How long a set is in force before it is asked for again.
const REFRESH: Duration = Duration::from_secs(10 * 60);

/// How long to wait after a fetch that failed.
const RETRY: Duration = Duration::from_secs(60);

/// What has been asked for, and when.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    last_began: Option<DateTime<Utc>>,
    is_under_way: bool,
    has_failed: bool,
}

/// What someone who wants fresh keys has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// See that they are fetched; the fetch counts as begun.
    Fetch,
    /// Wait for the fetch that is under way.
    Wait,
    /// Go on with what is there.
    TooSoon,
}

/// How a fetch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Fetched,
    Failed,
}

impl Schedule {
    /// Decides what to do now. A clock that was set back does not stop fetches.
    pub(super) fn ask(&mut self, now: DateTime<Utc>) -> Turn {
        if self.is_under_way {
            return Turn::Wait;
        }
        if self.last_began.is_some_and(|began| began <= now && now.signed_duration_since(began) < APART) {
            return Turn::TooSoon;
        }
        self.last_began = Some(now);
        self.is_under_way = true;
        Turn::Fetch
    }

    /// Notes that the fetch is over.
    pub(super) fn end(&mut self, outcome: Outcome) {
        self.is_under_way = false;
        self.has_failed = outcome == Outcome::Failed;
    }

    /// Returns how long to wait before asking unasked.
    pub(super) fn pause(&self) -> Duration {
        if self.has_failed { RETRY } else { REFRESH }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    #[test]
    fn whoever_comes_during_a_fetch_waits_for_it_and_nobody_begins_a_second_one() {
        let mut schedule = Schedule::default();
        let turns = [0, 0, 59, 100].map(|seconds| schedule.ask(at(seconds)));
        assert_eq!(turns, [Turn::Fetch, Turn::Wait, Turn::Wait, Turn::Wait]);
    }

    #[test]
    fn ten_thousand_unknown_keys_in_ten_minutes_are_ten_fetches() {
        for outcome in [Outcome::Fetched, Outcome::Failed] {
            let mut schedule = Schedule::default();
            let mut fetches = 0;
            for asked in 0..10_000 {
                if schedule.ask(at(asked * 600 / 10_000)) == Turn::Fetch {
                    fetches += 1;
                    schedule.end(outcome);
                }
            }
            assert_eq!(fetches, 10, "{outcome:?}");
        }
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_stop_fetches() {
        let mut schedule = Schedule::default();
        schedule.ask(at(0));
        schedule.end(Outcome::Fetched);
        assert_eq!(schedule.ask(at(-3600)), Turn::Fetch);
    }

    #[test]
    fn a_failed_fetch_is_repeated_sooner_than_a_good_one() {
        let mut schedule = Schedule::default();
        schedule.end(Outcome::Failed);
        assert_eq!(schedule.pause(), Duration::from_secs(60));
        schedule.end(Outcome::Fetched);
        assert_eq!(schedule.pause(), Duration::from_secs(600));
    }
}
