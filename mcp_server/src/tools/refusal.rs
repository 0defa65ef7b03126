//! A call that did nothing, told so that its caller can do better: a model by the message, a program by the code.

use parlor_db::DbError;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{identity::NoIdentity, invalid::Invalid, store::StoreError};

/// The longest message, in characters. It may quote what the caller sent.
const MESSAGE_LIMIT: usize = 1000;

/// What is said when the database did not answer: a change may have been made all the same.
const UNAVAILABLE: &str = "the tasks cannot be reached at the moment; if this was a change, list the tasks before trying \
                           again, to see whether it was made";

/// Why a call did nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Refusal {
    /// The kind of refusal, for programs.
    pub(crate) code: Code,
    /// What is wrong and how to put it right, for models and people.
    pub(crate) message: String,
}

/// The kinds of refusal. Their names are part of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Code {
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
    pub(crate) fn new(code: Code, message: impl AsRef<str>) -> Self {
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

/// Tells a failure without what is inside it.
impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::TaskNotFound(_) => Self::new(Code::TaskNotFound, error.to_string()),
            StoreError::AmbiguousTitle { .. } => Self::new(Code::AmbiguousTitle, error.to_string()),
            StoreError::CallKeyReused => Self::new(Code::CallKeyReused, error.to_string()),
            StoreError::Db(DbError::Unavailable { .. }) => Self::new(Code::StorageUnavailable, UNAVAILABLE),
            StoreError::Unreadable(_) | StoreError::Db(DbError::Refused(_) | DbError::Panicked) => {
                Self::new(Code::Internal, "something went wrong on our side")
            }
        }
    }
}
