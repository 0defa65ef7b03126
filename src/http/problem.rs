//! Everything that can be refused or go wrong, as RFC 9457 problems. Clients get a stable code and a plain sentence;
//! what is inside goes to the log, once, here.

mod body;

use std::{any::Any, time::Duration};

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

pub(super) use body::{FieldFault, ProblemOut};

use super::request_line::RequestScope;
use crate::{
    auth::Refusal,
    domain::{ConversationId, NoSuchModel, RunFailure, RunId},
    runs::{StartError, TaskCallError},
    store::StoreError,
};

/// How long a client should wait before it tries again, in seconds.
const RETRY_AFTER_SECONDS: u64 = 2;

/// A refused or failed request.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    #[error("the body is not valid JSON: {0}")]
    MalformedJson(String),
    #[error("{0}")]
    MalformedRequest(&'static str),
    #[error("{name} {fault}")]
    InvalidHeader { name: &'static str, fault: &'static str },
    #[error("a valid bearer token is required")]
    Unauthenticated(#[from] Refusal),
    #[error("{0}")]
    Forbidden(String),
    #[error("there is no such {0}")]
    NotFound(&'static str),
    #[error("there is no such route")]
    NoSuchRoute,
    #[error("this route does not take this method")]
    MethodNotAllowed,
    #[error("another run of this conversation is under way")]
    ConversationBusy { active: RunId },
    #[error("the body is larger than the limit of {limit} bytes")]
    BodyTooLarge { limit: usize },
    #[error("send the body as application/json")]
    UnsupportedMediaType,
    #[error("this service does not answer to this host name; see ALLOWED_HOSTS")]
    WrongHost,
    #[error("{}", .0.iter().map(|fault| format!("{} {}", fault.field, fault.message)).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<FieldFault>),
    #[error("this idempotency key was used for another request")]
    KeyReused,
    #[error("{}", failure.message())]
    RunFailed {
        failure: RunFailure,
        run: RunId,
        conversation: ConversationId,
        retry_after_seconds: Option<u64>,
    },
    #[error("this answer was cut short by a restart; the turn goes on, and its run can be followed")]
    CutShort { run: RunId, conversation: ConversationId },
    #[error("storage is temporarily unavailable")]
    StorageUnavailable(#[source] StoreError),
    #[error("the task list is temporarily unavailable")]
    ToolsUnavailable,
    #[error("AI service temporarily unavailable. Please try again.")]
    ModelUnavailable { retry_after: Duration },
    #[error("too much is under way at once; please try again in a moment")]
    Overloaded,
    #[error("the service is shutting down")]
    ShuttingDown,
    #[error("something went wrong on our side")]
    Internal(#[source] crate::domain::BoxError),
}

impl Problem {
    /// Refuses one field.
    pub(super) fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldFault { field: field.into(), message: message.into() }])
    }

    /// Returns status, code and title: the table of the contract, section 3.
    pub(super) const fn row(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::MalformedJson(_) => (StatusCode::BAD_REQUEST, "malformed_json", "Malformed JSON"),
            Self::MalformedRequest(_) => (StatusCode::BAD_REQUEST, "malformed_request", "Malformed request"),
            Self::InvalidHeader { .. } => (StatusCode::BAD_REQUEST, "invalid_header", "Invalid header"),
            Self::Unauthenticated(_) => (StatusCode::UNAUTHORIZED, "unauthenticated", "Unauthenticated"),
            Self::Forbidden(_) => (StatusCode::FORBIDDEN, "forbidden", "Forbidden"),
            Self::NotFound(_) => (StatusCode::NOT_FOUND, "not_found", "Not found"),
            Self::NoSuchRoute => (StatusCode::NOT_FOUND, "no_such_route", "No such route"),
            Self::MethodNotAllowed => {
                (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "Method not allowed")
            }
            Self::ConversationBusy { .. } => (StatusCode::CONFLICT, "conversation_busy", "Conversation busy"),
            Self::BodyTooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "Body too large"),
            Self::UnsupportedMediaType => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "Unsupported media type")
            }
            Self::WrongHost => (StatusCode::MISDIRECTED_REQUEST, "wrong_host", "Wrong host"),
            Self::Invalid(_) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid_request", "Invalid request"),
            Self::KeyReused => {
                (StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused", "Idempotency key reused")
            }
            Self::RunFailed { failure, .. } => (status_of(*failure), failure.as_str(), "The run failed"),
            Self::CutShort { .. } => (StatusCode::BAD_GATEWAY, "interrupted", "The answer was cut short"),
            Self::StorageUnavailable(_) => {
                (StatusCode::SERVICE_UNAVAILABLE, "storage_unavailable", "Storage unavailable")
            }
            Self::ToolsUnavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, "tools_unavailable", "Tools unavailable")
            }
            Self::ModelUnavailable { .. } => {
                (StatusCode::SERVICE_UNAVAILABLE, "model_unavailable", "Model unavailable")
            }
            Self::Overloaded => (StatusCode::SERVICE_UNAVAILABLE, "overloaded", "Overloaded"),
            Self::ShuttingDown => (StatusCode::SERVICE_UNAVAILABLE, "shutting_down", "Shutting down"),
            Self::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error"),
        }
    }

    /// Says when to come back, in whole seconds.
    fn retry_after(&self) -> Option<u64> {
        if let Self::ModelUnavailable { retry_after } = self {
            return Some(retry_after.as_secs() + 1);
        }
        if let Self::RunFailed { retry_after_seconds, .. } = self {
            return *retry_after_seconds;
        }
        let (status, _, _) = self.row();
        (status == StatusCode::SERVICE_UNAVAILABLE).then_some(RETRY_AFTER_SECONDS)
    }

    /// Says what to authenticate with (RFC 6750); a client that sent a token hears that it was no good, but not why.
    fn challenge(&self) -> Option<HeaderValue> {
        let Self::Unauthenticated(refusal) = self else { return None };
        let is_without = [Refusal::NoToken, Refusal::OtherScheme].contains(refusal);
        Some(HeaderValue::from_static(if is_without { "Bearer" } else { "Bearer error=\"invalid_token\"" }))
    }

    /// Writes what is inside to the log; a client's own mistakes are in its request line already.
    pub(super) fn log(&self) {
        match self {
            Self::StorageUnavailable(_) | Self::Internal(_) => {
                tracing::error!(error = self as &dyn std::error::Error, "request failed");
            }
            Self::ToolsUnavailable
            | Self::ModelUnavailable { .. }
            | Self::Overloaded
            | Self::ShuttingDown => {
                tracing::warn!(error = %self, "request refused");
            }
            Self::Unauthenticated(reason) => {
                tracing::info!(%reason, "a request without a good token was refused");
            }
            _ => tracing::debug!(error = %self, "request refused"),
        }
    }
}

/// A timeout of the model or the run is the gateway's own kind of timeout; all else is a bad gateway.
const fn status_of(failure: RunFailure) -> StatusCode {
    match failure {
        RunFailure::ModelTimeout | RunFailure::RunTimeout => StatusCode::GATEWAY_TIMEOUT,
        RunFailure::Interrupted
        | RunFailure::ModelAuth
        | RunFailure::ModelQuota
        | RunFailure::ModelRateLimited
        | RunFailure::ModelNotFound
        | RunFailure::ModelContextOverflow
        | RunFailure::ModelContentFiltered
        | RunFailure::ModelInvalidRequest
        | RunFailure::ModelMalformedReply
        | RunFailure::ModelUpstream
        | RunFailure::ModelStreamLost
        | RunFailure::StorageUnavailable
        | RunFailure::Internal => StatusCode::BAD_GATEWAY,
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        self.respond(None)
    }
}

impl Problem {
    /// Answers with the sentence a second time, as `message`, where the component of ChatKit looks for it.
    pub(super) fn with_message(self) -> Response {
        let message = self.to_string();
        self.respond(Some(message))
    }

    fn respond(&self, message: Option<String>) -> Response {
        self.log();
        let (status, _, _) = self.row();
        let scope = RequestScope::current();
        let request_id = scope.as_deref().map_or("", RequestScope::id);
        let mut problem = ProblemOut::new(self, request_id);
        problem.message = message;
        let body = serde_json::to_string(&problem).unwrap_or_default();
        let content_type = (header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        let mut response = (status, [content_type], body).into_response();
        if let Some(seconds) = self.retry_after() {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        if let Some(challenge) = self.challenge() {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if error.is_transient() { Self::StorageUnavailable(error) } else { Self::Internal(error.into()) }
    }
}

impl From<StartError> for Problem {
    fn from(error: StartError) -> Self {
        match error {
            StartError::ShuttingDown => Self::ShuttingDown,
            StartError::NoSuchModel(NoSuchModel::Provider) => {
                Self::field("provider", "is not on the list of allowed providers")
            }
            StartError::NoSuchModel(NoSuchModel::Model) => {
                Self::field("model", "is not on the list of allowed models")
            }
            StartError::ModelUnavailable { retry_after } => Self::ModelUnavailable { retry_after },
            StartError::Overloaded => Self::Overloaded,
            StartError::NoSuchConversation => Self::NotFound("conversation"),
            StartError::NoSuchMessage => Self::NotFound("message"),
            StartError::Busy { active } => Self::ConversationBusy { active },
            StartError::KeyReused => Self::KeyReused,
            StartError::Store(error) => error.into(),
            error @ StartError::Died => Self::Internal(error.into()),
        }
    }
}

impl From<TaskCallError> for Problem {
    fn from(error: TaskCallError) -> Self {
        match error {
            TaskCallError::Unavailable => Self::ToolsUnavailable,
            TaskCallError::Forbidden(message) => Self::Forbidden(message),
            TaskCallError::Tool { code, .. } if code == "task_not_found" => Self::NotFound("task"),
            TaskCallError::Tool { code, message } if code == "invalid_arguments" => {
                Self::field("body", message)
            }
            TaskCallError::Tool { .. } | TaskCallError::InDoubt => Self::Internal(error.into()),
            TaskCallError::Invalid(message) => Self::field("body", message),
        }
    }
}

/// Answers for a handler that panicked. What it said goes to the log only.
#[expect(clippy::needless_pass_by_value, reason = "the layer hands it over")]
pub(super) fn of_panic(panic: Box<dyn Any + Send>) -> Response {
    let said = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let said = said.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic".into());
    Problem::Internal(said.into()).into_response()
}
