//! The scribe of one run: stores each step, then tells it. Event ids are given here and nowhere else.
//!
//! A step is stored and told on a task of its own. Whoever waits for it may go away, when the run is interrupted or its
//! time is over; the end of the run then waits for the step, and never for half of one.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::live::Live;
use crate::{
    clock::Clock,
    domain::{Event, EventId, ItemId, NoticeCode, Reply, Scribe, ScribeError, ToolCall, ToolResult, Usage},
    shutdown::Shutdown,
    store::{Hold, Partial, Store, StoreError},
};

/// Writes down what one attempt of a run does. Cloning is cheap.
#[derive(Clone)]
pub(super) struct Recorder(Arc<Inner>);

struct Inner {
    store: Store,
    clock: Clock,
    shutdown: Shutdown,
    hold: Hold,
    live: Arc<Live>,
    started_at: DateTime<Utc>,
    state: Mutex<State>,
    /// Held by the step that is being stored and told.
    step: Arc<tokio::sync::Mutex<()>>,
}

/// What the recorder remembers between two steps.
struct State {
    next: EventId,
    last_stored: EventId,
    partial: Option<Partial>,
    saved_bytes: usize,
    asked_by: ItemId,
    noticed: Vec<NoticeCode>,
    usage: Usage,
    tool_calls: u64,
    first_delta_at: Option<DateTime<Utc>>,
}

/// What is known of a run when its agent has stopped.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) next_event: EventId,
    pub(super) partial: Option<Partial>,
    pub(super) usage: Usage,
    pub(super) tool_calls: u64,
    pub(super) started_at: DateTime<Utc>,
    pub(super) first_delta_at: Option<DateTime<Utc>>,
}

impl Recorder {
    pub(super) fn new(store: Store, clock: Clock, shutdown: Shutdown, hold: Hold, live: Arc<Live>) -> Self {
        let state = State {
            next: EventId::first_of(hold.attempt),
            last_stored: EventId::first_of(hold.attempt),
            partial: None,
            saved_bytes: 0,
            asked_by: ItemId::new(),
            noticed: Vec::new(),
            usage: Usage::default(),
            tool_calls: 0,
            first_delta_at: None,
        };
        let (started_at, step) = (clock.now(), Arc::default());
        Self(Arc::new(Inner {
            store,
            clock,
            shutdown,
            hold,
            live,
            started_at,
            state: Mutex::new(state),
            step,
        }))
    }

    pub(super) fn hold(&self) -> &Hold {
        &self.0.hold
    }

    /// Tells an event that is stored already, or never will be.
    pub(super) fn tell(&self, event: Event) {
        self.0.tell(event);
    }

    /// Waits for the step that is under way, if there is one, and returns what is known then.
    pub(super) async fn account(&self) -> Account {
        let _step = self.0.step.lock().await;
        self.0.with(|state| Account {
            next_event: state.next,
            partial: state.partial.clone(),
            usage: state.usage,
            tool_calls: state.tool_calls,
            started_at: self.0.started_at,
            first_delta_at: state.first_delta_at,
        })
    }

    /// Saves the text of the message being written, if there is more of it than was saved.
    pub(super) async fn checkpoint(&self) -> Result<(), StoreError> {
        let unsaved = self.0.with(|state| {
            let grown = state.partial.as_ref().filter(|partial| partial.text.len() > state.saved_bytes)?;
            Some((grown.clone(), state.last_stored, state.first_delta_at))
        });
        let Some((partial, last_stored, first_delta_at)) = unsaved else { return Ok(()) };
        let bytes = partial.text.len();
        self.0.store.checkpoint(&self.0.hold, last_stored, partial, first_delta_at).await?;
        self.0.with(|state| state.saved_bytes = bytes);
        Ok(())
    }

    /// Stores and tells one step, whether or not anybody still waits for it. The step counts as under way before its
    /// task exists, so the end of the run cannot slip in between.
    async fn step<F>(&self, step: impl FnOnce(Arc<Inner>) -> F + Send) -> Result<(), ScribeError>
    where
        F: Future<Output = Result<(), StoreError>> + Send + 'static,
    {
        let under_way = Arc::clone(&self.0.step).lock_owned().await;
        let work = step(Arc::clone(&self.0));
        let written = self.0.shutdown.spawn_run(async move {
            let done = work.await;
            drop(under_way);
            done
        });
        match written.await {
            Ok(done) => Ok(done?),
            Err(died) => Err(ScribeError::Unavailable(died.into())),
        }
    }
}

impl Inner {
    fn tell(&self, event: Event) {
        let id = self.with(State::take_id);
        self.live.push(id, event);
    }

    /// Tells the event of a step that was stored under the next id.
    fn tell_stored(&self, event: Event) {
        self.with(|state| state.last_stored = state.next);
        self.tell(event);
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn reply(&self, message: ItemId, reply: Reply) -> Result<(), StoreError> {
        let (text, incomplete) = (reply.text.clone(), reply.incomplete);
        // A reply without text has nothing to tell; it is stored under the id of the newest event.
        let (event, usage) =
            self.with(|state| (if text.is_empty() { state.next.plus(-1) } else { state.next }, state.usage));
        self.store.record_reply(&self.hold, event, message, reply, usage).await?;
        self.with(|state| {
            state.last_stored = event;
            state.partial = None;
            state.asked_by = message;
        });
        if !text.is_empty() {
            self.tell_stored(Event::MessageCompleted { message_id: message, content: text, incomplete });
        }
        Ok(())
    }

    async fn call_started(&self, call: ToolCall) -> Result<(), StoreError> {
        let (event, message_id) = self.with(|state| (state.next, state.asked_by));
        self.store.start_call(&self.hold, event, call.id).await?;
        self.with(|state| state.tool_calls += 1);
        self.tell_stored(Event::ToolStarted { message_id, call });
        Ok(())
    }

    async fn call_ended(&self, result: ToolResult) -> Result<(), StoreError> {
        let (event, message_id) = self.with(|state| (state.next, state.asked_by));
        self.store.settle_call(&self.hold, event, result.clone()).await?;
        self.tell_stored(Event::ToolCompleted { message_id, result });
        Ok(())
    }
}

impl State {
    fn take_id(&mut self) -> EventId {
        let id = self.next;
        self.next = id.next();
        id
    }
}

#[async_trait]
impl Scribe for Recorder {
    fn delta(&self, message: ItemId, text: &str) {
        if text.is_empty() {
            return;
        }
        let now = self.0.clock.now();
        let id = self.0.with(|state| {
            state.first_delta_at.get_or_insert(now);
            match &mut state.partial {
                Some(partial) if partial.message == message => partial.text.push_str(text),
                other => {
                    *other = Some(Partial { message, text: text.into() });
                    state.saved_bytes = 0;
                }
            }
            state.take_id()
        });
        self.0.live.push_delta(id, message, text);
    }

    fn notice(&self, code: NoticeCode) {
        let is_new = self.0.with(|state| {
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

    fn spent(&self, usage: Usage) {
        self.0.with(|state| state.usage.add(usage));
    }

    async fn reply(&self, message: ItemId, reply: &Reply) -> Result<(), ScribeError> {
        let reply = reply.clone();
        self.step(|inner| async move { inner.reply(message, reply).await }).await
    }

    async fn call_started(&self, call: &ToolCall) -> Result<(), ScribeError> {
        let call = call.clone();
        self.step(|inner| async move { inner.call_started(call).await }).await
    }

    async fn call_ended(&self, result: &ToolResult) -> Result<(), ScribeError> {
        let result = result.clone();
        self.step(|inner| async move { inner.call_ended(result).await }).await
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
