//! A conversation as clients see it, and the title that names it.

use chrono::{DateTime, Utc};

use super::{ConversationId, RunId, cut_at};

/// A conversation of one user, without its items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    /// Its id.
    pub id: ConversationId,
    /// Its title: given by the user, or taken from the first message.
    pub title: Option<String>,
    /// The run that is under way, if any.
    pub active_run_id: Option<RunId>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last written to.
    pub updated_at: DateTime<Utc>,
}

/// A title: 1 to 200 characters, one line, not blank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Title(String);

/// Why a text is not a title.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TitleError {
    /// It is empty or only white space.
    #[error("must not be blank")]
    Blank,
    /// It has more than 200 characters.
    #[error("must be at most 200 characters")]
    TooLong,
    /// It holds a control character.
    #[error("must not hold control characters")]
    Control,
}

impl Title {
    /// The most characters of a title that a user gives.
    const LONGEST: usize = 200;
    /// The most characters of a title taken from a message.
    const LONGEST_AUTOMATIC: usize = 60;

    /// Checks a title that a user gave; white space around it is dropped.
    pub fn parse(text: &str) -> Result<Self, TitleError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(TitleError::Blank);
        }
        if text.chars().count() > Self::LONGEST {
            return Err(TitleError::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(TitleError::Control);
        }
        Ok(Self(text.into()))
    }

    /// Takes the title from the first message: its first line that is not blank, at most 60 characters.
    pub fn from_message(message: &str) -> Option<Self> {
        let line = message.lines().map(str::trim).find(|line| !line.is_empty())?;
        let clean: String = line.chars().filter(|character| !character.is_control()).collect();
        let end = clean.char_indices().nth(Self::LONGEST_AUTOMATIC).map_or(clean.len(), |(at, _)| at);
        let title = cut_at(&clean, end).trim_end();
        (!title.is_empty()).then(|| Self(title.into()))
    }

    /// Returns the title as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_automatic_title_is_the_first_line_in_sixty_characters() {
        let title = Title::from_message("\n  buy milk \nand bread").unwrap();
        assert_eq!(title.as_str(), "buy milk");
        let long = Title::from_message(&"ñ".repeat(70)).unwrap();
        assert_eq!(long.as_str(), "ñ".repeat(60));
    }

    #[test]
    fn a_title_is_one_line_of_at_most_two_hundred_characters() {
        assert_eq!(Title::parse("  "), Err(TitleError::Blank));
        assert_eq!(Title::parse("a\nb"), Err(TitleError::Control));
        assert_eq!(Title::parse(&"x".repeat(201)), Err(TitleError::TooLong));
        assert_eq!(Title::parse(&"ñ".repeat(200)).unwrap().as_str(), "ñ".repeat(200));
    }
}
