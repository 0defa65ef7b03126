//! Runs that nobody runs. Those that a dead process left are taken up again or ended; those of this one whose task is
//! gone are ended.

use std::time::Duration;

use chrono::TimeDelta;
use futures_util::future::join_all;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::{RunSettings, Runs, drive::Job, ending::log_stored, resume::TakenUp};
use crate::{
    domain::{EventId, Reply, RunFailure, RunId, RunStatus},
    store::{Ending, OpenRun, StoreError},
};

/// How many runs are looked at in one go, and settled at once. Each may bring a mebibyte of text.
const PAGE: u64 = 20;

/// How long the start goes on trying while the database does not answer, and how long it waits between two tries.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(200);

/// How often the reaper looks.
const REAP_EVERY: Duration = Duration::from_secs(5);

/// How often idempotency keys that are too old are forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(600);

/// How long after it was accepted a run is still taken up again, or for as long as it may take if that is more. Who
/// asked longer ago has gone on without the answer.
const TOO_LATE: TimeDelta = TimeDelta::hours(1);

/// What recovery came to.
#[derive(Default)]
pub struct Recovered {
    /// How many runs were ended.
    pub ended: usize,
    /// Those that go on, once they are told to.
    pub taken_up: TakenUp,
}

/// What becomes of a run that nobody runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It goes on.
    GoOn,
    /// It ends as the user asked.
    Cancel,
    /// It ends as it is.
    Interrupt,
}

/// What became of one.
enum Settled {
    TakenUp(Box<Job>),
    Ended,
    /// Somebody else settled it, or nobody can.
    ByOthers,
}

impl Runs {
    /// Finds every run that an earlier process left running, and takes it over or ends it: text that was saved is kept,
    /// open calls are answered. A run with which that cannot be done keeps no other from it.
    pub async fn recover(&self) -> Result<Recovered, StoreError> {
        let mut recovered = Recovered::default();
        let mut after = None;
        loop {
            let open = patiently(|| self.0.store.open_runs(after, PAGE)).await?;
            let Some(last) = open.last() else { return Ok(recovered) };
            after = Some(last.id);
            for settled in join_all(open.iter().map(|run| patiently(|| self.settle(run.clone())))).await {
                match settled? {
                    Settled::TakenUp(job) => recovered.taken_up.0.push(*job),
                    Settled::Ended => recovered.ended += 1,
                    Settled::ByOthers => {}
                }
            }
        }
    }

    async fn settle(&self, run: OpenRun) -> Result<Settled, StoreError> {
        let age = self.0.clock.now() - run.created_at;
        let status = match fate(run.is_cancelled, run.attempt, age, &self.0.settings) {
            Fate::GoOn => {
                let job = self.taken_up(run).await?;
                return Ok(job.map_or(Settled::ByOthers, |job| Settled::TakenUp(Box::new(job))));
            }
            Fate::Cancel => RunStatus::Cancelled,
            Fate::Interrupt => RunStatus::Failed,
        };
        Ok(if self.end(run, status).await? { Settled::Ended } else { Settled::ByOthers })
    }

    async fn taken_up(&self, run: OpenRun) -> Result<Option<Job>, StoreError> {
        let id = run.id;
        match self.take_up(run).await {
            Err(error) if !error.is_transient() => {
                log_stuck(&error, id);
                Ok(None)
            }
            done => done,
        }
    }

    /// Keeps order in the background until the service ends: lets go of old logs and keys, and ends runs that are
    /// stored as running although their task is gone.
    pub fn keep_order(&self) {
        let (runs, shutdown) = (self.clone(), self.0.shutdown.clone());
        self.0.shutdown.spawn(async move {
            let mut tick = interval(REAP_EVERY);
            tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut forgot: Option<Instant> = None;
            loop {
                tokio::select! {
                    _ = tick.tick() => {}
                    () = shutdown.drained() => return,
                }
                runs.0.shelf.sweep();
                runs.0.kept.sweep();
                let mut done = runs.reap().await;
                if done.is_ok() && forgot.is_none_or(|at| at.elapsed() >= FORGET_EVERY) {
                    done = runs.forget_keys().await;
                    forgot = Some(Instant::now());
                }
                if let Err(error) = done {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "keeping order failed; it is tried again"
                    );
                }
            }
        });
    }

    async fn forget_keys(&self) -> Result<(), StoreError> {
        let lifetime = TimeDelta::from_std(self.0.settings.idempotency).unwrap_or(TimeDelta::MAX);
        self.0.store.forget_keys(lifetime).await
    }

    async fn reap(&self) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let running = self.0.store.running_ids(&self.0.owner, after, PAGE).await?;
            let Some(last) = running.last() else { return Ok(()) };
            after = Some(*last);
            for id in running.into_iter().filter(|id| !self.0.shelf.has_running(*id)) {
                // Looked at in this order: who has no task before the service drains was not set aside.
                if self.0.shutdown.is_draining() {
                    return Ok(());
                }
                let Some(lost) = self.0.store.find_open_run(id).await? else { continue };
                let status = if lost.is_cancelled { RunStatus::Cancelled } else { RunStatus::Failed };
                if self.end(lost, status).await? {
                    tracing::error!(run.id = %id, "a run had lost its task and was ended");
                }
            }
        }
    }

    /// Ends a run in the name of the attempt after the one that was under way, so that its last events stand above
    /// everything a client saw. Returns whether there was anything to end.
    async fn end(&self, run: OpenRun, status: RunStatus) -> Result<bool, StoreError> {
        let (id, user): (RunId, _) = (run.id, run.user.clone());
        match self.0.store.end_run(ending(run, status)).await {
            Ok(_) => {
                if let Some(ended) = self.0.store.find_run(&user, id).await? {
                    log_stored(&ended, &user);
                }
                Ok(true)
            }
            Err(StoreError::Fenced) => Ok(false),
            Err(error) if error.is_transient() => Err(error),
            Err(error) => {
                log_stuck(&error, id);
                Ok(false)
            }
        }
    }
}

/// Does something again while the database does not answer, for a while.
async fn patiently<T, F: Future<Output = Result<T, StoreError>>>(
    mut work: impl FnMut() -> F,
) -> Result<T, StoreError> {
    let began = Instant::now();
    loop {
        match work().await {
            Err(error) if error.is_transient() && began.elapsed() < PATIENCE => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "what was left running could not be settled yet"
                );
                sleep(PAUSE).await;
            }
            done => return done,
        }
    }
}

fn log_stuck(error: &StoreError, run: RunId) {
    tracing::error!(
        error = error as &dyn std::error::Error, run.id = %run, "a run that nobody runs could not be settled"
    );
}

/// Decides what becomes of a run that an earlier process left.
fn fate(is_cancelled: bool, attempt: i32, age: TimeDelta, settings: &RunSettings) -> Fate {
    let too_late = TimeDelta::from_std(settings.timeout).unwrap_or(TimeDelta::MAX).max(TOO_LATE);
    if is_cancelled {
        Fate::Cancel
    } else if settings.may_go_on_after(attempt) && age <= too_late {
        Fate::GoOn
    } else {
        Fate::Interrupt
    }
}

fn ending(run: OpenRun, status: RunStatus) -> Ending {
    let next = run.attempt.saturating_add(1);
    let reply = run.partial().map(|partial| (partial.message, Reply::cut_short(partial.text)));
    Ending {
        run: run.id,
        user: run.user,
        conversation: run.conversation,
        attempt: run.attempt,
        ends_as_attempt: next,
        next_event: EventId::first_of(next),
        status,
        failure: (status == RunStatus::Failed).then_some(RunFailure::Interrupted),
        reply,
        context_start: None,
        usage: run.usage,
        first_delta_at: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(attempts: i32) -> RunSettings {
        let (timeout, live_log, idempotency) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
        RunSettings { timeout, live_log, idempotency, attempts, most: 1 }
    }

    #[test]
    fn a_run_goes_on_until_it_was_attempted_often_enough() {
        let now = TimeDelta::zero();
        assert_eq!(fate(false, 2, now, &settings(3)), Fate::GoOn);
        assert_eq!(fate(false, 3, now, &settings(3)), Fate::Interrupt);
        assert_eq!(fate(false, 1, now, &settings(1)), Fate::Interrupt, "one attempt: none is taken up again");
    }

    #[test]
    fn nobody_gets_tomorrow_what_they_asked_for_today() {
        assert_eq!(fate(false, 1, TOO_LATE, &settings(3)), Fate::GoOn);
        assert_eq!(fate(false, 1, TOO_LATE + TimeDelta::seconds(1), &settings(3)), Fate::Interrupt);
        assert_eq!(
            fate(false, 1, TimeDelta::seconds(-5), &settings(3)),
            Fate::GoOn,
            "a clock that was set back"
        );
        let patient = RunSettings { timeout: Duration::from_secs(7_200), ..settings(3) };
        assert_eq!(
            fate(false, 1, TimeDelta::seconds(7_200), &patient),
            Fate::GoOn,
            "it may still be at work"
        );
    }

    #[test]
    fn a_run_whose_user_wanted_no_more_ends_as_that_whatever_else() {
        assert_eq!(fate(true, 9, TOO_LATE * 2, &settings(1)), Fate::Cancel);
    }
}
