//! A model that is asked again when it fails before anything could be seen, and left alone when it keeps failing.
//!
//! - `opening`: the beginning of a reply, with a limit on every wait
//! - `pause`: whether and when to try again
//! - `breaker`: when to stop asking at all

mod breaker;
mod opening;
mod pause;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::{StreamExt, stream, stream::BoxStream};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use breaker::{Breaker, Outcome, Ticket};
use opening::{Opening, Reply, count, open};

pub use opening::Patience;

use crate::domain::{Model, ModelError, ModelErrorKind, ModelEvent, ModelIdentity, ModelRequest};

/// A model and how it is asked. Once something of a reply could be seen the call is never made again.
pub struct Attempts {
    model: Arc<dyn Model>,
    patience: Patience,
    retries: u32,
    breaker: Arc<Mutex<Breaker>>,
}

impl Attempts {
    /// Asks `model` with this much patience, and at most `retries` times more after a failure.
    pub fn new(model: Arc<dyn Model>, patience: Patience, retries: u32) -> Self {
        Self { model, patience, retries, breaker: Arc::default() }
    }

    fn with<T>(&self, work: impl FnOnce(&mut Breaker) -> T) -> T {
        work(&mut self.breaker.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks once, if the breaker lets it.
    async fn attempt(&self, request: ModelRequest<'_>) -> Opening {
        let ticket = match self.with(|breaker| breaker.enter(Instant::now())) {
            Ok(ticket) => ticket,
            Err(wait) => return Opening::Failed { error: closed(wait), unheard: Vec::new() },
        };
        let opened = open(self.model.as_ref(), request, self.patience).await;
        let outcome = match &opened {
            Opening::Begun(_) | Opening::Empty(_) => Outcome::Answered,
            Opening::Failed { error, .. } => blame(error.kind),
        };
        self.with(|breaker| breaker.note(ticket, outcome, Instant::now()));
        match opened {
            Opening::Begun(reply) => Opening::Begun(self.watched(reply, ticket)),
            Opening::Empty(_) | Opening::Failed { .. } => opened,
        }
    }

    /// Says how long to wait before the next attempt, if there is to be one. Nobody waits for a model that rests.
    fn next_pause(&self, error: &ModelError, made: u32) -> Option<Duration> {
        if self.closed_for().is_some() {
            return None;
        }
        let pause = pause::pause(error, made, self.retries, luck())?;
        if !self.with(Breaker::pay_for_retry) {
            tracing::warn!(
                error = error as &dyn std::error::Error,
                "too many calls fail to try this one again"
            );
            return None;
        }
        let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        tracing::warn!(
            error = error as &dyn std::error::Error,
            attempt = made,
            pause_ms,
            "asking the model again"
        );
        Some(pause)
    }

    /// Reports a reply that breaks off later to the breaker.
    fn watched(&self, reply: Reply, ticket: Ticket) -> Reply {
        let breaker = Arc::clone(&self.breaker);
        let watched = reply.inspect(move |event| {
            if let Err(error) = event {
                let mut breaker = breaker.lock().unwrap_or_else(PoisonError::into_inner);
                if blame(error.kind) == Outcome::Failed {
                    breaker.note_broken_off(ticket, Instant::now());
                }
            }
        });
        watched.boxed()
    }
}

#[async_trait]
impl Model for Attempts {
    fn identity(&self) -> ModelIdentity {
        self.model.identity()
    }

    fn context_window(&self) -> Option<usize> {
        self.model.context_window()
    }

    fn names(&self) -> Vec<ModelIdentity> {
        self.model.names()
    }

    fn closed_for(&self) -> Option<Duration> {
        self.with(|breaker| breaker.wait(Instant::now()))
    }

    async fn stream(
        &self,
        request: ModelRequest<'_>,
    ) -> Result<BoxStream<'static, Result<ModelEvent, ModelError>>, ModelError> {
        let mut made = 1;
        loop {
            let (failure, told) = match self.attempt(request).await {
                Opening::Begun(reply) => return Ok(reply),
                Opening::Empty(events) => {
                    (ModelError::new(ModelErrorKind::MalformedReply, "an empty reply"), Ok(events))
                }
                Opening::Failed { error, unheard } => (error, Err(unheard)),
            };
            match (self.next_pause(&failure, made), told) {
                (Some(pause), told) => {
                    count(request.meter, told.unwrap_or_else(|unheard| unheard));
                    request.asker.waits(pause);
                    sleep(pause).await;
                    made += 1;
                }
                (None, Ok(events)) => return Ok(stream::iter(events.into_iter().map(Ok)).boxed()),
                (None, Err(unheard)) => {
                    count(request.meter, unheard);
                    return Err(failure);
                }
            }
        }
    }
}

/// Tells whether a failure speaks against the model or provider rather than against the request.
const fn blame(kind: ModelErrorKind) -> Outcome {
    match kind {
        ModelErrorKind::RateLimited
        | ModelErrorKind::Upstream
        | ModelErrorKind::Timeout
        | ModelErrorKind::StreamLost => Outcome::Failed,
        ModelErrorKind::Auth
        | ModelErrorKind::Quota
        | ModelErrorKind::NotFound
        | ModelErrorKind::ContextOverflow
        | ModelErrorKind::ContentFiltered
        | ModelErrorKind::InvalidRequest
        | ModelErrorKind::MalformedReply => Outcome::Answered,
    }
}

fn closed(wait: Duration) -> ModelError {
    let detail = "too many of the latest calls have failed; it is left alone for a while";
    ModelError { retry_after: Some(wait), ..ModelError::new(ModelErrorKind::Upstream, detail) }
}

/// Rolls a number from 0 to 1, from the random bits of a UUID.
fn luck() -> f64 {
    let [.., a, b, c, d] = Uuid::now_v7().into_bytes();
    f64::from(u32::from_be_bytes([a, b, c, d])) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{Finish, Meter, Usage},
        model::{
            Fallbacks,
            fake::{Alone, Fake, ask, ask_as, ask_on, nothing, word},
        },
    };

    const RETRIES: u32 = 2;

    const PATIENCE: Patience =
        Patience { first_token: Duration::from_secs(60), idle: Duration::from_secs(60) };

    fn attempts(outcomes: impl IntoIterator<Item = crate::model::fake::Outcome>) -> (Arc<Fake>, Attempts) {
        let model = Arc::new(Fake::new("m", outcomes));
        (Arc::clone(&model), Attempts::new(model, PATIENCE, RETRIES))
    }

    #[tokio::test(start_paused = true)]
    async fn what_fails_before_its_first_word_is_asked_again_and_told_once() {
        let (model, attempts) = attempts([
            Err(ModelErrorKind::RateLimited),
            Ok(vec![Err(ModelErrorKind::Upstream)]),
            word("hello"),
        ]);
        let events = ask(&attempts).await.unwrap();
        assert_eq!(events.iter().filter(|event| matches!(event, ModelEvent::Text(_))).count(), 1);
        assert_eq!(model.calls(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn after_two_retries_the_failure_is_told() {
        let (model, attempts) = attempts([Err(ModelErrorKind::Upstream)]);
        assert_eq!(ask(&attempts).await, Err(ModelErrorKind::Upstream));
        assert_eq!(model.calls(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn what_fails_after_its_first_word_or_piece_of_a_call_is_never_asked_again() {
        for first in [ModelEvent::Text("he".into()), ModelEvent::CallBegun] {
            let broken = Ok(vec![Ok(first), Err(ModelErrorKind::StreamLost)]);
            let (model, attempts) = attempts([broken, word("hello")]);
            assert_eq!(ask(&attempts).await, Err(ModelErrorKind::StreamLost));
            assert_eq!(model.calls(), 1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_empty_reply_is_asked_for_once_more_and_its_cost_counts() {
        let ((model, attempts), meter) = (attempts([nothing(), word("hello")]), Meter::default());
        let events = ask_on(&meter, &attempts).await.unwrap();
        assert_eq!(events.iter().filter(|event| matches!(event, ModelEvent::Usage(_))).count(), 1);
        assert_eq!((model.calls(), meter.take().model_calls), (2, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn what_failing_calls_cost_counts_though_none_of_them_is_heard() {
        let usage = Usage { input_tokens: 1, model_calls: 1, ..Usage::default() };
        let broken = Ok(vec![Ok(ModelEvent::Usage(usage)), Err(ModelErrorKind::StreamLost)]);
        let ((model, attempts), meter) = (attempts([broken]), Meter::default());
        assert_eq!(ask_on(&meter, &attempts).await, Err(ModelErrorKind::StreamLost));
        assert_eq!((model.calls(), meter.take().model_calls), (3, 3));
    }

    #[tokio::test(start_paused = true)]
    async fn a_model_that_has_nothing_to_say_twice_is_taken_at_its_word() {
        let (model, attempts) = attempts([nothing()]);
        let events = ask(&attempts).await.unwrap();
        assert_eq!(events.last(), Some(&ModelEvent::Finished(Finish::Stop)));
        assert_eq!((events.len(), model.calls()), (2, 2), "the first one is on the meter");
    }

    #[tokio::test(start_paused = true)]
    async fn the_pause_that_the_provider_asks_for_is_kept() {
        let mut model = Fake::new("m", [Err(ModelErrorKind::RateLimited), word("hello")]);
        model.retry_after = Some(Duration::from_secs(7));
        let (begun, asker) = (Instant::now(), Alone::default());
        let attempts = Attempts::new(Arc::new(model), PATIENCE, RETRIES);
        ask_as(&asker, &Meter::default(), &attempts).await.unwrap();
        assert_eq!(begun.elapsed(), Duration::from_secs(7));
        assert_eq!(*asker.pauses.lock().unwrap(), [Duration::from_secs(7)], "whoever asks hears of it");
    }

    #[tokio::test(start_paused = true)]
    async fn a_model_that_keeps_failing_is_left_alone_and_answers_again_after_its_rest() {
        let failures = std::iter::repeat_n(Err(ModelErrorKind::Upstream), 20);
        let model = Arc::new(Fake::new("m", failures.chain([word("hello")])));
        let attempts = Attempts::new(Arc::clone(&model) as Arc<dyn Model>, PATIENCE, 0);
        for _ in 0..20 {
            assert_eq!(ask(&attempts).await, Err(ModelErrorKind::Upstream));
        }
        let begun = Instant::now();
        assert_eq!(ask(&attempts).await, Err(ModelErrorKind::Upstream));
        assert_eq!((model.calls(), begun.elapsed()), (20, Duration::ZERO));
        sleep(attempts.closed_for().unwrap()).await;
        assert!(ask(&attempts).await.is_ok());
        assert_eq!(attempts.closed_for(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_model_that_rests_is_not_waited_for_and_another_answers_at_once() {
        let usual = Arc::new(Fake::failing("usual", ModelErrorKind::Timeout));
        let usual: Arc<dyn Model> = Arc::new(Attempts::new(usual, PATIENCE, RETRIES));
        let models = Fallbacks::new(Arc::clone(&usual), vec![Arc::new(Fake::saying("other", "hello"))]);
        for _ in 0..20 {
            assert!(ask(&models).await.is_ok());
        }
        assert!(usual.closed_for().is_some());
        let begun = Instant::now();
        assert!(ask(&models).await.is_ok());
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn replies_that_break_off_speak_against_the_model_too() {
        let broken = Ok(vec![Ok(ModelEvent::Text("he".into())), Err(ModelErrorKind::StreamLost)]);
        let (_, attempts) = attempts([broken]);
        for _ in 0..20 {
            assert_eq!(ask(&attempts).await, Err(ModelErrorKind::StreamLost));
        }
        assert!(attempts.closed_for().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn refused_requests_do_not_speak_against_the_model() {
        let (_, attempts) = attempts([Err(ModelErrorKind::InvalidRequest)]);
        for _ in 0..40 {
            assert_eq!(ask(&attempts).await, Err(ModelErrorKind::InvalidRequest));
        }
        assert_eq!(attempts.closed_for(), None);
    }
}
