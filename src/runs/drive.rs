//! Driving one run from its start to its end, whatever happens in between.

use std::{convert::Infallible, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::{
    Inner, Runs,
    live::{Live, Shelf},
    recorder::Recorder,
    turn::NewTurn,
};
use crate::{
    agent::{History, Stop, Turn, window},
    domain::{Item, ItemId, Model, Recorded, Reply, RunFailure},
    store::{Hold, StoreError},
};

/// How often the text of a message being written is saved, at most.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(1);

/// How many items of the history are read at once.
const HISTORY_PAGE: u64 = 50;

/// What an agent's turn came to: a last reply, nothing to do, or a stop.
pub(super) type Outcome = Result<Option<(ItemId, Reply)>, Stop>;

/// Drives a run and ends it. Whatever way out of here leaves it open, the reaper ends it.
pub(super) async fn drive(
    runs: Runs,
    live: Arc<Live>,
    recorder: Recorder,
    turn: NewTurn,
    model: Arc<dyn Model>,
) {
    let inner = &runs.0;
    let _retired = Retired { shelf: &inner.shelf, live: &live };
    let work = live.gathering(work(inner, &live, &recorder, &turn, model.as_ref()));
    let work = AssertUnwindSafe(work).catch_unwind();
    let outcome = tokio::select! {
        done = timeout(inner.settings.timeout, work) => match done {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_panic)) => Err(Stop::Failed(RunFailure::Internal)),
            Err(_elapsed) => Err(Stop::Failed(RunFailure::RunTimeout)),
        },
        () = inner.shutdown.interrupted() => Err(Stop::Failed(RunFailure::Interrupted)),
        never = keep_saving(&recorder) => match never {},
    };
    inner.end(&live, &recorder, outcome).await;
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

async fn work(inner: &Inner, live: &Live, recorder: &Recorder, turn: &NewTurn, model: &dyn Model) -> Outcome {
    let history = match load_history(inner, recorder.hold()).await {
        Ok(history) => history,
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "the history could not be read");
            return Err(Stop::Failed(RunFailure::StorageUnavailable));
        }
    };
    let turn = Turn {
        principal: &turn.principal,
        model,
        conversation_id: recorder.hold().conversation,
        history,
        tool_choice: turn.tool_choice,
        cancel: &live.cancel,
        scribe: recorder,
    };
    inner.agent.take(turn).await
}

/// Reads the history back to where the context begins, or until there is more than will be sent. A long conversation
/// costs no more than that.
async fn load_history(inner: &Inner, hold: &Hold) -> Result<History, StoreError> {
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
        if is_last || (has_message && tokens > inner.agent.limits.history_tokens) {
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
