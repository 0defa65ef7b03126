//! The messages of a conversation, as the contract has them in section 3: who said it decides what there is.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::shapes::time;
use crate::domain::{
    CallId, CallStatus, ConversationId, Feedback, Item, ItemId, Recorded, Reply, Role, RunId, ToolCall,
    ToolResult,
};

/// A message: what the user, the model or a tool said.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = Message)]
pub enum MessageOut {
    /// What the user said.
    User(UserMessageOut),
    /// What the model said and which calls it asked for.
    Assistant(AssistantMessageOut),
    /// What a tool answered.
    Tool(ToolMessageOut),
}

/// What every message has.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = MessageHead)]
struct HeadOut {
    id: ItemId,
    conversation_id: ConversationId,
    run_id: RunId,
    /// Its place in the conversation, counted from 1.
    position: i64,
    role: Role,
    content: String,
    #[serde(serialize_with = "time")]
    created_at: DateTime<Utc>,
}

/// What the user said.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = UserMessage)]
pub struct UserMessageOut {
    #[serde(flatten)]
    head: HeadOut,
}

/// What the model said.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = AssistantMessage)]
pub struct AssistantMessageOut {
    #[serde(flatten)]
    head: HeadOut,
    /// Whether it was cut short.
    incomplete: bool,
    tool_calls: Vec<AskedOut>,
    /// What the user thinks of it, if that was said.
    feedback: Option<Feedback>,
}

/// What a tool answered.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ToolMessage)]
pub struct ToolMessageOut {
    #[serde(flatten)]
    head: HeadOut,
    #[serde(flatten)]
    answer: AnswerOut,
}

/// A call as the model asked for it.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = RequestedCall)]
struct AskedOut {
    call_id: CallId,
    server: String,
    name: String,
    #[schema(value_type = Object)]
    arguments: Map<String, Value>,
}

/// What a tool answered.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ToolAnswer)]
struct AnswerOut {
    call_id: CallId,
    server: String,
    name: String,
    status: CallStatus,
    /// Whether the status is anything but `ok`.
    is_error: bool,
    /// What the tool answered: its structured content, else its text.
    result: Value,
    /// Whether the result was cut to 64 KiB.
    truncated: bool,
    duration_ms: Option<u64>,
}

impl MessageOut {
    /// Shows an item of a conversation.
    pub fn new(conversation_id: ConversationId, recorded: Recorded) -> Self {
        let (id, run_id, position) = (recorded.id, recorded.run_id, recorded.position);
        let (role, created_at) = (recorded.item.role(), recorded.created_at);
        let head = |content| HeadOut { id, conversation_id, run_id, position, role, content, created_at };
        match recorded.item {
            Item::User(message) => Self::User(UserMessageOut { head: head(message.text) }),
            Item::Assistant(Reply { text, calls, incomplete, .. }) => {
                let tool_calls = calls.into_iter().map(AskedOut::from).collect();
                Self::Assistant(AssistantMessageOut {
                    head: head(text),
                    incomplete,
                    tool_calls,
                    feedback: None,
                })
            }
            Item::Tool(result) => {
                Self::Tool(ToolMessageOut { head: head(result.text.clone()), answer: result.into() })
            }
        }
    }
}

impl MessageOut {
    /// Adds what the user thinks of it.
    #[must_use]
    pub fn with_feedback(mut self, given: Option<Feedback>) -> Self {
        if let Self::Assistant(message) = &mut self {
            message.feedback = given;
        }
        self
    }
}

impl From<ToolCall> for AskedOut {
    fn from(call: ToolCall) -> Self {
        Self { call_id: call.id, server: call.server, name: call.name, arguments: call.arguments }
    }
}

impl From<ToolResult> for AnswerOut {
    fn from(result: ToolResult) -> Self {
        Self {
            call_id: result.call_id,
            server: result.server,
            name: result.name,
            status: result.status,
            is_error: result.status.is_error(),
            result: result.result,
            truncated: result.truncated,
            duration_ms: result.duration_ms,
        }
    }
}
