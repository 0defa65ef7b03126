//! The shapes of ChatKit, as far as we fill them: threads, pages and items.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::key::{self, ItemKey};
use crate::domain::{Conversation, ConversationId};

/// A page of threads or items.
#[derive(Clone, Debug, Serialize)]
pub struct PageOut<T> {
    /// What is on the page.
    pub data: Vec<T>,
    /// Whether more follows. Never beside an empty page: the component would ask for ever.
    pub has_more: bool,
    /// The id of the last element.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// A thread.
#[derive(Clone, Debug, Serialize)]
pub struct ThreadOut {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    #[serde(serialize_with = "time")]
    created_at: DateTime<Utc>,
    status: StatusOut,
    metadata: EmptyOut,
    items: PageOut<ItemOut>,
}

/// Whether the user may write.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum StatusOut {
    Active,
}

/// `{}`.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct EmptyOut {}

/// An item of a thread.
#[derive(Clone, Debug, Serialize)]
pub struct ItemOut {
    id: ItemKey,
    thread_id: String,
    #[serde(serialize_with = "time")]
    created_at: DateTime<Utc>,
    #[serde(flatten)]
    body: BodyOut,
}

/// What an item is.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum BodyOut {
    UserMessage { content: Vec<SaidOut>, attachments: [EmptyOut; 0], inference_options: EmptyOut },
    AssistantMessage { content: Vec<TextOut> },
    Workflow { workflow: WorkflowOut },
    Widget { widget: Value, copy_text: String },
}

/// A part of what the user said.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum SaidOut {
    InputText { text: String },
}

/// A part of what the model said.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename = "output_text")]
pub(super) struct TextOut {
    text: String,
    annotations: [EmptyOut; 0],
}

/// Steps that are shown as one.
#[derive(Clone, Debug, Serialize)]
pub(super) struct WorkflowOut {
    pub(super) r#type: &'static str,
    pub(super) tasks: Vec<TaskOut>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) summary: Option<SummaryOut>,
    pub(super) expanded: bool,
}

/// What is shown of finished steps.
#[derive(Clone, Debug, Serialize)]
pub(super) struct SummaryOut {
    pub(super) title: String,
    pub(super) icon: &'static str,
}

/// A step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum TaskOut {
    Custom { title: String, icon: &'static str, content: String, status_indicator: Indicator },
    Thought { content: String, status_indicator: Indicator },
}

/// Whether a step is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Indicator {
    Loading,
    Complete,
}

impl<T> PageOut<T> {
    /// Makes the page of a thread whose items are told elsewhere.
    pub(super) const fn empty() -> Self {
        Self { data: Vec::new(), has_more: false, after: None }
    }
}

impl ThreadOut {
    /// Shows a conversation without its items.
    pub fn new(conversation: &Conversation) -> Self {
        Self {
            id: key::thread(conversation.id),
            title: conversation.title.clone(),
            created_at: conversation.created_at,
            status: StatusOut::Active,
            metadata: EmptyOut {},
            items: PageOut::empty(),
        }
    }

    /// Adds the first page of its items.
    #[must_use]
    pub fn with_items(self, items: PageOut<ItemOut>) -> Self {
        Self { items, ..self }
    }

    /// Returns its id.
    pub fn id(&self) -> String {
        self.id.clone()
    }

    /// Leaves the title out: it is told when it is known.
    pub(super) fn untitled(self) -> Self {
        Self { title: None, ..self }
    }
}

impl ItemOut {
    pub(super) fn new(thread: ConversationId, id: ItemKey, body: BodyOut) -> Self {
        Self { id, thread_id: key::thread(thread), created_at: id.made_at(), body }
    }

    /// Returns its id.
    pub const fn key(&self) -> ItemKey {
        self.id
    }
}

impl BodyOut {
    pub(super) fn said(text: &str) -> Self {
        Self::UserMessage {
            content: vec![SaidOut::InputText { text: text.into() }],
            attachments: [],
            inference_options: EmptyOut {},
        }
    }

    pub(super) fn answered(text: &str) -> Self {
        Self::AssistantMessage { content: vec![TextOut::new(text)] }
    }
}

impl TextOut {
    pub(super) fn new(text: &str) -> Self {
        Self { text: text.into(), annotations: [] }
    }
}

fn time<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time.to_rfc3339_opts(SecondsFormat::Micros, true))
}
