//! What a task is, and how it changes. Everything here is plain data: no database, no clock, no protocol.

mod words;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use words::{Priority, Status, UnknownWord};

use crate::invalid::Invalid;

/// The longest title, in characters.
pub const TITLE_LIMIT: usize = 200;

/// The longest description, in characters.
pub const DESCRIPTION_LIMIT: usize = 4000;

/// One task of one user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Counts from 1 for each user and is never given twice.
    pub number: i64,
    /// One line.
    pub title: String,
    /// More about it.
    pub description: Option<String>,
    /// Whether it is done.
    pub status: Status,
    /// How urgent it is.
    pub priority: Priority,
    /// When it was added.
    pub created_at: DateTime<Utc>,
    /// When anything about it last changed.
    pub updated_at: DateTime<Utc>,
    /// When it was completed; `None` while it is pending.
    pub completed_at: Option<DateTime<Utc>>,
}

/// A title that is fit to be stored: trimmed, one line, neither empty nor too long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Title(String);

/// A description that is fit to be stored. A blank one is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description(Option<String>);

/// A task to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTask {
    /// Its title.
    pub title: Title,
    /// Its description.
    pub description: Description,
    /// Its priority.
    pub priority: Priority,
}

/// New values for some parts of a task; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edit {
    /// Another title.
    pub title: Option<Title>,
    /// Another description, or none.
    pub description: Option<Description>,
    /// Another priority.
    pub priority: Option<Priority>,
    /// Done or to be done again.
    pub status: Option<Status>,
}

/// How a caller says which task is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// By its number.
    Number(i64),
    /// By its whole title, or by a part of it that no other task has.
    Title(String),
}

/// One thing to do to a user's tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Adds a task.
    Add(NewTask),
    /// Changes a task.
    Edit(Selector, Edit),
    /// Deletes a task.
    Delete(Selector),
}

/// Which of a user's tasks a list shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Only those with this status.
    pub status: Option<Status>,
    /// Only those with this priority.
    pub priority: Option<Priority>,
    /// Only those whose title or description has this text, whatever the case.
    pub search: Option<String>,
    /// At most so many.
    pub limit: u32,
    /// Only those with a higher number.
    pub after: i64,
}

/// A part of a list, by number ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The tasks.
    pub tasks: Vec<Task>,
    /// The `after` of the next page, if there is one.
    pub next_after: Option<i64>,
    /// How many tasks the filter lets through on all pages.
    pub total: i64,
}

impl Title {
    /// Checks and trims a title.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        let length = text.chars().count();
        if length == 0 || length > TITLE_LIMIT {
            return Err(Invalid::new(
                "title",
                format!("must have 1 to {TITLE_LIMIT} characters, not {length}"),
            ));
        }
        if text.chars().any(char::is_control) {
            return Err(Invalid::new("title", "must be one line without control characters"));
        }
        Ok(Self(text.to_owned()))
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Description {
    /// Checks a description. A blank text is the wish to have none.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let length = text.chars().count();
        if length > DESCRIPTION_LIMIT {
            let reason = format!("must have at most {DESCRIPTION_LIMIT} characters, not {length}");
            return Err(Invalid::new("description", reason));
        }
        Ok(Self((!text.trim().is_empty()).then(|| text.to_owned())))
    }
}

impl NewTask {
    /// Makes the task that this becomes under a number.
    pub fn numbered(self, number: i64, now: DateTime<Utc>) -> Task {
        Task {
            number,
            title: self.title.0,
            description: self.description.0,
            status: Status::Pending,
            priority: self.priority,
            created_at: now,
            updated_at: now,
            completed_at: None,
        }
    }
}

impl Edit {
    /// Makes the task that an old one becomes. What changes nothing leaves every time as it was, so that a repeated
    /// edit is no edit.
    pub fn applied_to(self, old: &Task, now: DateTime<Utc>) -> Task {
        let status = self.status.unwrap_or(old.status);
        let new = Task {
            number: old.number,
            title: self.title.map_or_else(|| old.title.clone(), |title| title.0),
            description: self
                .description
                .map_or_else(|| old.description.clone(), |description| description.0),
            status,
            priority: self.priority.unwrap_or(old.priority),
            created_at: old.created_at,
            updated_at: old.updated_at,
            completed_at: match status {
                Status::Pending => None,
                Status::Completed => old.completed_at.or(Some(now)),
            },
        };
        if new == *old { new } else { Task { updated_at: now, ..new } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).unwrap()
    }

    fn task() -> Task {
        let title = Title::parse("Buy milk").unwrap();
        NewTask { title, description: Description::default(), priority: Priority::Low }.numbered(1, at(1))
    }

    #[test]
    fn a_title_is_trimmed_and_has_between_one_and_two_hundred_characters() {
        assert_eq!(Title::parse("  Buy milk\n").unwrap().as_str(), "Buy milk");
        assert!(Title::parse(&"\u{1f600}".repeat(200)).is_ok());
        for text in ["", " \n ", &"x".repeat(201), "two\nlines", "a\u{0}b", "a\u{1b}[31m"] {
            assert!(Title::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_blank_description_is_none() {
        assert_eq!(Description::parse(" \n").unwrap(), Description(None));
        assert_eq!(Description::parse(" a\nb").unwrap(), Description(Some(" a\nb".into())));
        assert!(Description::parse(&"x".repeat(4001)).is_err());
    }

    #[test]
    fn completing_notes_the_time_once_and_reopening_forgets_it() {
        let complete = || Edit { status: Some(Status::Completed), ..Edit::default() };
        let done = complete().applied_to(&task(), at(5));
        assert_eq!((done.completed_at, done.updated_at), (Some(at(5)), at(5)));
        assert_eq!(complete().applied_to(&done, at(9)), done);
        let reopened = Edit { status: Some(Status::Pending), ..Edit::default() }.applied_to(&done, at(9));
        assert_eq!((reopened.completed_at, reopened.updated_at), (None, at(9)));
    }
}
