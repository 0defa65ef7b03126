//! The scribe of one run: stores each step, then tells it. Event ids are given here and nowhere else.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::live::Live;
use crate::{
    clock::Clock,
    domain::{
        Event, EventId, ItemId, Notice, NoticeCode, Reply, Scribe, ScribeError, ToolCall, ToolResult, Usage,
    },
    store::{Hold, Partial, Store, StoreError},
};

/// Writes down what one attempt of a run does.
pub(super) struct Recorder {
    store: Store,
    clock: Clock,
    hold: Hold,
    live: Arc<Live>,
    state: Mutex<State>,
}

/// What the recorder remembers between two steps.
#[derive(Clone, Debug)]
struct State {
    next: EventId,
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
    pub(super) first_delta_at: Option<DateTime<Utc>>,
}

impl Recorder {
    pub(super) fn new(store: Store, clock: Clock, hold: Hold, live: Arc<Live>) -> Self {
        let state = State {
            next: EventId::first_of(hold.attempt),
            partial: None,
            saved_bytes: 0,
            asked_by: ItemId::new(),
            noticed: Vec::new(),
            usage: Usage::default(),
            tool_calls: 0,
            first_delta_at: None,
        };
        Self { store, clock, hold, live, state: Mutex::new(state) }
    }

    pub(super) const fn hold(&self) -> &Hold {
        &self.hold
    }

    /// Tells an event that is stored already, or never will be.
    pub(super) fn tell(&self, event: Event) {
        let id = self.with(|state| state.take_id());
        self.live.push(id, event);
    }

    /// Returns what is known so far.
    pub(super) fn account(&self) -> Account {
        self.with(|state| Account {
            next_event: state.next,
            partial: state.partial.clone(),
            usage: state.usage,
            tool_calls: state.tool_calls,
            first_delta_at: state.first_delta_at,
        })
    }

    /// Saves the text of the message being written, if there is more of it than was saved.
    pub(super) async fn checkpoint(&self) -> Result<(), StoreError> {
        let unsaved = self.with(|state| {
            let grown = state.partial.as_ref().filter(|partial| partial.text.len() > state.saved_bytes)?;
            Some((grown.clone(), state.first_delta_at))
        });
        let Some((partial, first_delta_at)) = unsaved else { return Ok(()) };
        let bytes = partial.text.len();
        self.store.checkpoint(&self.hold, partial, first_delta_at).await?;
        self.with(|state| state.saved_bytes = bytes);
        Ok(())
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    fn take_id(&mut self) -> EventId {
        let id = self.next;
        self.next = id.next();
        id
    }

    /// Returns the id for a step that may have nothing to tell: its own, or that of the newest event.
    fn id_of_step(&self, is_told: IsTold) -> EventId {
        match is_told {
            IsTold::Yes => self.next,
            IsTold::No => self.next.plus(-1),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum IsTold {
    Yes,
    No,
}

#[async_trait]
impl Scribe for Recorder {
    fn delta(&self, message: ItemId, text: &str) {
        if text.is_empty() {
            return;
        }
        let now = self.clock.now();
        let id = self.with(|state| {
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
        self.live.push_delta(id, message, text);
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
            let notice: Notice = code.notice();
            self.tell(Event::Notice(notice));
        }
    }

    fn spent(&self, usage: Usage) {
        self.with(|state| state.usage.add(usage));
    }

    async fn reply(&self, message: ItemId, reply: &Reply) -> Result<(), ScribeError> {
        let is_told = if reply.text.is_empty() { IsTold::No } else { IsTold::Yes };
        let (event, usage) = self.with(|state| (state.id_of_step(is_told), state.usage));
        self.store.record_reply(&self.hold, event, message, reply.clone(), usage).await?;
        self.with(|state| {
            state.partial = None;
            state.asked_by = message;
        });
        if is_told == IsTold::Yes {
            let (content, incomplete) = (reply.text.clone(), reply.incomplete);
            self.tell(Event::MessageCompleted { message_id: message, content, incomplete });
        }
        Ok(())
    }

    async fn call_started(&self, call: &ToolCall) -> Result<(), ScribeError> {
        let (event, message_id) = self.with(|state| (state.next, state.asked_by));
        self.store.start_call(&self.hold, event, call.id).await?;
        self.with(|state| state.tool_calls += 1);
        self.tell(Event::ToolStarted { message_id, call: call.clone() });
        Ok(())
    }

    async fn call_ended(&self, result: &ToolResult) -> Result<(), ScribeError> {
        let (event, message_id) = self.with(|state| (state.next, state.asked_by));
        self.store.settle_call(&self.hold, event, result.clone()).await?;
        self.tell(Event::ToolCompleted { message_id, result: result.clone() });
        Ok(())
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
