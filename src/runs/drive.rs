//! Driving one run from its start to its end, whatever happens in between.

use std::{
    convert::Infallible,
    panic::AssertUnwindSafe,
    sync::{Arc, OnceLock},
    time::Duration,
};

use futures_util::{FutureExt, future::BoxFuture};
use tokio::{
    sync::OwnedSemaphorePermit,
    task::yield_now,
    time::{Instant, MissedTickBehavior, interval_at, timeout},
};

use super::{
    Inner, Runs,
    acceptance::{Acceptance, Verdict},
    live::{Live, Shelf},
    reading::{Ahead, Guess, Premise},
    recorder::Recorder,
};
use crate::{
    agent::{History, Stop, Turn},
    domain::{CallId, ItemId, Model, Principal, Reply, RunFailure, ToolChoice},
};

/// How often the text of a message being written is saved, at most.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(1);

/// What an agent's turn came to.
pub(super) type Outcome = Result<Taken, Stop>;

/// A turn that was taken to its end.
pub(super) struct Taken {
    /// The last reply; none if there was nothing to do.
    pub(super) reply: Option<(ItemId, Reply)>,
    /// The history with that reply.
    pub(super) history: History,
}

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
    /// Where it hears whether it is accepted.
    pub(super) acceptance: Acceptance,
    /// What its history is guessed from until then; nothing if it is not to be.
    pub(super) ahead: Option<Ahead>,
    /// What that guess took for granted, once it was made.
    pub(super) premise: OnceLock<Premise>,
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
            Ok(Ok(outcome)) => Some(outcome),
            Ok(Err(_panic)) => Some(Err(Stop::Failed(RunFailure::Internal))),
            Err(_elapsed) => Some(Err(Stop::Failed(RunFailure::RunTimeout))),
        },
        () = inner.shutdown.interrupted() => None,
        never = keep_saving(recorder) => match never {},
    };
    if word(&job).await == Word::Refused {
        return;
    }
    let outcome = match outcome {
        Some(outcome) => outcome,
        None if live.cancel.is_cancelled() => Err(Stop::Cancelled),
        None if inner.settings.may_go_on_after(recorder.hold().attempt) => return set_aside(recorder).await,
        None => Err(Stop::Failed(RunFailure::Interrupted)),
    };
    // Who hears the end may begin the next run.
    drop(place);
    inner.end(live, recorder, outcome).await;
}

/// What is heard of the acceptance of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    /// It is accepted, with the history that was guessed.
    AsGuessed,
    /// It is accepted, and what was done before that is taken back.
    Anew,
    /// It is not. Who refused it has answered already.
    Refused,
}

/// Waits for the word whether the run is accepted and, if it is, tells it and what was held back until then.
async fn word(job: &Job) -> Word {
    match job.acceptance.verdict().await {
        Verdict::Accepted(accepted) => {
            let is_as_guessed = job.premise.get().is_some_and(|premise| premise.holds(&accepted));
            if !is_as_guessed {
                job.recorder.start_over();
            }
            job.recorder.accepted(&accepted);
            if is_as_guessed { Word::AsGuessed } else { Word::Anew }
        }
        Verdict::Resumed => Word::Anew,
        Verdict::Refused => Word::Refused,
    }
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

/// Takes the turn. The question to the model need not wait until the message is stored; if another turn came between, it is
/// asked again.
async fn work(inner: &Inner, job: &Job) -> Outcome {
    if let Some(Guess { history, premise }) = guess(inner, job).await? {
        job.premise.get_or_init(|| premise);
        let mut taking = take(inner, job, history);
        let (word, done) = tokio::select! {
            biased;
            word = word(job) => (word, None),
            outcome = &mut taking => (word(job).await, Some(outcome)),
        };
        step_aside().await;
        match (word, done) {
            (Word::AsGuessed, Some(outcome)) => return outcome,
            (Word::AsGuessed, None) => return taking.await,
            (Word::Anew, _) => tracing::debug!("another turn came between; the question is asked again"),
            (Word::Refused, _) => return Err(Stop::Fenced),
        }
    }
    if word(job).await == Word::Refused {
        return Err(Stop::Fenced);
    }
    match inner.history(job).await {
        Ok(history) => take(inner, job, history).await,
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "the history could not be read");
            Err(Stop::Failed(RunFailure::StorageUnavailable))
        }
    }
}

/// Lets others go first, before a turn goes on that was accepted: whoever accepts it answers at the next step of this task, and
/// whoever asked tells that behind it.
async fn step_aside() {
    yield_now().await;
    yield_now().await;
}

/// Guesses the history. If the run is accepted meanwhile, that is told at once, for nothing is held back yet that a wrong
/// guess could spoil; if it is refused, nothing more is read.
async fn guess(inner: &Inner, job: &Job) -> Result<Option<Guess>, Stop> {
    let mut guessing = Box::pin(inner.guess(job));
    let verdict = tokio::select! {
        biased;
        guess = &mut guessing => return Ok(guess),
        verdict = job.acceptance.verdict() => verdict,
    };
    match verdict {
        Verdict::Accepted(accepted) => {
            job.recorder.accepted(&accepted);
            Ok(guessing.await)
        }
        Verdict::Resumed => Ok(None),
        Verdict::Refused => Err(Stop::Fenced),
    }
}

/// Takes the turn with this history. Boxed: it is large, and there may be two, one after the other.
fn take<'a>(inner: &'a Inner, job: &'a Job, history: History) -> BoxFuture<'a, Outcome> {
    let mut turn = Turn {
        principal: &job.principal,
        model: job.model.as_ref(),
        conversation_id: job.recorder.hold().conversation,
        history,
        tool_choice: job.tool_choice,
        in_doubt: &job.in_doubt,
        cancel: &job.live.cancel,
        scribe: &job.recorder,
    };
    Box::pin(async move {
        let reply = inner.agent.take(&mut turn).await?;
        Ok(Taken { reply, history: turn.history })
    })
}

/// Saves the partial text again and again. A failure is only logged: the next save or the end makes up for it.
async fn keep_saving(recorder: &Recorder) -> Infallible {
    let mut tick = interval_at(Instant::now() + CHECKPOINT_EVERY, CHECKPOINT_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        if let Err(error) = recorder.checkpoint().await {
            tracing::warn!(error = &error as &dyn std::error::Error, "the partial text could not be saved");
        }
    }
}
