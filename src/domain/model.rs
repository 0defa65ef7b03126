//! The model, seen from the agent: one request in, a stream of events out.

use std::{borrow::Cow, sync::Mutex, time::Duration};

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use serde_json::Value;

use super::{BoxError, ConversationId, Item, Meter, NoticeCode, RunFailure, Tool, Transcript, Usage};

/// Which model answers, as clients and the log see it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ModelIdentity {
    /// The provider, as in `LLM_PROVIDER`.
    pub provider: String,
    /// The provider's name of the model.
    pub model: String,
}

/// Everything that a model is told for one reply.
#[derive(Clone, Copy)]
pub struct ModelRequest<'a> {
    /// The constant instructions.
    pub instructions: &'a str,
    /// The conversation so far, oldest first; begins with a user item and every call in it is answered.
    pub history: &'a [Item],
    /// What was written of that history for an earlier question, and what is for the next one; nothing where it is not kept.
    pub transcript: Option<&'a Mutex<Transcript>>,
    /// The tools on offer; empty when the model must answer in words.
    pub tools: &'a [Tool],
    /// Whether the model may, must or must not call.
    pub tool_choice: ToolChoice,
    /// The conversation, for caches that want a key.
    pub conversation_id: ConversationId,
    /// Where calls are counted that come to no reply.
    pub meter: &'a Meter,
    /// Who asks.
    pub asker: &'a dyn Asker,
}

impl<'a> ModelRequest<'a> {
    /// Asks the same about another history.
    #[must_use]
    pub const fn about(self, history: &'a [Item]) -> Self {
        Self { history, transcript: None, ..self }
    }
}

/// Whoever asks, as far as a model has something to say or to ask before its reply begins.
pub trait Asker: Send + Sync {
    /// Hears that the question is asked again after so long a pause.
    fn waits(&self, pause: Duration);

    /// Returns as much of the history as fits a model that is asked in the place of the first one.
    fn fitting(&self, model: &dyn Model) -> Cow<'_, [Item]>;
}

/// Whether a model may, must or must not call a tool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ToolChoice {
    /// As it likes.
    #[default]
    Auto,
    /// It must call at least one.
    Required,
    /// It must answer in words.
    None,
}

impl ToolChoice {
    /// Every choice, for tables and look-ups.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Required, Self::None];

    /// Returns the word that clients and the database know.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Required => "required",
            Self::None => "none",
        }
    }

    /// Finds the choice of a word.
    pub fn find(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|choice| choice.as_str() == word)
    }
}

/// A piece of a reply. A whole reply is any number of these with `Finished` as the last.
#[derive(Clone, Debug, PartialEq)]
pub enum ModelEvent {
    /// Another model answers than the one that was asked. Comes before all else.
    Replaced {
        /// The one that answers.
        by: ModelIdentity,
        /// What users are told about it.
        notice: NoticeCode,
    },
    /// The model is at work; there is nothing to tell yet.
    Alive,
    /// A piece of text; never empty.
    Text(String),
    /// A piece of what the model thinks before it speaks; never empty, and never part of the text.
    Reasoning(String),
    /// The model has begun to write a call. There is nothing to tell yet, but the question must not be asked a second time.
    CallBegun,
    /// A whole call. Sent only once the reply is known to be whole.
    Call(RequestedCall),
    /// What the provider wants back with this reply, opaque.
    Meta(Value),
    /// What the call cost that this is the reply of.
    Usage(Usage),
    /// The reply is whole. Nothing follows.
    Finished(Finish),
}

/// A call as the model wrote it, nothing checked yet.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestedCall {
    /// The provider's id of the call; made up if the provider gave none.
    pub provider_id: String,
    /// The tool's name.
    pub name: String,
    /// The arguments as text; should be a JSON object.
    pub arguments: String,
    /// What the provider wants back with this call, opaque.
    pub provider_meta: Option<Value>,
}

/// Why a reply ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finish {
    /// The model had said all it wanted, in words or calls.
    Stop,
    /// A length limit cut it; its calls must not be made.
    Length,
}

/// What kind of trouble a model call ran into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelErrorKind {
    /// The key is refused (401, 403).
    Auth,
    /// Quota or credit is used up (402, `insufficient_quota`).
    Quota,
    /// Too many requests (429).
    RateLimited,
    /// No such model (404).
    NotFound,
    /// The request is longer than the model's context.
    ContextOverflow,
    /// A content filter stopped it.
    ContentFiltered,
    /// The provider refuses the request (other 4xx).
    InvalidRequest,
    /// What came back cannot be used.
    MalformedReply,
    /// The provider failed (5xx, unreachable, an error inside the stream).
    Upstream,
    /// No answer in time.
    Timeout,
    /// The stream broke off before the reply was whole.
    StreamLost,
}

/// A model call that failed. The detail is for the log only.
#[derive(Debug, thiserror::Error)]
#[error("model call failed ({kind:?}): {detail}")]
pub struct ModelError {
    /// What kind of trouble it is.
    pub kind: ModelErrorKind,
    /// What the provider said, cut and with the key redacted; never shown to a client.
    pub detail: String,
    /// How long the provider asks to wait.
    pub retry_after: Option<Duration>,
    /// How many tokens a request may have, where it had too many and the provider says so.
    pub context_limit: Option<usize>,
    /// The error below, if there is one.
    #[source]
    pub source: Option<BoxError>,
}

impl ModelError {
    /// Makes an error without an error below it.
    pub fn new(kind: ModelErrorKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), retry_after: None, context_limit: None, source: None }
    }
}

impl From<ModelErrorKind> for RunFailure {
    fn from(kind: ModelErrorKind) -> Self {
        match kind {
            ModelErrorKind::Auth => Self::ModelAuth,
            ModelErrorKind::Quota => Self::ModelQuota,
            ModelErrorKind::RateLimited => Self::ModelRateLimited,
            ModelErrorKind::NotFound => Self::ModelNotFound,
            ModelErrorKind::ContextOverflow => Self::ModelContextOverflow,
            ModelErrorKind::ContentFiltered => Self::ModelContentFiltered,
            ModelErrorKind::InvalidRequest => Self::ModelInvalidRequest,
            ModelErrorKind::MalformedReply => Self::ModelMalformedReply,
            ModelErrorKind::Upstream => Self::ModelUpstream,
            ModelErrorKind::Timeout => Self::ModelTimeout,
            ModelErrorKind::StreamLost => Self::ModelStreamLost,
        }
    }
}

/// A model that can be asked for a reply.
#[async_trait]
pub trait Model: Send + Sync {
    /// Tells which model it is.
    fn identity(&self) -> ModelIdentity;

    /// Tells how many tokens a request and its reply may have together, where that is known by now.
    fn context_window(&self) -> Option<usize> {
        None
    }

    /// Lists the names that clients may ask for it by.
    fn names(&self) -> Vec<ModelIdentity> {
        vec![self.identity()]
    }

    /// Tells how long it will refuse every request, because too many have failed. Nothing means that it may be asked.
    fn closed_for(&self) -> Option<Duration> {
        None
    }

    /// Asks for a reply. The stream ends after `Finished` or an error; dropping it ends the provider's work.
    async fn stream(
        &self,
        request: ModelRequest<'_>,
    ) -> Result<BoxStream<'static, Result<ModelEvent, ModelError>>, ModelError>;
}
