//! Other providers for when the usual one fails before a word could be seen: `LLM_FALLBACKS`, in their order.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::{StreamExt, stream, stream::BoxStream};

use crate::domain::{Model, ModelError, ModelErrorKind, ModelEvent, ModelIdentity, ModelRequest, NoticeCode};

/// The usual model and those that stand in for it.
pub struct Fallbacks {
    usual: Arc<dyn Model>,
    others: Vec<Arc<dyn Model>>,
}

impl Fallbacks {
    /// Joins a model with those that stand in for it.
    pub fn new(usual: Arc<dyn Model>, others: Vec<Arc<dyn Model>>) -> Self {
        Self { usual, others }
    }
}

#[async_trait]
impl Model for Fallbacks {
    fn identity(&self) -> ModelIdentity {
        self.usual.identity()
    }

    /// That of the usual model, which is asked first. Another that takes less is sent less.
    fn context_window(&self) -> Option<usize> {
        self.usual.context_window()
    }

    fn names(&self) -> Vec<ModelIdentity> {
        self.usual.names()
    }

    /// Closed only while all of them are.
    fn closed_for(&self) -> Option<Duration> {
        let others = self.others.iter().map(|model| model.closed_for());
        others.fold(self.usual.closed_for(), |shortest, wait| Some(shortest?.min(wait?)))
    }

    /// # Errors
    /// That of the usual model, if none of the others answers either.
    async fn stream(
        &self,
        request: ModelRequest<'_>,
    ) -> Result<BoxStream<'static, Result<ModelEvent, ModelError>>, ModelError> {
        let failure = match self.usual.stream(request).await {
            Err(failure) if may_help(failure.kind) => failure,
            outcome => return outcome,
        };
        for other in &self.others {
            let by = other.identity();
            tracing::warn!(
                error = &failure as &dyn std::error::Error,
                model.provider = %by.provider, model.name = %by.model,
                "the usual model fails; another is asked"
            );
            match stand_in(other.as_ref(), request).await {
                Ok(reply) => {
                    let replaced = ModelEvent::Replaced { by, notice: NoticeCode::ProviderFallback };
                    return Ok(stream::iter([Ok(replaced)]).chain(reply).boxed());
                }
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "it fails too");
                }
            }
        }
        Err(failure)
    }
}

/// Asks a model in the place of the usual one with as much as it takes; once more with less, if it says only then how much that is.
async fn stand_in(
    model: &dyn Model,
    request: ModelRequest<'_>,
) -> Result<BoxStream<'static, Result<ModelEvent, ModelError>>, ModelError> {
    let fitting = request.asker.fitting(model);
    match model.stream(request.about(&fitting)).await {
        Err(error) if error.kind == ModelErrorKind::ContextOverflow => {
            let less = request.asker.fitting(model);
            if less == fitting {
                return Err(error);
            }
            model.stream(request.about(&less)).await
        }
        outcome => outcome,
    }
}

/// Tells whether another provider may do better. What the provider's filter declined is not taken elsewhere, and what is
/// too long is cut first.
const fn may_help(kind: ModelErrorKind) -> bool {
    match kind {
        ModelErrorKind::Auth
        | ModelErrorKind::Quota
        | ModelErrorKind::RateLimited
        | ModelErrorKind::NotFound
        | ModelErrorKind::InvalidRequest
        | ModelErrorKind::MalformedReply
        | ModelErrorKind::Upstream
        | ModelErrorKind::Timeout
        | ModelErrorKind::StreamLost => true,
        ModelErrorKind::ContextOverflow | ModelErrorKind::ContentFiltered => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{Item, Meter, Reply},
        model::fake::{Alone, Fake, ask, ask_as, word},
    };

    async fn asked(models: [Fake; 3]) -> Result<Vec<ModelEvent>, ModelErrorKind> {
        let [usual, second, third] = models;
        ask(&Fallbacks::new(Arc::new(usual), vec![Arc::new(second), Arc::new(third)])).await
    }

    fn replaced_by(name: &str) -> ModelEvent {
        let by = ModelIdentity { provider: "fake".into(), model: name.into() };
        ModelEvent::Replaced { by, notice: NoticeCode::ProviderFallback }
    }

    #[tokio::test]
    async fn the_first_that_answers_is_heard_and_named() {
        let models = [
            Fake::failing("a", ModelErrorKind::Upstream),
            Fake::failing("b", ModelErrorKind::Quota),
            Fake::saying("c", "hello"),
        ];
        let events = asked(models).await.unwrap();
        assert_eq!(events[..2], [replaced_by("c"), ModelEvent::Text("hello".into())]);
    }

    #[tokio::test]
    async fn a_model_that_answers_is_not_replaced() {
        let models = ["a", "b", "c"].map(|name| Fake::saying(name, name));
        assert_eq!(asked(models).await.unwrap()[0], ModelEvent::Text("a".into()));
    }

    #[tokio::test]
    async fn what_no_other_provider_should_answer_is_not_taken_there() {
        for kind in [ModelErrorKind::ContentFiltered, ModelErrorKind::ContextOverflow] {
            let models = [Fake::failing("a", kind), Fake::saying("b", "b"), Fake::saying("c", "c")];
            assert_eq!(asked(models).await, Err(kind));
        }
    }

    #[tokio::test]
    async fn if_all_fail_the_usual_models_trouble_is_told() {
        let kinds = [ModelErrorKind::RateLimited, ModelErrorKind::Auth, ModelErrorKind::Upstream];
        assert_eq!(asked(kinds.map(|kind| Fake::failing("x", kind))).await, Err(ModelErrorKind::RateLimited));
    }

    /// Has a model stand in for one that is down, in a conversation of eight items, and returns how many it was sent.
    async fn sent_to(other: Fake) -> Vec<usize> {
        let history = (0..8).map(|at| Item::Assistant(Reply::of_text(at.to_string()))).collect();
        let (other, asker) = (Arc::new(other), Alone { history, ..Alone::default() });
        let models = Fallbacks::new(
            Arc::new(Fake::failing("a", ModelErrorKind::Upstream)),
            vec![Arc::clone(&other) as Arc<dyn Model>],
        );
        drop(ask_as(&asker, &Meter::default(), &models).await);
        other.sent()
    }

    #[tokio::test]
    async fn a_model_that_takes_less_is_sent_less_also_when_it_says_so_only_then() {
        assert_eq!(sent_to(Fake::saying("b", "b")).await, [8]);
        assert_eq!(sent_to(Fake::saying("b", "b").taking(3)).await, [3]);
        let overflow = || Err(ModelErrorKind::ContextOverflow);
        assert_eq!(sent_to(Fake::new("b", [overflow(), word("b")])).await, [8, 4]);
        assert_eq!(
            sent_to(Fake::new("b", [overflow()]).taking(1)).await,
            [1],
            "there is nothing to leave out"
        );
    }

    #[test]
    fn they_are_closed_only_while_all_are() {
        let closed = |seconds: &[u64]| {
            let mut models = seconds.iter().map(|seconds| -> Arc<dyn Model> {
                Arc::new(Fake::saying("x", "x").closed_for(Duration::from_secs(*seconds)))
            });
            Fallbacks::new(models.next().unwrap(), models.collect()).closed_for()
        };
        assert_eq!(closed(&[9, 3, 5]), Some(Duration::from_secs(3)));
        assert_eq!(closed(&[9, 0, 5]), None);
        assert_eq!(closed(&[0, 9]), None);
    }
}
