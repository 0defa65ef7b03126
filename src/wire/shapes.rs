//! The shapes of the contract, section 3. They only ever grow.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::domain::{
    CallId, Conversation, ConversationId, Feedback, Item, ItemId, Notice, Recorded, Reply, Role, Run,
    RunFailure, RunId, ToolCall, ToolResult, Usage,
};

/// A page of anything.
#[derive(Clone, Debug, Serialize)]
pub struct PageOut<T> {
    /// What is on the page.
    pub data: Vec<T>,
    /// Where the next page begins; opaque.
    pub next_cursor: Option<String>,
}

/// A conversation.
#[derive(Clone, Debug, Serialize)]
pub struct ConversationOut {
    id: ConversationId,
    title: Option<String>,
    active_run_id: Option<RunId>,
    #[serde(serialize_with = "time")]
    created_at: DateTime<Utc>,
    #[serde(serialize_with = "time")]
    updated_at: DateTime<Utc>,
}

/// A message: what the user, the model or a tool said.
#[derive(Clone, Debug, Serialize)]
pub struct MessageOut {
    id: ItemId,
    conversation_id: ConversationId,
    run_id: RunId,
    position: i64,
    role: Role,
    content: String,
    #[serde(serialize_with = "time")]
    created_at: DateTime<Utc>,
    #[serde(flatten)]
    more: MoreOut,
}

/// What a message has beside its text.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
enum MoreOut {
    User {},
    Assistant {
        incomplete: bool,
        tool_calls: Vec<AskedOut>,
        #[serde(skip_serializing_if = "Option::is_none")]
        feedback: Option<Feedback>,
    },
    Tool(AnswerOut),
}

/// A call as the model asked for it.
#[derive(Clone, Debug, Serialize)]
struct AskedOut {
    call_id: CallId,
    server: String,
    name: String,
    arguments: Map<String, Value>,
}

/// What a tool answered.
#[derive(Clone, Debug, Serialize)]
struct AnswerOut {
    call_id: CallId,
    server: String,
    name: String,
    status: &'static str,
    is_error: bool,
    result: Value,
    truncated: bool,
    duration_ms: Option<u64>,
}

/// A run.
#[derive(Clone, Debug, Serialize)]
pub struct RunOut {
    id: RunId,
    conversation_id: ConversationId,
    status: &'static str,
    resumes: Option<RunId>,
    provider: String,
    model: String,
    attempt: i32,
    last_event_id: i64,
    usage: UsageOut,
    error: Option<RunErrorOut>,
    #[serde(serialize_with = "time")]
    created_at: DateTime<Utc>,
    #[serde(serialize_with = "optional_time")]
    first_delta_at: Option<DateTime<Utc>>,
    #[serde(serialize_with = "optional_time")]
    ended_at: Option<DateTime<Utc>>,
}

/// Why a run failed.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct RunErrorOut {
    code: &'static str,
    message: &'static str,
    retryable: bool,
}

/// What model calls cost, in tokens.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct UsageOut {
    input_tokens: u64,
    output_tokens: u64,
    total_tokens: u64,
    cached_input_tokens: u64,
    reasoning_tokens: u64,
    model_calls: u64,
    estimated: bool,
    cost_micros: Option<u64>,
}

/// Something worth knowing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct NoticeOut {
    code: &'static str,
    message: String,
}

/// A task, as the task server describes it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TaskOut {
    /// The user's number of it.
    pub number: i64,
    title: String,
    description: Option<String>,
    status: String,
    priority: String,
    #[serde(serialize_with = "time")]
    created_at: DateTime<Utc>,
    #[serde(serialize_with = "time")]
    updated_at: DateTime<Utc>,
    #[serde(serialize_with = "optional_time")]
    completed_at: Option<DateTime<Utc>>,
}

impl From<Conversation> for ConversationOut {
    fn from(conversation: Conversation) -> Self {
        Self {
            id: conversation.id,
            title: conversation.title,
            active_run_id: conversation.active_run_id,
            created_at: conversation.created_at,
            updated_at: conversation.updated_at,
        }
    }
}

impl MessageOut {
    /// Shows an item of a conversation.
    pub fn new(conversation_id: ConversationId, recorded: Recorded) -> Self {
        let role = recorded.item.role();
        let (content, more) = match recorded.item {
            Item::User(message) => (message.text, MoreOut::User {}),
            Item::Assistant(Reply { text, calls, incomplete, .. }) => {
                let tool_calls = calls.into_iter().map(AskedOut::from).collect();
                (text, MoreOut::Assistant { incomplete, tool_calls, feedback: None })
            }
            Item::Tool(result) => (result.text.clone(), MoreOut::Tool(result.into())),
        };
        Self {
            id: recorded.id,
            conversation_id,
            run_id: recorded.run_id,
            position: recorded.position,
            role,
            content,
            created_at: recorded.created_at,
            more,
        }
    }

    /// Adds what the user thinks of it.
    #[must_use]
    pub fn with_feedback(mut self, given: Option<Feedback>) -> Self {
        if let MoreOut::Assistant { feedback, .. } = &mut self.more {
            *feedback = given;
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
            status: result.status.as_str(),
            is_error: result.status.is_error(),
            result: result.result,
            truncated: result.truncated,
            duration_ms: result.duration_ms,
        }
    }
}

impl From<Run> for RunOut {
    fn from(run: Run) -> Self {
        Self {
            id: run.id,
            conversation_id: run.conversation_id,
            status: run.status.as_str(),
            resumes: run.resumes,
            provider: run.provider,
            model: run.model,
            attempt: run.attempt,
            last_event_id: run.last_event_id.get(),
            usage: run.usage.into(),
            error: run.failure.map(RunErrorOut::from),
            created_at: run.created_at,
            first_delta_at: run.first_delta_at,
            ended_at: run.ended_at,
        }
    }
}

impl From<RunFailure> for RunErrorOut {
    fn from(failure: RunFailure) -> Self {
        Self { code: failure.as_str(), message: failure.message(), retryable: failure.is_retryable() }
    }
}

impl From<Usage> for UsageOut {
    fn from(usage: Usage) -> Self {
        Self {
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
            total_tokens: usage.total_tokens,
            cached_input_tokens: usage.cached_input_tokens,
            reasoning_tokens: usage.reasoning_tokens,
            model_calls: usage.model_calls,
            estimated: usage.estimated,
            cost_micros: usage.cost_micros,
        }
    }
}

impl From<Notice> for NoticeOut {
    fn from(notice: Notice) -> Self {
        Self { code: notice.code.as_str(), message: notice.message }
    }
}

/// Writes a time as RFC 3339 in UTC with `Z`.
fn time<S: Serializer>(at: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&at.to_rfc3339_opts(SecondsFormat::Micros, true))
}

fn optional_time<S: Serializer>(at: &Option<DateTime<Utc>>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => time(at, serializer),
        None => serializer.serialize_none(),
    }
}
