//! A model for the tests of this room: it says a word or fails, time after time as the test wrote it down.

use std::{
    borrow::Cow,
    collections::VecDeque,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures_util::{StreamExt, stream, stream::BoxStream};

use crate::domain::{
    Asker, ConversationId, Finish, Item, Meter, Model, ModelError, ModelErrorKind, ModelEvent, ModelIdentity,
    ModelRequest, ToolChoice, Usage,
};

/// What one call comes to.
pub(super) type Outcome = Result<Vec<Result<ModelEvent, ModelErrorKind>>, ModelErrorKind>;

/// The model. Its last outcome goes on for ever.
pub(super) struct Fake {
    name: &'static str,
    outcomes: Mutex<VecDeque<Outcome>>,
    closed_for: Option<Duration>,
    window: AtomicUsize,
    sent: Mutex<Vec<usize>>,
    calls: AtomicUsize,
    pub(super) retry_after: Option<Duration>,
}

/// Returns a whole reply of one word.
pub(super) fn word(text: &str) -> Outcome {
    let usage = Usage { input_tokens: 1, model_calls: 1, ..Usage::default() };
    let events =
        [ModelEvent::Text(text.into()), ModelEvent::Usage(usage), ModelEvent::Finished(Finish::Stop)];
    Ok(events.into_iter().map(Ok).collect())
}

/// Returns a whole reply without a word.
pub(super) fn nothing() -> Outcome {
    let usage = Usage { input_tokens: 1, model_calls: 1, ..Usage::default() };
    Ok(vec![Ok(ModelEvent::Usage(usage)), Ok(ModelEvent::Finished(Finish::Stop))])
}

impl Fake {
    pub(super) fn new(name: &'static str, outcomes: impl IntoIterator<Item = Outcome>) -> Self {
        let outcomes = Mutex::new(outcomes.into_iter().collect());
        let (window, sent, calls) = Default::default();
        Self { name, outcomes, closed_for: None, window, sent, calls, retry_after: None }
    }

    pub(super) fn saying(name: &'static str, text: &str) -> Self {
        Self::new(name, [word(text)])
    }

    pub(super) fn failing(name: &'static str, kind: ModelErrorKind) -> Self {
        Self::new(name, [Err(kind)])
    }

    pub(super) fn closed_for(self, wait: Duration) -> Self {
        Self { closed_for: Some(wait).filter(|wait| !wait.is_zero()), ..self }
    }

    /// Has the model say that it takes only so many items. One that does not say so says it when it was sent too many.
    pub(super) fn taking(self, items: usize) -> Self {
        Self { window: AtomicUsize::new(items), ..self }
    }

    /// Returns how many items of history it was sent each time.
    pub(super) fn sent(&self) -> Vec<usize> {
        self.sent.lock().unwrap().clone()
    }

    /// Returns how often it was asked.
    pub(super) fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    fn next_outcome(&self) -> Outcome {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let mut outcomes = self.outcomes.lock().unwrap();
        if outcomes.len() > 1 { outcomes.pop_front().unwrap() } else { outcomes.front().unwrap().clone() }
    }
}

#[async_trait]
impl Model for Fake {
    fn identity(&self) -> ModelIdentity {
        ModelIdentity { provider: "fake".into(), model: self.name.into() }
    }

    fn context_window(&self) -> Option<usize> {
        Some(self.window.load(Ordering::Relaxed)).filter(|window| *window > 0)
    }

    fn closed_for(&self) -> Option<Duration> {
        self.closed_for
    }

    async fn stream(
        &self,
        request: ModelRequest<'_>,
    ) -> Result<BoxStream<'static, Result<ModelEvent, ModelError>>, ModelError> {
        self.sent.lock().unwrap().push(request.history.len());
        let retry_after = self.retry_after;
        let failed = move |kind| ModelError { retry_after, ..ModelError::new(kind, "fake") };
        let outcome = self.next_outcome();
        if outcome == Err(ModelErrorKind::ContextOverflow) {
            self.window.store((request.history.len() / 2).max(1), Ordering::Relaxed);
        }
        let events = outcome.map_err(failed)?;
        Ok(stream::iter(events.into_iter().map(move |event| event.map_err(failed))).boxed())
    }
}

/// Asks a model and returns all it says, or the kind of its first failure.
pub(super) async fn ask(model: &dyn Model) -> Result<Vec<ModelEvent>, ModelErrorKind> {
    ask_on(&Meter::default(), model).await
}

/// Does the same with a meter of the test's own.
pub(super) async fn ask_on(meter: &Meter, model: &dyn Model) -> Result<Vec<ModelEvent>, ModelErrorKind> {
    ask_as(&Alone::default(), meter, model).await
}

/// Does the same as somebody of the test's own.
pub(super) async fn ask_as(
    asker: &dyn Asker,
    meter: &Meter,
    model: &dyn Model,
) -> Result<Vec<ModelEvent>, ModelErrorKind> {
    let request = ModelRequest {
        instructions: "",
        history: &[],
        transcript: None,
        tools: &[],
        tool_choice: ToolChoice::Auto,
        conversation_id: ConversationId::new(),
        meter,
        asker,
    };
    let reply = model.stream(request).await.map_err(|error| error.kind)?;
    let events: Vec<_> = reply.collect().await;
    events.into_iter().map(|event| event.map_err(|error| error.kind)).collect()
}

/// Somebody who asks: hears of pauses, and has a history of as many items as the model takes tokens.
#[derive(Debug, Default)]
pub(super) struct Alone {
    pub(super) pauses: Mutex<Vec<Duration>>,
    pub(super) history: Vec<Item>,
}

impl Asker for Alone {
    fn waits(&self, pause: Duration) {
        self.pauses.lock().unwrap().push(pause);
    }

    fn fitting(&self, model: &dyn Model) -> Cow<'_, [Item]> {
        let fits = model.context_window().unwrap_or(usize::MAX).min(self.history.len());
        Cow::Borrowed(&self.history[self.history.len() - fits..])
    }
}

/// Somebody who asks and has nothing to say.
pub(super) static ALONE: Alone = Alone { pauses: Mutex::new(Vec::new()), history: Vec::new() };
