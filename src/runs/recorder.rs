//! The scribe of one run: stores each step, then tells it. Event ids are given here and nowhere else.
//!
//! A step may be cut short between the two, when the run is interrupted or its time is over. The end of the run finds
//! what was stored and tells it.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{
    acceptance::{Acceptance, created},
    live::Live,
    log::Voice,
    memory::{Beginning, State, Told},
};
use crate::{
    clock::Clock,
    domain::{
        Event, EventId, ItemId, ModelIdentity, NoticeCode, Reply, Scribe, ScribeError, ToolCall, ToolResult,
        Usage,
    },
    store::{Accepted, Hold, Partial, Store, StoreError},
};

/// Writes down what one attempt of a run does.
pub(super) struct Recorder {
    store: Store,
    clock: Clock,
    hold: Hold,
    live: Arc<Live>,
    model: ModelIdentity,
    from: Beginning,
    acceptance: Acceptance,
    state: Mutex<State>,
}

/// What is known of a run when its agent has stopped.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) next_event: EventId,
    pub(super) partial: Option<Partial>,
    pub(super) context_start: Option<i64>,
    pub(super) usage: Usage,
    pub(super) tool_calls: u64,
    pub(super) started_at: DateTime<Utc>,
    pub(super) first_delta_at: Option<DateTime<Utc>>,
    /// The model that answered, which may be another than the one that the run was accepted for.
    pub(super) model: ModelIdentity,
    /// How long the model asks to be left alone.
    pub(super) retry_after: Option<Duration>,
}

impl Recorder {
    pub(super) fn new(
        store: Store,
        clock: Clock,
        hold: Hold,
        live: Arc<Live>,
        model: ModelIdentity,
        from: Beginning,
        acceptance: Acceptance,
    ) -> Self {
        Self { store, clock, hold, live, model, from, acceptance, state: Mutex::new(State::at(from)) }
    }

    /// Holds back what is told from now on, until the run is accepted. The id of the event that tells so is kept free.
    pub(super) fn hold_back(&self) {
        self.with(State::hold_back);
        if self.model.provider == "demo" {
            self.notice(NoticeCode::DemoMode);
        }
    }

    /// Tells that the run is accepted, and all that was held back.
    pub(super) fn accepted(&self, accepted: &Accepted) {
        if let Some(held) = self.with(|state| state.held.take()) {
            self.live.push(self.from.next, created(&self.hold, &self.model, accepted));
            held.into_iter().for_each(|(id, told)| self.tell_now(id, told));
        }
        self.acceptance.was_passed_on();
    }

    /// Takes back what is held back still: the question was about another history than the one that was accepted, or it is
    /// not known. What it cost stays.
    pub(super) fn start_over(&self) {
        let is_held = self.with(|state| state.start_over(self.from));
        if is_held {
            self.hold_back();
        }
    }

    pub(super) const fn hold(&self) -> &Hold {
        &self.hold
    }

    /// Tells an event that is stored already, or never will be.
    pub(super) fn tell(&self, event: Event) {
        if let Some((id, told)) = self.with(|state| state.hold(Told::Event(event))) {
            self.tell_now(id, told);
        }
    }

    fn tell_delta(&self, voice: Voice, message: ItemId, text: &str) {
        let now = self.with(|state| match state.held {
            Some(_) => {
                state.hold(Told::Delta(voice, message, text.to_owned()));
                None
            }
            None => Some(state.take_id()),
        });
        if let Some(id) = now {
            self.live.push_delta(id, voice, message, text);
        }
    }

    fn tell_now(&self, id: EventId, told: Told) {
        match told {
            Told::Event(event) => self.live.push(id, event),
            Told::Delta(voice, message, text) => self.live.push_delta(id, voice, message, &text),
        }
    }

    /// Goes on once the run is accepted, and with the history that it works on: whoever waits for that word as well drops this
    /// work, or tells what was held back, before it is asked to go on again.
    async fn is_free_to_act(&self) -> Result<(), StoreError> {
        self.acceptance.is_given().await?;
        while self.with(|state| state.held.is_some()) {
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Returns what is known so far.
    pub(super) fn account(&self) -> Account {
        self.with(|state| Account {
            next_event: state.next,
            partial: state.partial.clone(),
            context_start: state.context_start,
            usage: state.usage,
            tool_calls: state.tool_calls,
            started_at: self.from.started_at,
            first_delta_at: state.first_delta_at,
            model: state.answered_by.as_ref().unwrap_or(&self.model).clone(),
            retry_after: state.retry_after,
        })
    }

    /// Saves the text of the message being written, if there is more of it than was saved.
    pub(super) async fn checkpoint(&self) -> Result<(), StoreError> {
        let unsaved = self.with(|state| {
            if state.held.is_some() {
                return None;
            }
            let grown = state.partial.as_ref().filter(|partial| partial.text.len() > state.saved_bytes)?;
            Some((grown.clone(), state.last_stored, state.first_delta_at))
        });
        let Some((partial, last_stored, first_delta_at)) = unsaved else { return Ok(()) };
        let (message, bytes) = (partial.message, partial.text.len());
        self.store.checkpoint(&self.hold, last_stored, partial, first_delta_at).await?;
        self.with(|state| {
            if state.partial.as_ref().is_some_and(|partial| partial.message == message) {
                state.saved_bytes = bytes;
            }
        });
        Ok(())
    }

    /// Tells the event of a step that was stored under the next id.
    fn tell_stored(&self, event: Event) {
        self.with(|state| state.last_stored = state.next);
        self.tell(event);
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn store_reply(&self, message: ItemId, reply: &Reply) -> Result<(), StoreError> {
        let (text, incomplete) = (reply.text.clone(), reply.incomplete);
        // A reply without text has nothing to tell; it is stored under the id of the newest event.
        let (event, usage) =
            self.with(|state| (if text.is_empty() { state.next.plus(-1) } else { state.next }, state.usage));
        let next_message = ItemId::new();
        self.store.record_reply(&self.hold, event, message, reply.clone(), usage, next_message).await?;
        self.with(|state| {
            state.last_stored = event;
            state.message = next_message;
            state.partial = None;
            state.asked_by = message;
        });
        if !text.is_empty() {
            self.tell_stored(Event::MessageCompleted { message_id: message, content: text, incomplete });
        }
        Ok(())
    }

    async fn store_start(&self, call: &ToolCall) -> Result<(), StoreError> {
        let (event, message_id) = self.with(|state| (state.next, state.asked_by));
        self.store.start_call(&self.hold, event, call.id).await?;
        self.with(|state| state.tool_calls += 1);
        self.tell_stored(Event::ToolStarted { message_id, call: call.clone() });
        Ok(())
    }

    async fn store_answer(&self, result: &ToolResult) -> Result<(), StoreError> {
        let (event, message_id) = self.with(|state| (state.next, state.asked_by));
        self.store.settle_call(&self.hold, event, result.clone()).await?;
        self.tell_stored(Event::ToolCompleted { message_id, result: result.clone() });
        Ok(())
    }
}

#[async_trait]
impl Scribe for Recorder {
    fn next_message(&self) -> ItemId {
        self.with(|state| state.message)
    }

    fn delta(&self, message: ItemId, text: &str) {
        if text.is_empty() {
            return;
        }
        let now = self.clock.now();
        self.with(|state| {
            state.first_delta_at.get_or_insert(now);
            match &mut state.partial {
                Some(partial) if partial.message == message => partial.text.push_str(text),
                other => {
                    *other = Some(Partial { message, text: text.into() });
                    state.saved_bytes = 0;
                }
            }
        });
        self.tell_delta(Voice::Speech, message, text);
    }

    fn reasoning(&self, message: ItemId, text: &str) {
        if !text.is_empty() {
            self.tell_delta(Voice::Thought, message, text);
        }
    }

    fn notice(&self, code: NoticeCode) {
        let is_new = self.with(|state| {
            let is_new = !state.noticed.contains(&code);
            if is_new {
                state.noticed.push(code);
            }
            is_new
        });
        if is_new {
            self.tell(Event::Notice(code.notice()));
        }
    }

    fn context_starts(&self, position: i64) {
        self.with(|state| state.context_start = Some(position));
    }

    fn replaced(&self, by: &ModelIdentity, notice: NoticeCode) {
        self.with(|state| state.answered_by = Some(by.clone()));
        self.notice(notice);
    }

    fn spent(&self, usage: Usage) {
        self.with(|state| state.usage.add(usage));
    }

    fn asked_to_wait(&self, wait: Duration) {
        self.with(|state| state.retry_after = Some(wait));
    }

    async fn reply(&self, message: ItemId, reply: &Reply) -> Result<(), ScribeError> {
        self.is_free_to_act().await?;
        Ok(self.store_reply(message, reply).await?)
    }

    async fn call_started(&self, call: &ToolCall) -> Result<(), ScribeError> {
        self.is_free_to_act().await?;
        Ok(self.store_start(call).await?)
    }

    async fn call_ended(&self, result: &ToolResult) -> Result<(), ScribeError> {
        self.is_free_to_act().await?;
        Ok(self.store_answer(result).await?)
    }
}

impl From<StoreError> for ScribeError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Fenced => Self::Fenced,
            StoreError::Database(_) | StoreError::Corrupt { .. } => Self::Unavailable(error.into()),
        }
    }
}
