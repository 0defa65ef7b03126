//! Keeps a failing model from being asked again and again, and retries from multiplying a provider's trouble.
//!
//! The breaker opens when at least half of at least twenty calls of the last thirty seconds have failed. After a
//! pause one call may try; its outcome closes the breaker or keeps it open. Retries have a budget of a tenth of the
//! calls, with ten to begin with, as in gRPC's retry throttling (gRFC A6). Pure: it is told the time.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

/// How long an outcome counts.
const WINDOW: Duration = Duration::from_secs(30);

/// How many calls say something about a model.
const ENOUGH: usize = 20;

/// The most outcomes that are remembered; enough to judge by.
const MOST: usize = 1_000;

/// How long an open breaker lets nobody through.
const REST: Duration = Duration::from_secs(15);

/// The most retries that are saved up, in tenths.
const MOST_SAVED: u32 = 100;

/// What a retry costs, and what a call that worked earns, in tenths of a retry.
const RETRY_COSTS: u32 = 10;
const CALL_EARNS: u32 = 1;

/// What is known of a model's recent calls.
#[derive(Debug)]
pub(super) struct Breaker {
    recent: VecDeque<(Instant, Outcome)>,
    state: State,
    generation: u64,
    saved: u32,
}

/// The right to one call. What a call of an earlier time comes to says nothing about now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket(u64);

/// How a call ended, as far as the model is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It answered, if only to refuse the request.
    Answered,
    /// It failed.
    Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    /// Nobody is let through before that time.
    Open(Instant),
    /// One call is trying since that time.
    Trying(Instant),
}

impl Default for Breaker {
    fn default() -> Self {
        Self { recent: VecDeque::new(), state: State::Closed, generation: 0, saved: MOST_SAVED }
    }
}

impl Breaker {
    /// Lets a call through, or says how long it would have to wait.
    pub(super) fn enter(&mut self, now: Instant) -> Result<Ticket, Duration> {
        match self.wait(now) {
            Some(wait) => Err(wait),
            None => {
                if self.state != State::Closed {
                    self.become_state(State::Trying(now));
                }
                Ok(Ticket(self.generation))
            }
        }
    }

    /// Tells how long a call would have to wait; nothing if it may be made.
    pub(super) fn wait(&self, now: Instant) -> Option<Duration> {
        let until = match self.state {
            State::Closed => return None,
            State::Open(until) => until,
            // A call that never reports, because nobody listens any more, is waited for only so long.
            State::Trying(since) => since + REST,
        };
        (until > now).then(|| until - now)
    }

    /// Notes how a call ended.
    pub(super) fn note(&mut self, ticket: Ticket, outcome: Outcome, now: Instant) {
        if ticket.0 != self.generation {
            return;
        }
        if outcome == Outcome::Answered {
            self.saved = (self.saved + CALL_EARNS).min(MOST_SAVED);
        }
        match (self.state, outcome) {
            (State::Trying(_), Outcome::Answered) => {
                self.recent.clear();
                self.become_state(State::Closed);
            }
            (State::Trying(_), Outcome::Failed) => self.become_state(State::Open(now + REST)),
            (State::Open(_), _) => {}
            (State::Closed, _) => {
                self.remember(outcome, now);
                if self.is_failing() {
                    self.become_state(State::Open(now + REST));
                }
            }
        }
    }

    /// Notes that a call which had been noted as answered has broken off.
    pub(super) fn note_broken_off(&mut self, ticket: Ticket, now: Instant) {
        let answered = self.recent.iter().rposition(|(_, outcome)| *outcome == Outcome::Answered);
        if let Some(at) = answered.filter(|_| ticket.0 == self.generation) {
            self.recent.remove(at);
        }
        self.note(ticket, Outcome::Failed, now);
    }

    fn become_state(&mut self, state: State) {
        self.state = state;
        self.generation += 1;
    }

    /// Pays for a retry; false if the budget is used up.
    pub(super) fn pay_for_retry(&mut self) -> bool {
        let left = self.saved.checked_sub(RETRY_COSTS);
        self.saved = left.unwrap_or(self.saved);
        left.is_some()
    }

    fn remember(&mut self, outcome: Outcome, now: Instant) {
        while self.recent.front().is_some_and(|(then, _)| now.duration_since(*then) > WINDOW)
            || self.recent.len() >= MOST
        {
            self.recent.pop_front();
        }
        self.recent.push_back((now, outcome));
    }

    fn is_failing(&self) -> bool {
        let failed = self.recent.iter().filter(|(_, outcome)| *outcome == Outcome::Failed).count();
        self.recent.len() >= ENOUGH && failed * 2 >= self.recent.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn after(outcomes: &[Outcome], now: Instant) -> Breaker {
        let mut breaker = Breaker::default();
        for outcome in outcomes {
            called(&mut breaker, *outcome, now);
        }
        breaker
    }

    /// Makes a call that ends so at once.
    fn called(breaker: &mut Breaker, outcome: Outcome, now: Instant) {
        if let Ok(ticket) = breaker.enter(now) {
            breaker.note(ticket, outcome, now);
        }
    }

    #[test]
    fn half_of_twenty_calls_open_it_and_fewer_do_not() {
        let now = Instant::now();
        let mut calls = vec![Outcome::Answered; 10];
        calls.extend([Outcome::Failed; 9]);
        let mut breaker = after(&calls, now);
        assert_eq!(breaker.wait(now), None);
        called(&mut breaker, Outcome::Failed, now);
        assert_eq!(breaker.wait(now), Some(REST));
        assert_eq!(after(&[Outcome::Failed; 19], now).wait(now), None);
        let mut mostly_good = vec![Outcome::Answered; 11];
        mostly_good.extend([Outcome::Failed; 10]);
        assert_eq!(after(&mostly_good, now).wait(now), None);
    }

    #[test]
    fn what_is_long_ago_does_not_count() {
        let then = Instant::now();
        let mut breaker = after(&[Outcome::Failed; 19], then);
        let now = then + WINDOW + seconds(1);
        called(&mut breaker, Outcome::Failed, now);
        assert_eq!(breaker.wait(now), None);
    }

    #[test]
    fn after_its_rest_one_call_may_try_and_its_outcome_decides() {
        let opened = Instant::now();
        let mut breaker = after(&[Outcome::Failed; 20], opened);
        assert_eq!(breaker.enter(opened + seconds(14)), Err(seconds(1)));
        let then = opened + REST;
        let trial = breaker.enter(then).unwrap();
        assert_eq!(breaker.enter(then), Err(REST));
        breaker.note(trial, Outcome::Failed, then);
        assert_eq!(breaker.enter(then), Err(REST));
        let later = then + REST;
        let trial = breaker.enter(later).unwrap();
        breaker.note(trial, Outcome::Answered, later);
        assert!(breaker.enter(later).is_ok() && breaker.enter(later).is_ok());
    }

    #[test]
    fn what_an_old_call_comes_to_does_not_undo_a_trial() {
        let opened = Instant::now();
        let mut breaker = Breaker::default();
        let old = breaker.enter(opened).unwrap();
        (0..20).for_each(|_| called(&mut breaker, Outcome::Failed, opened));
        let trial = breaker.enter(opened + REST).unwrap();
        breaker.note(old, Outcome::Failed, opened + REST);
        breaker.note_broken_off(old, opened + REST);
        breaker.note(trial, Outcome::Answered, opened + REST);
        assert_eq!(breaker.wait(opened + REST), None);
    }

    #[test]
    fn a_trial_that_never_reports_makes_room_for_another() {
        let opened = Instant::now();
        let mut breaker = after(&[Outcome::Failed; 20], opened);
        assert!(breaker.enter(opened + REST).is_ok());
        assert!(breaker.enter(opened + REST + REST).is_ok());
    }

    #[test]
    fn retries_are_a_tenth_of_the_calls_that_worked_once_the_first_ten_are_spent() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        let paid = (0..20).filter(|_| breaker.pay_for_retry()).count();
        assert_eq!(paid, 10);
        for _ in 0..25 {
            called(&mut breaker, Outcome::Answered, now);
        }
        assert_eq!((0..20).filter(|_| breaker.pay_for_retry()).count(), 2);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let now = Instant::now();
        assert!(after(&vec![Outcome::Answered; 5_000], now).recent.len() <= MOST);
    }
}
