//! Starting a run: durable first, then on its own task. The caller only waits; it cannot leave a run half started.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use chrono::{DateTime, Utc};
use futures_util::{FutureExt, future::BoxFuture};
use parlor_failpoints::failpoint;
use tokio::{
    sync::{OwnedSemaphorePermit, SemaphorePermit, oneshot},
    task::yield_now,
};
use tracing::Instrument;

use super::{
    Inner, Runs,
    acceptance::{Acceptance, Judge},
    asked::{Asked, asked, idempotency_key},
    drive::{Job, drive},
    live::Live,
    memory::Beginning,
    recorder::Recorder,
    turn::NewTurn,
};
use crate::{
    domain::{ConversationId, EventId, ItemId, Model, NoSuchModel, Principal, RunId, Usage, UserId},
    store::{AcceptError, Accepted, Hold, IdempotencyKey, Refusal, StoreError},
};

/// A run that was started, now or by an earlier request with the same key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Started {
    /// The run.
    pub run: RunId,
    /// Its conversation.
    pub conversation: ConversationId,
    /// Whether an earlier request started it.
    pub is_replay: bool,
}

/// Why no run was started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The service is about to stop.
    #[error("the service is shutting down")]
    ShuttingDown,
    /// Clients may not ask for such a model.
    #[error("no such model")]
    NoSuchModel(NoSuchModel),
    /// Too many calls of the model have failed lately for another turn to begin.
    #[error("the model is unavailable")]
    ModelUnavailable {
        /// When to come back.
        retry_after: Duration,
    },
    /// As many runs are under way as there may be.
    #[error("too many runs are under way")]
    Overloaded,
    /// The user has no such conversation.
    #[error("no such conversation")]
    NoSuchConversation,
    /// There is no message that could be answered again.
    #[error("no such message")]
    NoSuchMessage,
    /// Another run of the conversation is under way.
    #[error("the conversation is busy")]
    Busy {
        /// That run.
        active: RunId,
    },
    /// The idempotency key was used for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// The store failed. Should the turn have been stored all the same, it ends as interrupted.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The starting task died: a fault of ours.
    #[error("starting the run failed")]
    Died,
}

/// Where it is told whether a run was started.
type Answer = oneshot::Sender<Result<Started, StartError>>;

impl Runs {
    /// Starts a run, or finds the one that the same key started, also where no new one is started any more. When this
    /// returns, the message is durable.
    pub async fn start(&self, turn: NewTurn) -> Result<Started, StartError> {
        // On a task of its own: between the commit and the start of the run no hang-up may come.
        let (answer, started) = oneshot::channel();
        self.0.shutdown.spawn_run(start(self.clone(), turn, answer).in_current_span());
        started.await.unwrap_or(Err(StartError::Died))
    }
}

/// Has a turn accepted and drives its run. Both are one task, so that no time goes by between the commit and the first word.
async fn start(runs: Runs, turn: NewTurn, answer: Answer) {
    if let Some((accepting, driving)) = Box::pin(begin(&runs, turn, answer)).await {
        // In this order, so that a turn which was accepted is answered before it goes on.
        tokio::join!(biased; accepting, driving);
    }
}

/// Makes of a turn what has it accepted and what drives its run; nothing if it was answered already. Each has a place of its
/// own: a run lives long, and what was needed to begin it does not.
async fn begin(runs: &Runs, turn: NewTurn, answer: Answer) -> Option<(BoxFuture<'_, ()>, BoxFuture<'_, ()>)> {
    let inner = &runs.0;
    let (model, place, door) = match inner.admit(&turn) {
        Ok(admitted) => admitted,
        // A turn that was accepted before is told all the same.
        Err(refusal) => {
            let key = idempotency_key(inner, &turn);
            let repeated = inner.repeated(&turn.principal.user, key.as_ref()).await;
            // Whoever has left hears nothing.
            drop(answer.send(repeated.unwrap_or(Err(refusal))));
            return None;
        }
    };
    let asked = asked(inner, &turn, model.identity());
    let (run, conversation) = asked.place();
    let live = inner.shelf.open(run, turn.principal.user.clone(), conversation, turn.cancel);
    let (judge, acceptance) = Acceptance::pending();
    let foreseen = inner.foresight.of(&turn.principal.user, asked.key()).await;
    let ahead = foreseen.as_ref().and_then(|_| asked.ahead());
    // Everything that the run logs carries these ids, and the request's from the span around.
    let span = tracing::info_span!(
        "run", run.id = %run, conversation.id = %conversation, user.id = turn.principal.user.as_str()
    );
    let job =
        Job { place: Some(place), ahead, ..inner.job(&asked, &live, turn.principal, model, acceptance) };
    let accepting = async move {
        let started = inner.have_accepted(asked, &live, judge).await;
        drop((door, foreseen));
        drop(answer.send(started));
    };
    // The disk takes longest, so it is asked first.
    let driving = yield_now().then(|()| drive(runs.clone(), job)).instrument(span);
    Some((Box::pin(accepting), Box::pin(driving)))
}

impl Inner {
    /// Finds the model, a place and a door for a new turn, or says why none may begin.
    fn admit(
        &self,
        turn: &NewTurn,
    ) -> Result<(Arc<dyn Model>, OwnedSemaphorePermit, SemaphorePermit<'_>), StartError> {
        let model = self.models.find(turn.provider.as_deref(), turn.model.as_deref());
        let model = model.map_err(StartError::NoSuchModel)?;
        if self.shutdown.is_draining() {
            return Err(StartError::ShuttingDown);
        }
        if let Some(retry_after) = model.closed_for() {
            return Err(StartError::ModelUnavailable { retry_after });
        }
        let place = Arc::clone(&self.places).try_acquire_owned();
        let (Ok(place), Ok(door)) = (place, self.doors.try_acquire()) else {
            return Err(StartError::Overloaded);
        };
        Ok((Arc::clone(model), place, door))
    }

    /// Makes what a turn's run is driven with. It holds back what it tells until it is accepted.
    fn job(
        &self,
        asked: &Asked,
        live: &Arc<Live>,
        principal: Principal,
        model: Arc<dyn Model>,
        acceptance: Acceptance,
    ) -> Job {
        let ((run, conversation), user) = (asked.place(), principal.user.clone());
        let recorder = Recorder::new(
            self.store.clone(),
            self.clock.clone(),
            Hold { run, user, conversation, attempt: 1 },
            Arc::clone(live),
            model.identity(),
            beginning(asked.run().first_message, self.clock.now()),
            acceptance.clone(),
        );
        recorder.hold_back();
        Job {
            live: Arc::clone(live),
            recorder,
            principal,
            model,
            tool_choice: asked.run().tool_choice,
            in_doubt: Vec::new(),
            place: None,
            acceptance,
            ahead: None,
            premise: OnceLock::new(),
        }
    }

    /// Has a turn accepted, and its run hear that.
    async fn have_accepted(&self, asked: Asked, live: &Live, judge: Judge) -> Result<Started, StartError> {
        failpoint!("before-accept");
        let (run, conversation) = asked.place();
        let accepted = self.accept(&live.user, asked).await;
        let is_storage_down = matches!(&accepted, Err(AcceptError::Store(error)) if error.is_transient());
        self.foresight.learn(is_storage_down);
        match accepted {
            Ok(accepted) => {
                failpoint!("after-accept");
                judge.accept(accepted).await;
                Ok(Started { run, conversation, is_replay: false })
            }
            Err(error) => {
                self.shelf.discard(live);
                refused(error)
            }
        }
    }

    /// Accepts a turn. If the answer to the commit is lost, looks whether it was stored all the same.
    async fn accept(&self, user: &UserId, asked: Asked) -> Result<Accepted, AcceptError> {
        let (run, _) = asked.place();
        let accepted = match asked {
            Asked::Turn(turn) => self.store.accept(turn).await,
            Asked::Again(again) => self.store.accept_again(again).await,
        };
        match accepted {
            Err(AcceptError::Store(error)) if error.is_transient() => {
                match self.store.find_accepted(user, run).await {
                    Ok(Some(accepted)) => Ok(accepted),
                    Ok(None) | Err(_) => Err(error.into()),
                }
            }
            done => done,
        }
    }

    /// Finds what an earlier request with the same key came to, without a write.
    async fn repeated(
        &self,
        user: &UserId,
        key: Option<&IdempotencyKey>,
    ) -> Option<Result<Started, StartError>> {
        match self.store.find_first_use(user, key?).await {
            Ok(None) => None,
            Ok(Some(refusal)) => Some(refused(refusal.into())),
            Err(error) => Some(Err(error.into())),
        }
    }
}

/// Says where a run begins that was just accepted: its acceptance is stored under its first event.
fn beginning(message: ItemId, now: DateTime<Utc>) -> Beginning {
    let next = EventId::first_of(1);
    Beginning {
        next,
        last_stored: next,
        message,
        asked_by: message,
        usage: Usage::default(),
        started_at: now,
    }
}

fn refused(error: AcceptError) -> Result<Started, StartError> {
    match error {
        AcceptError::Store(error) => Err(error.into()),
        AcceptError::Refused(refusal) => match refusal {
            Refusal::Repeated { run, conversation } => Ok(Started { run, conversation, is_replay: true }),
            Refusal::NoSuchConversation => Err(StartError::NoSuchConversation),
            Refusal::Busy { active } => Err(StartError::Busy { active }),
            Refusal::KeyReused => Err(StartError::KeyReused),
            Refusal::NoSuchMessage => Err(StartError::NoSuchMessage),
        },
    }
}
