//! Whether a run is accepted. Its question to the model is under way while its message is being stored; until that is
//! done nothing of the run is told, stored or acted on.

use tokio::sync::watch;

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
pub(super) struct Acceptance(watch::Receiver<Option<Verdict>>);

/// Says whether a run is accepted. Dropped without a word, it refuses.
#[derive(Debug)]
pub(super) struct Judge(watch::Sender<Option<Verdict>>);

impl Acceptance {
    /// Makes both ends for a run whose message is about to be stored.
    pub(super) fn pending() -> (Judge, Self) {
        let (judge, acceptance) = watch::channel(None);
        (Judge(judge), Self(acceptance))
    }

    /// Makes the one of a run that an earlier attempt began.
    pub(super) fn resumed() -> Self {
        Self(watch::channel(Some(Verdict::Resumed)).1)
    }

    /// Waits for the verdict. That takes no longer than a write may.
    pub(super) async fn verdict(&self) -> Verdict {
        let mut heard = self.0.clone();
        let verdict = heard.wait_for(Option::is_some).await;
        verdict.ok().and_then(|verdict| *verdict).unwrap_or(Verdict::Refused)
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
    pub(super) fn accept(self, accepted: Accepted) {
        self.0.send_replace(Some(Verdict::Accepted(accepted)));
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
        judge.accept(accepted);
        assert_eq!(acceptance.verdict().await, Verdict::Accepted(accepted));
        assert_eq!(Acceptance::resumed().verdict().await, Verdict::Resumed);
    }
}
