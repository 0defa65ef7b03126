//! A default model and those that come after it: providers shut models down, and a service that named none should not
//! stop for that. A model that the operator named is never replaced; it does not come here.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use futures_util::stream::BoxStream;

use crate::domain::{Model, ModelError, ModelErrorKind, ModelEvent, ModelIdentity, ModelRequest};

/// Default models in their order. The first that its provider knows is remembered.
pub struct Successors {
    first: Arc<dyn Model>,
    rest: Vec<Arc<dyn Model>>,
    current: AtomicUsize,
}

impl Successors {
    /// Joins a default model and its successors.
    pub fn new(first: Arc<dyn Model>, rest: Vec<Arc<dyn Model>>) -> Self {
        Self { first, rest, current: AtomicUsize::new(0) }
    }

    /// Returns the model at a place in the order, and whether another follows.
    fn at(&self, place: usize) -> (&Arc<dyn Model>, bool) {
        let model = place.checked_sub(1).and_then(|place| self.rest.get(place)).unwrap_or(&self.first);
        (model, place < self.rest.len())
    }
}

#[async_trait]
impl Model for Successors {
    fn identity(&self) -> ModelIdentity {
        self.at(self.current.load(Ordering::Relaxed)).0.identity()
    }

    async fn stream(
        &self,
        request: ModelRequest<'_>,
    ) -> Result<BoxStream<'static, Result<ModelEvent, ModelError>>, ModelError> {
        let mut place = self.current.load(Ordering::Relaxed);
        loop {
            let (model, has_next) = self.at(place);
            match model.stream(request).await {
                Err(error) if error.kind == ModelErrorKind::NotFound && has_next => {
                    place += 1;
                    self.current.fetch_max(place, Ordering::Relaxed);
                    let (gone, next) = (model.identity().model, self.identity().model);
                    tracing::warn!(model.name = %gone, model.next = %next, "the provider has no model `{gone}` any more");
                }
                outcome => return outcome,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt, stream};

    use super::*;
    use crate::domain::{ConversationId, Finish, ToolChoice};

    /// A model that is there or not.
    struct Fake(&'static str, Option<ModelErrorKind>);

    #[async_trait]
    impl Model for Fake {
        fn identity(&self) -> ModelIdentity {
            ModelIdentity { provider: "groq".into(), model: self.0.into() }
        }

        async fn stream(
            &self,
            _request: ModelRequest<'_>,
        ) -> Result<BoxStream<'static, Result<ModelEvent, ModelError>>, ModelError> {
            match self.1 {
                Some(kind) => Err(ModelError::new(kind, self.0)),
                None => Ok(stream::iter([Ok(ModelEvent::Finished(Finish::Stop))]).boxed()),
            }
        }
    }

    async fn ask(first: Fake, second: Fake) -> (Option<ModelErrorKind>, String) {
        let models = Successors::new(Arc::new(first), vec![Arc::new(second)]);
        let request = ModelRequest {
            instructions: "",
            history: &[],
            tools: &[],
            tool_choice: ToolChoice::Auto,
            conversation_id: ConversationId::new(),
        };
        let failure = models.stream(request).await.err().map(|error| error.kind);
        (failure, models.identity().model)
    }

    #[tokio::test]
    async fn a_model_that_is_gone_is_followed_by_its_successor() {
        let gone = Fake("old", Some(ModelErrorKind::NotFound));
        assert_eq!(ask(gone, Fake("new", None)).await, (None, "new".into()));
    }

    #[tokio::test]
    async fn any_other_failure_stays_with_the_model() {
        let busy = Fake("old", Some(ModelErrorKind::RateLimited));
        assert_eq!(ask(busy, Fake("new", None)).await, (Some(ModelErrorKind::RateLimited), "old".into()));
    }

    #[tokio::test]
    async fn the_last_one_has_no_successor() {
        let (gone, too) =
            (Fake("old", Some(ModelErrorKind::NotFound)), Fake("new", Some(ModelErrorKind::NotFound)));
        assert_eq!(ask(gone, too).await, (Some(ModelErrorKind::NotFound), "new".into()));
    }
}
