//! A default model and those that come after it: providers shut models down, and a service that named none should not
//! stop for that. A model that the operator named is never replaced; it does not come here.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures_util::{StreamExt, stream, stream::BoxStream};

use crate::domain::{Model, ModelError, ModelErrorKind, ModelEvent, ModelIdentity, ModelRequest, NoticeCode};

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

    fn names(&self) -> Vec<ModelIdentity> {
        let all = std::iter::once(&self.first).chain(&self.rest);
        std::iter::once(self.identity()).chain(all.map(|model| model.identity())).collect()
    }

    fn context_window(&self) -> Option<usize> {
        self.at(self.current.load(Ordering::Relaxed)).0.context_window()
    }

    fn closed_for(&self) -> Option<Duration> {
        self.at(self.current.load(Ordering::Relaxed)).0.closed_for()
    }

    async fn stream(
        &self,
        request: ModelRequest<'_>,
    ) -> Result<BoxStream<'static, Result<ModelEvent, ModelError>>, ModelError> {
        let first = self.current.load(Ordering::Relaxed);
        let mut place = first;
        loop {
            let (model, has_next) = self.at(place);
            let fitting = (place > first).then(|| request.asker.fitting(model.as_ref()));
            let asked = fitting.as_deref().map_or(request, |fitting| request.about(fitting));
            match model.stream(asked).await {
                Err(error) if error.kind == ModelErrorKind::NotFound && has_next => {
                    place += 1;
                    let (gone, next) = (model.identity().model, self.at(place).0.identity().model);
                    tracing::warn!(model.name = %gone, model.next = %next, "the provider has no model `{gone}` any more");
                }
                Ok(reply) if place > first => {
                    self.current.fetch_max(place, Ordering::Relaxed);
                    let by = model.identity();
                    let replaced = ModelEvent::Replaced { by, notice: NoticeCode::ModelFallback };
                    return Ok(stream::iter([Ok(replaced)]).chain(reply).boxed());
                }
                outcome => return outcome,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{Item, Meter, Reply},
        model::fake::{Alone, Fake, ask, ask_as, word},
    };

    fn successors(first: Fake, second: Fake) -> Successors {
        Successors::new(Arc::new(first), vec![Arc::new(second)])
    }

    #[tokio::test]
    async fn a_model_that_is_gone_is_followed_by_its_successor_which_is_told_once() {
        let models =
            successors(Fake::failing("old", ModelErrorKind::NotFound), Fake::new("new", [word("hi")]));
        let events = ask(&models).await.unwrap();
        let by = ModelIdentity { provider: "fake".into(), model: "new".into() };
        let replaced = ModelEvent::Replaced { by, notice: NoticeCode::ModelFallback };
        assert_eq!(events[..2], [replaced, ModelEvent::Text("hi".into())]);
        assert_eq!(models.identity().model, "new");
        assert_eq!(ask(&models).await.unwrap()[0], ModelEvent::Text("hi".into()));
    }

    #[tokio::test]
    async fn a_successor_is_sent_what_it_takes() {
        let (gone, next) =
            (Fake::failing("old", ModelErrorKind::NotFound), Fake::saying("new", "hi").taking(3));
        let next = Arc::new(next);
        let models = Successors::new(Arc::new(gone), vec![Arc::clone(&next) as Arc<dyn Model>]);
        let history = vec![Item::Assistant(Reply::of_text("a")); 8];
        let asker = Alone { history, ..Alone::default() };
        ask_as(&asker, &Meter::default(), &models).await.unwrap();
        assert_eq!(next.sent(), [3]);
    }

    #[tokio::test]
    async fn any_other_failure_stays_with_the_model() {
        let models = successors(Fake::failing("old", ModelErrorKind::RateLimited), Fake::saying("new", "hi"));
        assert_eq!(ask(&models).await, Err(ModelErrorKind::RateLimited));
        assert_eq!(models.identity().model, "old");
    }

    #[tokio::test]
    async fn the_last_one_has_no_successor() {
        let gone = |name| Fake::failing(name, ModelErrorKind::NotFound);
        let models = successors(gone("old"), gone("new"));
        assert_eq!(ask(&models).await, Err(ModelErrorKind::NotFound));
        assert_eq!(models.identity().model, "old");
    }

    #[test]
    fn they_answer_to_all_their_names() {
        let names = successors(Fake::saying("old", "hi"), Fake::saying("new", "hi")).names();
        assert_eq!(names.iter().map(|name| name.model.as_str()).collect::<Vec<_>>(), ["old", "old", "new"]);
    }
}
