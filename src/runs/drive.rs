//! Driving one run from its start to its end, whatever happens in between.

use std::{convert::Infallible, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt;
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{MissedTickBehavior, interval, timeout},
};

use super::{
    Inner, Runs,
    live::{Live, Shelf},
    recorder::Recorder,
};
use crate::{
    agent::{History, Stop, Turn, window},
    domain::{CallId, Item, ItemId, Model, Principal, Recorded, Reply, RunFailure, ToolChoice},
    store::{Hold, StoreError},
};

/// How often the text of a message being written is saved, at most.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(1);

/// How many items of the history are read at once.
const HISTORY_PAGE: u64 = 50;

/// What an agent's turn came to: a last reply, nothing to do, or a stop.
pub(super) type Outcome = Result<Option<(ItemId, Reply)>, Stop>;

/// What a run is driven with.
pub(super) struct Job {
    pub(super) live: Arc<Live>,
    pub(super) recorder: Recorder,
    pub(super) principal: Principal,
    pub(super) model: Arc<dyn Model>,
    pub(super) tool_choice: ToolChoice,
    /// Open calls that an earlier attempt began.
    pub(super) in_doubt: Vec<CallId>,
    /// The place that it takes among those under way. One that goes on after a restart goes on without, if there is none.
    pub(super) place: Option<OwnedSemaphorePermit>,
}

/// Drives a run and ends it, or sets it aside when the process stops. Whatever way out of here leaves it open, somebody
/// takes it up or ends it: the next process, or the reaper of this one.
pub(super) async fn drive(runs: Runs, mut job: Job) {
    let inner = &runs.0;
    let place = job.place.take();
    let Job { live, recorder, .. } = &job;
    let _retired = Retired { shelf: &inner.shelf, live };
    let work = AssertUnwindSafe(live.gathering(work(inner, &job))).catch_unwind();
    let outcome = tokio::select! {
        done = timeout(inner.settings.timeout, work) => match done {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_panic)) => Err(Stop::Failed(RunFailure::Internal)),
            Err(_elapsed) => Err(Stop::Failed(RunFailure::RunTimeout)),
        },
        () = inner.shutdown.interrupted() => {
            if live.cancel.is_cancelled() {
                Err(Stop::Cancelled)
            } else if inner.settings.may_go_on_after(recorder.hold().attempt) {
                return set_aside(recorder).await;
            } else {
                Err(Stop::Failed(RunFailure::Interrupted))
            }
        }
        never = keep_saving(recorder) => match never {},
    };
    // Who hears the end may begin the next run.
    drop(place);
    inner.end(live, recorder, outcome).await;
}

/// Leaves a run to the next process, as a crash would, but with all of its text.
async fn set_aside(recorder: &Recorder) {
    match recorder.checkpoint().await {
        Ok(()) => tracing::info!("a run is set aside; the next start goes on with it"),
        Err(error) => tracing::warn!(
            error = &error as &dyn std::error::Error,
            "a run is set aside; its last words could not be saved"
        ),
    }
}

/// Closes the log of a run when its task is over, however that came.
struct Retired<'a> {
    shelf: &'a Shelf,
    live: &'a Live,
}

impl Drop for Retired<'_> {
    fn drop(&mut self) {
        self.shelf.retire(self.live);
    }
}

async fn work(inner: &Inner, job: &Job) -> Outcome {
    let recorder = &job.recorder;
    let history = match load_history(inner, recorder.hold(), inner.agent.reach(job.model.as_ref())).await {
        Ok(history) => history,
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "the history could not be read");
            return Err(Stop::Failed(RunFailure::StorageUnavailable));
        }
    };
    let turn = Turn {
        principal: &job.principal,
        model: job.model.as_ref(),
        conversation_id: recorder.hold().conversation,
        history,
        tool_choice: job.tool_choice,
        in_doubt: &job.in_doubt,
        cancel: &job.live.cancel,
        scribe: recorder,
    };
    inner.agent.take(turn).await
}

/// Reads the history back to where the context begins, or until there is more than will be sent. A long conversation
/// costs no more than that.
async fn load_history(inner: &Inner, hold: &Hold, most: usize) -> Result<History, StoreError> {
    let mut newest_first: Vec<Recorded> = Vec::new();
    let (mut tokens, mut has_message) = (0, false);
    loop {
        let before = newest_first.last().map(|recorded| recorded.position);
        let page = inner.store.context(&hold.user, hold.conversation, before, HISTORY_PAGE).await?;
        let is_last = (page.len() as u64) < HISTORY_PAGE;
        for recorded in page {
            tokens += window::tokens(std::slice::from_ref(&recorded.item));
            has_message |= matches!(recorded.item, Item::User(_));
            newest_first.push(recorded);
        }
        if is_last || (has_message && tokens > most) {
            tracing::debug!(conversation.id = %hold.conversation, rows = newest_first.len(), "the history was read");
            newest_first.reverse();
            return Ok(History::new(newest_first));
        }
    }
}

/// Saves the partial text again and again. A failure is only logged: the next save or the end makes up for it.
async fn keep_saving(recorder: &Recorder) -> Infallible {
    let mut tick = interval(CHECKPOINT_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        if let Err(error) = recorder.checkpoint().await {
            tracing::warn!(error = &error as &dyn std::error::Error, "the partial text could not be saved");
        }
    }
}
