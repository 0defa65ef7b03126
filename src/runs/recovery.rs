//! Ending what nobody runs: runs that a dead process left, and runs of this one whose task is gone.

use std::time::Duration;

use chrono::TimeDelta;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{Runs, ending::log_stored};
use crate::{
    domain::{EventId, Reply, RunFailure, RunId, RunStatus},
    store::{Ending, OpenRun, StoreError},
};

/// How many runs are looked at in one go. Each may bring a mebibyte of text.
const PAGE: u64 = 20;

/// How often the reaper looks.
const REAP_EVERY: Duration = Duration::from_secs(5);

/// How often idempotency keys that are too old are forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(600);

impl Runs {
    /// Ends every run that an earlier process left running: `failed`, `interrupted`, the saved text kept, open calls
    /// answered. Returns how many there were. A run that the database refuses to end keeps no other from it.
    pub async fn recover(&self) -> Result<usize, StoreError> {
        let mut ended = 0;
        let mut after = None;
        loop {
            let open = self.0.store.open_runs(after, PAGE).await?;
            let Some(last) = open.last() else { return Ok(ended) };
            after = Some(last.id);
            for run in open {
                ended += usize::from(self.interrupt(run).await?);
            }
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
                if let Some(lost) = self.0.store.find_open_run(id).await?
                    && self.interrupt(lost).await?
                {
                    tracing::error!(run.id = %id, "a run had lost its task and was ended");
                }
            }
        }
    }

    /// Ends a run in the name of the attempt after the one that was under way, so that its last events stand above
    /// everything a client saw. Returns whether there was anything to end.
    async fn interrupt(&self, run: OpenRun) -> Result<bool, StoreError> {
        let (id, user): (RunId, _) = (run.id, run.user.clone());
        match self.0.store.end_run(interruption(run)).await {
            Ok(_) => {
                if let Some(ended) = self.0.store.find_run(&user, id).await? {
                    log_stored(&ended, &user);
                }
                Ok(true)
            }
            Err(StoreError::Fenced) => Ok(false),
            Err(error) if error.is_transient() => Err(error),
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error, run.id = %id, "a run that nobody runs could not be ended"
                );
                Ok(false)
            }
        }
    }
}

fn interruption(run: OpenRun) -> Ending {
    let next = run.attempt.saturating_add(1);
    Ending {
        run: run.id,
        user: run.user,
        conversation: run.conversation,
        attempt: run.attempt,
        ends_as_attempt: next,
        next_event: EventId::first_of(next),
        status: RunStatus::Failed,
        failure: Some(RunFailure::Interrupted),
        reply: run.partial.map(|partial| (partial.message, Reply::cut_short(partial.text))),
        context_start: None,
        usage: run.usage,
        first_delta_at: None,
    }
}
