//! What a user can want of the demo, and the tool calls that do it.

use serde_json::{Value, json};

use crate::domain::RequestedCall;

/// What the user wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// A new task.
    Add {
        /// Its title, in the user's spelling.
        title: String,
        /// Its priority, if the user gave one.
        priority: Option<Priority>,
    },
    /// The list.
    List(Option<Status>),
    /// A task is done.
    Complete(Which),
    /// A task is to go.
    Delete(Which),
    /// A task gets another title.
    Rename(Which, String),
    /// A task gets another priority.
    Prioritize(Which, Priority),
}

/// Which task is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// The one with the number.
    Number(u64),
    /// The one whose title contains the text.
    Title(String),
}

/// How urgent a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Priority {
    /// It can wait.
    Low,
    /// As most.
    Medium,
    /// It cannot.
    High,
}

/// Which tasks a list shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// Those that are to be done.
    Pending,
    /// Those that are done.
    Completed,
}

impl Wish {
    /// Tells whether a clause in a row of titles means this, and is not just another title ("finish the
    /// report").
    pub(super) fn is_unmistakable(&self) -> bool {
        match self {
            Self::Add { .. } | Self::List(_) => true,
            Self::Complete(which)
            | Self::Delete(which)
            | Self::Rename(which, _)
            | Self::Prioritize(which, _) => {
                matches!(which, Which::Number(_))
            }
        }
    }

    /// Returns the name of the tool that it needs.
    pub(super) const fn tool(&self) -> &'static str {
        match self {
            Self::Add { .. } => "add_task",
            Self::List(_) => "list_tasks",
            Self::Complete(_) => "complete_task",
            Self::Delete(_) => "delete_task",
            Self::Rename(..) => "update_task",
            Self::Prioritize(..) => "set_priority",
        }
    }

    /// Writes the call that does it; `place` tells it from the others of its reply.
    pub(super) fn call(&self, place: usize) -> RequestedCall {
        RequestedCall {
            provider_id: format!("demo_{}", place + 1),
            name: self.tool().to_owned(),
            arguments: self.arguments().to_string(),
            provider_meta: None,
        }
    }

    fn arguments(&self) -> Value {
        match self {
            Self::Add { title, priority: None } => json!({"title": title}),
            Self::Add { title, priority: Some(priority) } => {
                json!({"title": title, "priority": priority.as_str()})
            }
            Self::List(None) => json!({}),
            Self::List(Some(status)) => json!({"status": status.as_str()}),
            Self::Complete(which) | Self::Delete(which) => which.with(&[]),
            Self::Rename(which, title) => which.with(&[("title", title)]),
            Self::Prioritize(which, priority) => which.with(&[("priority", priority.as_str())]),
        }
    }
}

impl Which {
    /// Writes the selector and some more arguments.
    fn with(&self, more: &[(&str, &str)]) -> Value {
        let selector = match self {
            Self::Number(number) => ("number".to_owned(), json!(number)),
            Self::Title(title) => ("title_contains".to_owned(), json!(title)),
        };
        let more = more.iter().map(|(name, value)| ((*name).to_owned(), json!(value)));
        Value::Object(std::iter::once(selector).chain(more).collect())
    }
}

impl Priority {
    /// Every priority.
    pub(super) const ALL: [Self; 3] = [Self::Low, Self::Medium, Self::High];

    /// Returns the word that the tools know.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

impl Status {
    /// Returns the word that the tools know.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Completed => "completed",
        }
    }
}
