//! The words for the state of a task. They are the same on the wire and in the database.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether a task is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Still to be done.
    Pending,
    /// Done.
    Completed,
}

/// How urgent a task is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Can wait.
    Low,
    /// The usual.
    #[default]
    Medium,
    /// Comes first.
    High,
}

/// A stored word that this version does not know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is a word of another version")]
pub struct UnknownWord(String);

impl Status {
    /// Returns the word that is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Completed => "completed",
        }
    }
}

impl Priority {
    /// Returns the word that is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

impl TryFrom<String> for Status {
    type Error = UnknownWord;

    fn try_from(word: String) -> Result<Self, UnknownWord> {
        [Self::Pending, Self::Completed]
            .into_iter()
            .find(|status| status.as_str() == word)
            .ok_or(UnknownWord(word))
    }
}

impl TryFrom<String> for Priority {
    type Error = UnknownWord;

    fn try_from(word: String) -> Result<Self, UnknownWord> {
        [Self::Low, Self::Medium, Self::High]
            .into_iter()
            .find(|priority| priority.as_str() == word)
            .ok_or(UnknownWord(word))
    }
}
