//! What a person thinks of an answer.

use serde::{Deserialize, Serialize};

/// Thumbs up or down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Feedback {
    /// It was good.
    Positive,
    /// It was not.
    Negative,
}

impl Feedback {
    /// Every word, for tables and look-ups.
    pub const ALL: [Self; 2] = [Self::Positive, Self::Negative];

    /// Returns the word that clients and the database know.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Positive => "positive",
            Self::Negative => "negative",
        }
    }

    /// Finds the feedback of a word.
    pub fn find(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|feedback| feedback.as_str() == word)
    }
}
