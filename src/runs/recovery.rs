//! Ending what nobody runs: runs that a dead process left, and runs of this one whose task is gone.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::{Runs, ending::log_run};
use crate::{
    domain::{EventId, Reply, RunFailure, RunId, RunStatus},
    store::{Ending, OpenRun, StoreError},
};

/// How many runs are looked at in one go.
const PAGE: u64 = 100;

/// How often the reaper looks.
const REAP_EVERY: Duration = Duration::from_secs(5);

impl Runs {
    /// Ends every run that an earlier process left running: `failed`, `interrupted`, the saved text kept, open calls
    /// answered. Returns how many there were.
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

    /// Keeps order in the background until the service ends: lets go of old logs, and ends runs that are stored as
    /// running although their task is gone.
    pub fn keep_order(&self) {
        let (runs, shutdown) = (self.clone(), self.0.shutdown.clone());
        self.0.shutdown.spawn(async move {
            let mut tick = interval(REAP_EVERY);
            tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    _ = tick.tick() => {}
                    () = shutdown.drained() => return,
                }
                runs.0.shelf.sweep();
                if let Err(error) = runs.reap().await {
                    tracing::warn!(error = &error as &dyn std::error::Error, "looking for lost runs failed");
                }
            }
        });
    }

    async fn reap(&self) -> Result<(), StoreError> {
        let mut after: Option<RunId> = None;
        loop {
            let open = self.0.store.open_runs(after, PAGE).await?;
            let Some(last) = open.last() else { return Ok(()) };
            after = Some(last.id);
            let lost =
                open.into_iter().filter(|run| run.owner == self.0.owner && !self.0.shelf.has_running(run.id));
            for run in lost {
                tracing::error!(run.id = %run.id, "a run has lost its task and is ended");
                self.interrupt(run).await?;
            }
        }
    }

    /// Ends a run in the name of the attempt after the one that was under way, so that its last events stand above
    /// everything a client saw.
    async fn interrupt(&self, run: OpenRun) -> Result<bool, StoreError> {
        let next = run.attempt.saturating_add(1);
        let ending = Ending {
            run: run.id,
            user: run.user,
            conversation: run.conversation,
            attempt: run.attempt,
            ends_as_attempt: next,
            next_event: EventId::first_of(next),
            status: RunStatus::Failed,
            failure: Some(RunFailure::Interrupted),
            reply: run.partial.map(|partial| (partial.message, Reply::cut_short(partial.text))),
            usage: run.usage,
            first_delta_at: None,
        };
        match self.0.store.end_run(ending.clone()).await {
            Ok(_) => {
                if let Some(run) = self.0.store.find_run(&ending.user, ending.run).await? {
                    log_run(&run, &ending, 0);
                }
                Ok(true)
            }
            Err(StoreError::Fenced) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
