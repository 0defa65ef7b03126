//! Whether a run is accepted. Its question to the model is under way while its message is being stored; until that is
//! done nothing of the run is told, stored or acted on.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{oneshot, watch};

use crate::{
    domain::{Event, ModelIdentity},
    store::{Accepted, Hold, StoreError},
};

/// What became of a turn that asked to be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Its message and its run are durable.
    Accepted(Accepted),
    /// The run was accepted by an earlier attempt.
    Resumed,
    /// Nothing was stored, or nobody knows.
    Refused,
}

/// Where a run hears whether it is accepted. Cloning is cheap.
#[derive(Clone, Debug)]
pub(super) struct Acceptance {
    verdict: watch::Receiver<Option<Verdict>>,
    /// Dropped when the verdict was passed on.
    passing_on: Arc<Mutex<Option<oneshot::Sender<()>>>>,
}

/// Says whether a run is accepted. Dropped without a word, it refuses.
#[derive(Debug)]
pub(super) struct Judge {
    verdict: watch::Sender<Option<Verdict>>,
    passed_on: oneshot::Receiver<()>,
}

impl Acceptance {
    /// Makes both ends for a run whose message is about to be stored.
    pub(super) fn pending() -> (Judge, Self) {
        let ((sender, verdict), (passing_on, passed_on)) = (watch::channel(None), oneshot::channel());
        let passing_on = Arc::new(Mutex::new(Some(passing_on)));
        (Judge { verdict: sender, passed_on }, Self { verdict, passing_on })
    }

    /// Makes the one of a run that an earlier attempt began.
    pub(super) fn resumed() -> Self {
        let verdict = watch::channel(Some(Verdict::Resumed)).1;
        Self { verdict, passing_on: Arc::default() }
    }

    /// Waits for the verdict. That takes no longer than a write may.
    pub(super) async fn verdict(&self) -> Verdict {
        let mut heard = self.verdict.clone();
        let verdict = heard.wait_for(Option::is_some).await;
        verdict.ok().and_then(|verdict| *verdict).unwrap_or(Verdict::Refused)
    }

    /// Says that all who follow the run were told.
    pub(super) fn was_passed_on(&self) {
        drop(self.passing_on.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Goes on once the run is accepted: nothing is stored of one that is not.
    pub(super) async fn is_given(&self) -> Result<(), StoreError> {
        match self.verdict().await {
            Verdict::Accepted(_) | Verdict::Resumed => Ok(()),
            Verdict::Refused => Err(StoreError::Fenced),
        }
    }
}

impl Judge {
    /// Accepts the run, and waits until it has told so: whoever asked for it finds the beginning there, instead of waking
    /// up for each piece of it. A run listens for its verdict whatever it does, and one that is gone tells nothing.
    pub(super) async fn accept(self, accepted: Accepted) {
        self.verdict.send_replace(Some(Verdict::Accepted(accepted)));
        // An error says that the sender was dropped, and that is waited for.
        let _ = self.passed_on.await;
    }
}

/// Tells that a run was accepted.
pub(super) fn created(hold: &Hold, model: &ModelIdentity, accepted: &Accepted) -> Event {
    Event::RunCreated {
        run_id: hold.run,
        conversation_id: accepted.conversation,
        user_message_id: accepted.user_message,
        provider: model.provider.clone(),
        model: model.model.clone(),
        attempt: hold.attempt,
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::domain::{ConversationId, ItemId};

    #[tokio::test]
    async fn a_judge_that_goes_away_refuses_and_one_that_spoke_is_heard_after_that() {
        let (judge, acceptance) = Acceptance::pending();
        drop(judge);
        assert_eq!(acceptance.verdict().await, Verdict::Refused);
        assert!(matches!(acceptance.is_given().await, Err(StoreError::Fenced)));
        let accepted =
            Accepted { conversation: ConversationId::new(), user_message: ItemId::new(), position: 1 };
        let (judge, acceptance) = Acceptance::pending();
        let (heard, ()) = tokio::join!(acceptance.verdict(), async {
            let mut accepting = Box::pin(judge.accept(accepted));
            assert!((&mut accepting).now_or_never().is_none(), "nobody was told yet");
            acceptance.was_passed_on();
            accepting.await;
        });
        assert_eq!(heard, Verdict::Accepted(accepted));
        assert_eq!(Acceptance::resumed().verdict().await, Verdict::Resumed);
    }
}
