//! A run as ChatKit shows it: events in, frames out. It remembers what is being shown, because the component wants an
//! item finished before the next one begins.

use std::mem;

use super::{
    calls::{Calls, Listing},
    events::{self, EventOut, Trouble, UpdateOut},
    key::ItemKey,
    shapes::{BodyOut, Indicator, ItemOut, TextOut, ThreadOut},
    thought::Thought,
};
use crate::domain::{
    CallStatus, Conversation, ConversationId, End, Event, ItemId, RunFailure, RunStatus, ToolCall, ToolResult,
};

/// The tools of the task list that change it.
const CHANGING: [&str; 5] = ["add_task", "complete_task", "delete_task", "update_task", "set_priority"];

/// How a stream begins.
#[derive(Clone, Debug)]
pub enum Opening {
    /// With a new thread and the message that made it.
    Created(ItemId, String),
    /// With a message in a thread; the title, if this message gave it one, is told too.
    Added(ItemId, String),
    /// With the answer alone: the component shows the message already.
    Again,
}

/// Renders one run.
#[derive(Debug)]
pub struct Render {
    thread: ConversationId,
    doing: Doing,
    /// The list that was shown last, while nothing stands behind it.
    listing: Option<Listing>,
    is_over: bool,
    has_asked_for_patience: bool,
}

/// What is being shown.
#[derive(Debug)]
enum Doing {
    Waiting,
    Thinking(Thought),
    Calling(Calls),
    Writing(ItemId, String),
    /// A message that so far only repeats the list before it, and is not shown.
    Repeating(ItemId, String),
}

impl Render {
    /// Starts rendering; returns the first frames too.
    pub fn open(conversation: &Conversation, opening: &Opening) -> (Self, String) {
        let (id, thread) = (conversation.id, ThreadOut::new(conversation));
        let echo = |message: &ItemId, text: &str| {
            done(ItemOut::new(id, ItemKey::Message(*message), BodyOut::said(text)))
        };
        let updated = EventOut::ThreadUpdated { thread: &thread }.frame();
        let frames = match opening {
            Opening::Created(message, text) => {
                let created = EventOut::ThreadCreated { thread: thread.clone().untitled() }.frame();
                [created, echo(message, text), events::options(), updated].concat()
            }
            Opening::Added(message, text) => [echo(message, text), events::options(), updated].concat(),
            Opening::Again => events::options(),
        };
        let doing = Doing::Waiting;
        (Self { thread: id, doing, listing: None, is_over: false, has_asked_for_patience: false }, frames)
    }

    /// Renders an event.
    pub fn render(&mut self, event: &Event) -> String {
        self.has_asked_for_patience = false;
        match event {
            Event::RunCreated { .. } => String::new(),
            Event::MessageDelta { message_id, delta } => self.write(*message_id, delta),
            Event::ReasoningDelta { message_id, delta } => self.think(*message_id, delta),
            Event::MessageCompleted { message_id, content, .. } => self.written(*message_id, content),
            Event::MessageDiscarded { message_id } => self.withdraw(*message_id),
            Event::ToolStarted { message_id, call } => self.begin(*message_id, call),
            Event::ToolCompleted { message_id, result } => self.settle(*message_id, result),
            Event::Notice(notice) => events::notice(notice),
            Event::Ended(end) => self.end(end),
        }
    }

    /// Renders that nothing was heard for a while: once it is said that we wait, then a comment keeps the line open.
    pub fn silence(&mut self) -> String {
        match self.doing {
            Doing::Waiting if !self.has_asked_for_patience => {
                self.has_asked_for_patience = true;
                EventOut::Progress { text: "Waiting for the AI service…" }.frame()
            }
            Doing::Waiting
            | Doing::Thinking(_)
            | Doing::Calling(_)
            | Doing::Writing(..)
            | Doing::Repeating(..) => crate::wire::HEARTBEAT.to_owned(),
        }
    }

    /// Renders that nothing more will be heard. A stream without its end must not look whole.
    pub fn close(&mut self) -> String {
        if mem::replace(&mut self.is_over, true) {
            return String::new();
        }
        let message = "The connection to this answer was lost. Reload to see how it ended.".to_owned();
        Trouble { message, allow_retry: false }.frame()
    }

    fn write(&mut self, message: ItemId, delta: &str) -> String {
        if let Doing::Writing(current, text) = &mut self.doing
            && *current == message
        {
            text.push_str(delta);
            let update = UpdateOut::TextDelta { content_index: 0, delta };
            return updated(ItemKey::Message(message), update);
        }
        let text = match &self.doing {
            Doing::Repeating(current, text) if *current == message => format!("{text}{delta}"),
            Doing::Waiting
            | Doing::Thinking(_)
            | Doing::Calling(_)
            | Doing::Writing(..)
            | Doing::Repeating(..) => delta.to_owned(),
        };
        let before = self.finish();
        if self.listing.as_ref().is_some_and(|listing| listing.covers(&text)) {
            self.doing = Doing::Repeating(message, text);
            return before;
        }
        let begun = self.begin_message(message);
        [before, begun, self.write(message, &text)].concat()
    }

    fn begin_message(&mut self, message: ItemId) -> String {
        let (key, body) = (ItemKey::Message(message), BodyOut::AssistantMessage { content: Vec::new() });
        let item = ItemOut::new(self.thread, key, body);
        let part = UpdateOut::PartAdded { content_index: 0, content: TextOut::new("") };
        self.doing = Doing::Writing(message, String::new());
        self.listing = None;
        [EventOut::Added { item }.frame(), updated(key, part)].concat()
    }

    /// Renders a whole message: what of it was not told yet, or all at once if none was.
    fn written(&mut self, message: ItemId, content: &str) -> String {
        let item = ItemOut::new(self.thread, ItemKey::Message(message), BodyOut::answered(content));
        let told = match &self.doing {
            Doing::Writing(current, text) if *current == message => Some(text.len()),
            Doing::Waiting
            | Doing::Thinking(_)
            | Doing::Calling(_)
            | Doing::Writing(..)
            | Doing::Repeating(..) => None,
        };
        let Some(told) = told else {
            let before = self.finish();
            let is_covered = self.listing.take().is_some_and(|listing| listing.covers(content));
            return if is_covered { before } else { [before, done(item)].concat() };
        };
        let rest = content.get(told..).filter(|rest| !rest.is_empty());
        let rest = rest.map(|rest| self.write(message, rest)).unwrap_or_default();
        self.doing = Doing::Waiting;
        let part = UpdateOut::PartDone { content_index: 0, content: TextOut::new(content) };
        [rest, updated(item.key(), part), done(item)].concat()
    }

    /// Takes back a message that will never be whole, if any of it is being shown.
    fn withdraw(&mut self, message: ItemId) -> String {
        match &self.doing {
            Doing::Writing(current, _) if *current == message => self.finish(),
            Doing::Thinking(thought) if thought.message == message => self.finish(),
            Doing::Repeating(current, _) if *current == message => self.finish(),
            Doing::Waiting
            | Doing::Thinking(_)
            | Doing::Calling(_)
            | Doing::Writing(..)
            | Doing::Repeating(..) => String::new(),
        }
    }

    /// Shows a thought, but not between calls: they are one group, after a reload too.
    fn think(&mut self, message: ItemId, delta: &str) -> String {
        match &mut self.doing {
            Doing::Thinking(thought) if thought.message == message => {
                thought.text.push_str(delta);
                thought.grown()
            }
            Doing::Waiting => {
                let thought = Thought { message, text: delta.into(), told: delta.len() };
                let item = thought.item(self.thread, Indicator::Loading);
                self.doing = Doing::Thinking(thought);
                EventOut::Added { item }.frame()
            }
            Doing::Thinking(_) | Doing::Calling(_) | Doing::Writing(..) | Doing::Repeating(..) => {
                String::new()
            }
        }
    }

    fn begin(&mut self, message: ItemId, call: &ToolCall) -> String {
        self.in_calls(message, |calls| calls.begin(call))
    }

    fn settle(&mut self, message: ItemId, result: &ToolResult) -> String {
        let mut frames = self.in_calls(message, |calls| calls.settle(result));
        let may_have_changed = match result.status {
            CallStatus::Ok | CallStatus::Unknown | CallStatus::Timeout => true,
            CallStatus::Error
            | CallStatus::Invalid
            | CallStatus::Denied
            | CallStatus::Cancelled
            | CallStatus::NotRun => false,
        };
        if may_have_changed && CHANGING.contains(&result.name.as_str()) {
            frames.push_str(&events::tasks_changed());
        }
        frames
    }

    /// Changes a step of the group of calls that goes on, or of a new one.
    fn in_calls(&mut self, message: ItemId, change: impl FnOnce(&mut Calls) -> usize) -> String {
        if let Doing::Calling(calls) = &mut self.doing {
            let known = calls.len();
            let task_index = change(calls);
            let Some(task) = calls.task(task_index) else { return String::new() };
            let update = if task_index < known {
                UpdateOut::TaskUpdated { task_index, task }
            } else {
                UpdateOut::TaskAdded { task_index, task }
            };
            return updated(calls.key(), update);
        }
        let before = self.finish();
        let mut calls = Calls::new(message);
        change(&mut calls);
        let added = EventOut::Added { item: calls.open(self.thread) }.frame();
        self.doing = Doing::Calling(calls);
        [before, added].concat()
    }

    /// Finishes what is being shown. A message that was begun but never stored is taken back.
    fn finish(&mut self) -> String {
        match mem::replace(&mut self.doing, Doing::Waiting) {
            Doing::Waiting => String::new(),
            Doing::Thinking(thought) => done(thought.item(self.thread, Indicator::Complete)),
            Doing::Calling(calls) => {
                self.listing = calls.listing(self.thread);
                calls.over(self.thread).into_iter().map(done).collect()
            }
            Doing::Repeating(..) => String::new(),
            Doing::Writing(message, _) => EventOut::Removed { item_id: ItemKey::Message(message) }.frame(),
        }
    }

    fn end(&mut self, end: &End) -> String {
        self.is_over = true;
        let last = match end.status {
            RunStatus::Completed | RunStatus::Running => String::new(),
            RunStatus::Cancelled => notice("This answer was stopped."),
            RunStatus::AwaitingApproval => notice("This answer waits for an approval."),
            RunStatus::Failed => {
                let failure = end.failure.unwrap_or(RunFailure::Internal);
                let (message, allow_retry) = (failure.message().to_owned(), failure.is_retryable());
                Trouble { message, allow_retry }.frame()
            }
        };
        [self.finish(), last].concat()
    }
}

fn done(item: ItemOut) -> String {
    EventOut::Done { item }.frame()
}

fn updated(item_id: ItemKey, update: UpdateOut<'_>) -> String {
    EventOut::Updated { item_id, update }.frame()
}

fn notice(message: &str) -> String {
    EventOut::Notice { level: "info", message }.frame()
}

#[cfg(test)]
mod tests;
