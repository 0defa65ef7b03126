//! The shapes of the contract, section 3. They only ever grow.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize, Serializer};
use utoipa::ToSchema;

use crate::domain::{
    Conversation, ConversationId, Notice, NoticeCode, Run, RunFailure, RunId, RunStatus, Usage,
};

/// A page of anything.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Page)]
pub struct PageOut<T> {
    /// What is on the page.
    pub data: Vec<T>,
    /// Where the next page begins; opaque.
    pub next_cursor: Option<String>,
}

/// A conversation.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Conversation)]
pub struct ConversationOut {
    id: ConversationId,
    title: Option<String>,
    /// The run that is under way.
    active_run_id: Option<RunId>,
    #[serde(serialize_with = "time")]
    created_at: DateTime<Utc>,
    #[serde(serialize_with = "time")]
    updated_at: DateTime<Utc>,
}

/// A run.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Run)]
pub struct RunOut {
    id: RunId,
    conversation_id: ConversationId,
    status: RunStatus,
    /// The run that it goes on with.
    resumes: Option<RunId>,
    provider: String,
    model: String,
    /// Counts from 1; a run that was cut short by a crash has another.
    attempt: i32,
    /// The last event that is stored.
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
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = RunError)]
pub(super) struct RunErrorOut {
    code: RunFailure,
    /// The sentence that a person reads.
    message: &'static str,
    /// Whether the same message may well succeed later.
    retryable: bool,
}

/// What model calls cost, in tokens.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = Usage)]
pub(super) struct UsageOut {
    input_tokens: u64,
    output_tokens: u64,
    total_tokens: u64,
    cached_input_tokens: u64,
    reasoning_tokens: u64,
    model_calls: u64,
    /// Whether any of it is an estimate, because the provider said nothing.
    estimated: bool,
    /// What it cost, in millionths of a US dollar; null if a price is not known.
    cost_micros: Option<u64>,
}

/// Something worth knowing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Notice)]
pub(super) struct NoticeOut {
    code: NoticeCode,
    message: String,
}

/// A task, as the task server describes it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Task)]
pub struct TaskOut {
    /// The user's number of it. Counts from 1 and is never given twice.
    #[schema(minimum = 1)]
    pub number: i64,
    title: String,
    description: Option<String>,
    status: TaskStatus,
    priority: TaskPriority,
    #[serde(serialize_with = "time")]
    created_at: DateTime<Utc>,
    #[serde(serialize_with = "time")]
    updated_at: DateTime<Utc>,
    #[serde(serialize_with = "optional_time")]
    completed_at: Option<DateTime<Utc>>,
}

/// Whether a task is done.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaskStatus {
    /// To be done.
    Pending,
    /// Done.
    Completed,
}

/// How urgent a task is.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaskPriority {
    /// Whenever.
    Low,
    /// As usual.
    Medium,
    /// Soon.
    High,
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

impl From<Run> for RunOut {
    fn from(run: Run) -> Self {
        Self {
            id: run.id,
            conversation_id: run.conversation_id,
            status: run.status,
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
        Self { code: failure, message: failure.message(), retryable: failure.is_retryable() }
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
        Self { code: notice.code, message: notice.message }
    }
}

/// Writes a time as RFC 3339 in UTC with `Z`.
pub(super) fn time<S: Serializer>(at: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&at.to_rfc3339_opts(SecondsFormat::Micros, true))
}

fn optional_time<S: Serializer>(at: &Option<DateTime<Utc>>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => time(at, serializer),
        None => serializer.serialize_none(),
    }
}
