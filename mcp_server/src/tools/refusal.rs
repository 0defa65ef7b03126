//! A call that did nothing, told so that its caller can do better: a model by the message, a program by the code.

use parlor_db::DbError;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{identity::NoIdentity, invalid::Invalid, store::StoreError};

/// The longest message, in characters. It may quote what the caller sent.
const MESSAGE_LIMIT: usize = 1000;

/// Why a call did nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// For programs.
    pub code: Code,
    /// For models and people: what is wrong and how to put it right.
    pub message: String,
}

/// The kinds of refusal. Their names are part of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// No task fits the selector.
    TaskNotFound,
    /// Several tasks fit the text.
    AmbiguousTitle,
    /// The arguments break a rule.
    InvalidArguments,
    /// The call is for nobody, or for somebody else.
    NoIdentity,
    /// The call key stands for another call.
    CallKeyReused,
    /// The server only reads.
    ReadOnly,
    /// The database cannot be reached; the call may be repeated under its key.
    StorageUnavailable,
    /// A fault of ours.
    Internal,
}

impl Refusal {
    /// Makes a refusal, cutting a message that is too long.
    pub fn new(code: Code, message: impl AsRef<str>) -> Self {
        let message = message.as_ref();
        let cut = message.char_indices().nth(MESSAGE_LIMIT).and_then(|(end, _)| message.get(..end));
        Self { code, message: cut.map_or_else(|| message.to_owned(), |cut| format!("{cut}…")) }
    }
}

impl From<Invalid> for Refusal {
    fn from(invalid: Invalid) -> Self {
        Self::new(Code::InvalidArguments, invalid.to_string())
    }
}

impl From<NoIdentity> for Refusal {
    fn from(reason: NoIdentity) -> Self {
        Self::new(Code::NoIdentity, reason.to_string())
    }
}

/// Tells the failure of the store, and logs what the caller must not see.
impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        let code = match &error {
            StoreError::TaskNotFound(_) => Code::TaskNotFound,
            StoreError::AmbiguousTitle { .. } => Code::AmbiguousTitle,
            StoreError::CallKeyReused => Code::CallKeyReused,
            StoreError::Db(DbError::Unavailable { .. }) => Code::StorageUnavailable,
            StoreError::Unreadable(_) | StoreError::Db(DbError::Refused(_) | DbError::Panicked) => {
                Code::Internal
            }
        };
        match code {
            Code::StorageUnavailable => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the task database is unavailable");
                Self::new(code, "the tasks cannot be reached at the moment; try again in a while")
            }
            Code::Internal => {
                tracing::error!(error = &error as &dyn std::error::Error, "a task tool failed");
                Self::new(code, "something went wrong on our side")
            }
            Code::TaskNotFound
            | Code::AmbiguousTitle
            | Code::InvalidArguments
            | Code::NoIdentity
            | Code::CallKeyReused
            | Code::ReadOnly => Self::new(code, error.to_string()),
        }
    }
}
