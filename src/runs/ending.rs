//! The end of a run: one commit, and only then the end event. A database that is down is waited for.

use std::time::Duration;

use chrono::{DateTime, Utc};
use parlor_failpoints::failpoint;
use tokio::time::{Instant, sleep};

use super::{
    Inner,
    drive::{Outcome, Taken},
    live::Live,
    recorder::{Account, Recorder},
};
use crate::{
    agent::Stop,
    domain::{End, Event, EventId, ItemId, Reply, Run, RunStatus, UserId},
    store::{Ending, Hold, StoreError},
    telemetry::{RunLine, run_ended},
};

/// How long the end of a run is retried while the database is down. After that the reaper ends it.
const RETRY_LIMIT: Duration = Duration::from_secs(60);

/// How long between two tries, the first time and at most.
const RETRY_DELAYS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

impl Inner {
    /// Stores the end of a run and tells it. If the database stays down the run is left to the reaper, and those who
    /// follow go on with what is stored.
    pub(super) async fn end(&self, live: &Live, recorder: &Recorder, outcome: Outcome) {
        let account = recorder.account();
        let next = account.next_event;
        let (outcome, history) = match outcome {
            Ok(Taken { reply, history }) => (Ok(reply), Some(history)),
            Err(stop) => (Err(stop), None),
        };
        let Some(ending) = ending(recorder.hold(), outcome, &account) else {
            return self.tell_what_is_stored(live, recorder.hold(), next).await;
        };
        failpoint!("before-end");
        match self.store_end(&ending).await {
            Ok(events) => {
                failpoint!("end-stored");
                if events.first().is_some_and(|(id, _)| *id > next) {
                    // A step was stored that nobody was told of.
                    return self.tell_what_is_stored(live, recorder.hold(), next).await;
                }
                if let Some(history) = history {
                    self.kept.keep(&ending.user, ending.conversation, history);
                }
                for (id, event) in events {
                    live.push(id, with_wait(event, account.retry_after));
                }
                failpoint!("end-told");
                log_run(&ending, &account, self.clock.now());
            }
            Err(StoreError::Fenced) => self.tell_what_is_stored(live, recorder.hold(), next).await,
            Err(error) => tracing::error!(
                error = &error as &dyn std::error::Error, run.id = %ending.run,
                "the end of a run could not be stored; it is left to the reaper"
            ),
        }
    }

    async fn store_end(&self, ending: &Ending) -> Result<Vec<(EventId, Event)>, StoreError> {
        let started = Instant::now();
        let (mut delay, longest) = RETRY_DELAYS;
        loop {
            match self.store.end_run(ending.clone()).await {
                Err(error) if error.is_transient() && started.elapsed() < RETRY_LIMIT => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error, run.id = %ending.run,
                        "the end of a run could not be stored yet"
                    );
                    sleep(delay).await;
                    delay = (delay * 2).min(longest);
                }
                done => return done,
            }
        }
    }

    /// Tells what is stored behind the last event that was told: an end that somebody else stored, or that this one
    /// stored before its answer was lost.
    async fn tell_what_is_stored(&self, live: &Live, hold: &Hold, next: EventId) {
        let stored = async {
            match self.store.find_run(&hold.user, hold.run).await? {
                Some(run) if run.status.is_final() => {
                    log_stored(&run, &hold.user);
                    self.store.replay(&hold.user, &run).await
                }
                Some(_) | None => Ok(Vec::new()),
            }
        };
        match stored.await {
            Ok(events) => {
                events.into_iter().filter(|(id, _)| *id >= next).for_each(|(id, event)| live.push(id, event));
            }
            Err(error) => tracing::error!(
                error = &error as &dyn std::error::Error, run.id = %hold.run, "the stored end could not be read"
            ),
        }
    }
}

/// Writes the one wide line of a run that this process has ended.
fn log_run(ending: &Ending, account: &Account, ended_at: DateTime<Utc>) {
    let since_start = |at: DateTime<Utc>| (at - account.started_at).to_std().unwrap_or_default();
    run_ended(&RunLine {
        run_id: ending.run,
        conversation_id: ending.conversation,
        user: &ending.user,
        status: ending.status,
        failure: ending.failure,
        provider: &account.model.provider,
        model: &account.model.model,
        duration: since_start(ended_at),
        first_delta: ending.first_delta_at.map(since_start),
        usage: ending.usage,
        tool_calls: account.tool_calls,
    });
}

/// Writes the one wide line of a run as it is stored; how many calls it made is not counted again.
pub(super) fn log_stored(run: &Run, user: &UserId) {
    let since_start = |at: DateTime<Utc>| (at - run.created_at).to_std().unwrap_or_default();
    run_ended(&RunLine {
        run_id: run.id,
        conversation_id: run.conversation_id,
        user,
        status: run.status,
        failure: run.failure,
        provider: &run.provider,
        model: &run.model,
        duration: run.ended_at.map(since_start).unwrap_or_default(),
        first_delta: run.first_delta_at.map(since_start),
        usage: run.usage,
        tool_calls: 0,
    });
}

/// Adds to the end of a run what is told and not stored.
fn with_wait(event: Event, retry_after: Option<Duration>) -> Event {
    if let Event::Ended(end) = event { Event::Ended(End { retry_after, ..end }) } else { event }
}

/// Decides how a run ends. Nothing is to be stored if another attempt has it.
fn ending(hold: &Hold, outcome: Result<Option<(ItemId, Reply)>, Stop>, account: &Account) -> Option<Ending> {
    let cut_short =
        account.partial.as_ref().map(|partial| (partial.message, Reply::cut_short(partial.text.as_str())));
    let (status, failure, reply) = match outcome {
        Ok(reply) => (RunStatus::Completed, None, reply),
        Err(Stop::Cancelled) => (RunStatus::Cancelled, None, cut_short),
        Err(Stop::Failed(failure)) => (RunStatus::Failed, Some(failure), cut_short),
        Err(Stop::Fenced) => return None,
    };
    Some(Ending {
        run: hold.run,
        user: hold.user.clone(),
        conversation: hold.conversation,
        attempt: hold.attempt,
        ends_as_attempt: hold.attempt,
        next_event: account.next_event,
        status,
        failure,
        reply,
        context_start: account.context_start,
        usage: account.usage,
        first_delta_at: account.first_delta_at,
    })
}
