//! The items of a history. The history is the state: everything else is derived from it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{CallId, EventId, ItemId, RunId, ToolCall, ToolResult};

/// One item of a conversation's history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Item {
    /// What the user said.
    User(UserMessage),
    /// What the model said and asked for.
    Assistant(Reply),
    /// What a tool answered.
    Tool(ToolResult),
}

/// A message of the user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserMessage {
    /// The text, as sent.
    pub text: String,
    /// What the model is told beside it: when and where it was sent. Fixed at accept, so that the history's
    /// bytes never change and prompt caches hit.
    pub context: String,
}

/// A reply of the model: text, calls, or both; never neither.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// The text; empty when the reply is calls only.
    pub text: String,
    /// The calls, in the order in which they run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<ToolCall>,
    /// What the provider wants back with this reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_meta: Option<ProviderMeta>,
    /// Whether the text was cut short.
    #[serde(default)]
    pub incomplete: bool,
}

impl Reply {
    /// Makes a whole reply of text alone.
    pub fn of_text(text: impl Into<String>) -> Self {
        Self { text: text.into(), calls: Vec::new(), provider_meta: None, incomplete: false }
    }

    /// Makes a reply of text that was cut short.
    pub fn cut_short(text: impl Into<String>) -> Self {
        Self { incomplete: true, ..Self::of_text(text) }
    }
}

/// Opaque data of a provider, replayed to the same provider and family of models only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProviderMeta {
    /// The provider that sent it, as in `LLM_PROVIDER`.
    pub provider: String,
    /// The model that sent it; not known of older rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// What it sent.
    pub data: Value,
}

/// Who an item is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The user.
    User,
    /// The model.
    Assistant,
    /// A tool.
    Tool,
}

impl Role {
    /// Every role, for tables.
    pub const ALL: [Self; 3] = [Self::User, Self::Assistant, Self::Tool];

    /// Returns the word that clients and the database know.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
        }
    }
}

impl Item {
    /// Tells who the item is from.
    pub const fn role(&self) -> Role {
        match self {
            Self::User(_) => Role::User,
            Self::Assistant(_) => Role::Assistant,
            Self::Tool(_) => Role::Tool,
        }
    }

    /// Returns the call that this item answers, if it is a tool's.
    pub const fn answers(&self) -> Option<CallId> {
        match self {
            Self::Tool(result) => Some(result.call_id),
            Self::User(_) | Self::Assistant(_) => None,
        }
    }
}

/// An item with its place in the conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// The item's id.
    pub id: ItemId,
    /// Its place, counted from 1 in its conversation.
    pub position: i64,
    /// The run that wrote it.
    pub run_id: RunId,
    /// The event that told of it.
    pub event_id: EventId,
    /// When it was stored.
    pub created_at: DateTime<Utc>,
    /// The item.
    pub item: Item,
}
