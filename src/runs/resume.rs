//! Taking a run up again: the history is the state, so a new attempt loads it and asks what is next.
//!
//! It is done in two steps. First the run is taken over and its log stands ready, so that who asks for it finds it. It
//! goes on once the tool servers had their chance to start.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::{
    Inner, Runs,
    acceptance::Acceptance,
    drive::{Job, drive},
    live::Live,
    memory::Beginning,
    recorder::Recorder,
};
use crate::{
    domain::{EventId, Model, ModelIdentity, NoticeCode, Principal, Scribe},
    shutdown::Shutdown,
    store::{OpenRun, StoreError, TakenOver},
};

/// How long after one run the next one goes on. All at once, their writes would wait in the queue for longer than a write
/// may, and the runs would fail.
const PACE: Duration = Duration::from_millis(25);

/// Runs that were taken over and wait to go on.
#[must_use = "a run that was taken over goes on only if it is told to"]
#[derive(Default)]
pub struct TakenUp(pub(super) Vec<Job>);

impl TakenUp {
    /// Returns how many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

impl Runs {
    /// Lets runs go on that were taken over, one after the other.
    pub fn go_on(&self, taken: TakenUp) {
        for (turn, job) in (0_u32..).zip(taken.0) {
            let hold = job.recorder.hold();
            let span = tracing::info_span!(
                "run", run.id = %hold.run, conversation.id = %hold.conversation, user.id = hold.user.as_str(),
                attempt = hold.attempt
            );
            let (runs, shutdown) = (self.clone(), self.0.shutdown.clone());
            let going_on = async move {
                turn_comes(turn, &job.live.cancel, &shutdown).await;
                drive(runs, job).await;
            };
            self.0.shutdown.spawn_run(going_on.instrument(span));
        }
    }

    /// Takes a run over and opens its log, with all in it that is stored. Nothing if somebody else was faster.
    pub(super) async fn take_up(&self, run: OpenRun) -> Result<Option<Job>, StoreError> {
        let inner = &self.0;
        let taken = match inner.store.take_over(run.clone(), inner.owner.clone()).await {
            Ok(taken) => taken,
            Err(StoreError::Fenced) => return Ok(None),
            Err(error) => return Err(error),
        };
        let live = inner.open_log(&run, &taken).await?;
        let (model, replaced) = inner.model_of(&run.model);
        let recorder = Recorder::new(
            inner.store.clone(),
            inner.clock.clone(),
            taken.hold.clone(),
            Arc::clone(&live),
            run.model.clone(),
            beginning(&run, &taken),
            Acceptance::resumed(),
        );
        if let Some(notice) = replaced {
            recorder.replaced(&model.identity(), notice);
        }
        let principal = Principal { user: run.user, expires_at: None };
        let (in_doubt, place) = (taken.in_doubt, Arc::clone(&inner.places).try_acquire_owned().ok());
        let (tool_choice, acceptance) = (run.tool_choice, Acceptance::resumed());
        let (ahead, premise) = (None, OnceLock::new());
        Ok(Some(Job {
            live,
            recorder,
            principal,
            model,
            tool_choice,
            in_doubt,
            place,
            acceptance,
            ahead,
            premise,
        }))
    }
}

impl Inner {
    async fn open_log(&self, run: &OpenRun, taken: &TakenOver) -> Result<Arc<Live>, StoreError> {
        let stored = match self.store.find_run(&run.user, run.id).await? {
            Some(found) => self.store.replay(&run.user, &found).await?,
            None => return Err(StoreError::Fenced),
        };
        let hold = &taken.hold;
        let live = self.shelf.open(hold.run, hold.user.clone(), hold.conversation, CancellationToken::new());
        stored.into_iter().for_each(|(id, event)| live.push(id, event));
        live.reach(EventId::first_of(hold.attempt).plus(-1));
        Ok(live)
    }

    /// Finds the model that a run was accepted for; if the configuration no longer has it, the usual one, and what users
    /// are told of that.
    fn model_of(&self, wanted: &ModelIdentity) -> (Arc<dyn Model>, Option<NoticeCode>) {
        let usual = self.models.usual();
        let ModelIdentity { provider, model } = usual.identity();
        if (&provider, &model) == (&wanted.provider, &wanted.model) {
            return (Arc::clone(usual), None);
        }
        match self.models.find(Some(&wanted.provider), Some(&wanted.model)) {
            Ok(model) => (Arc::clone(model), None),
            Err(_no_longer_there) if provider == wanted.provider => {
                (Arc::clone(usual), Some(NoticeCode::ModelFallback))
            }
            Err(_no_longer_there) => (Arc::clone(usual), Some(NoticeCode::ProviderFallback)),
        }
    }
}

/// Waits for a run's turn to go on, unless it is to end.
async fn turn_comes(turn: u32, cancel: &CancellationToken, shutdown: &Shutdown) {
    tokio::select! {
        () = sleep(PACE.saturating_mul(turn)) => {}
        () = cancel.cancelled() => {}
        () = shutdown.interrupted() => {}
    }
}

/// Says where an attempt begins that goes on with a run.
fn beginning(run: &OpenRun, taken: &TakenOver) -> Beginning {
    let first = EventId::first_of(taken.hold.attempt);
    Beginning {
        next: if taken.last_event < first { first } else { taken.last_event.next() },
        last_stored: taken.last_event,
        message: taken.message,
        asked_by: taken.asked_by.unwrap_or(taken.message),
        usage: run.usage,
        started_at: run.created_at,
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    async fn waited(turn: u32, cancel: &CancellationToken, shutdown: &Shutdown) -> Duration {
        let began = Instant::now();
        turn_comes(turn, cancel, shutdown).await;
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn runs_go_on_one_after_the_other_and_end_at_once() {
        let (cancel, shutdown) = (CancellationToken::new(), Shutdown::default());
        assert_eq!(waited(0, &cancel, &shutdown).await, Duration::ZERO);
        assert_eq!(waited(40, &cancel, &shutdown).await, PACE * 40);
        let cancelled = CancellationToken::new();
        cancelled.cancel();
        assert_eq!(waited(40, &cancelled, &shutdown).await, Duration::ZERO);
        shutdown.interrupt();
        assert_eq!(waited(40, &cancel, &shutdown).await, Duration::ZERO);
    }
}
