//! The six tools, as a model sees them: what they are called, what they take, what they answer. Pure; nothing here
//! touches a database.

mod answers;
mod catalog;
mod inputs;
mod refusal;
mod requests;
mod schemas;

pub(crate) use answers::{Answer, ChangedOut, ListOut};
pub(crate) use refusal::{Code, Refusal};
pub(crate) use requests::{Deed, Request};

/// A tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ToolName {
    /// Adds a task.
    AddTask,
    /// Lists tasks.
    ListTasks,
    /// Marks a task as done.
    CompleteTask,
    /// Deletes a task.
    DeleteTask,
    /// Changes parts of a task.
    UpdateTask,
    /// Changes the priority of a task.
    SetPriority,
}

impl ToolName {
    /// All tools, in the order in which they are listed. It never changes: a model's cached prompt begins with it.
    pub(crate) const ALL: [Self; 6] = [
        Self::AddTask,
        Self::ListTasks,
        Self::CompleteTask,
        Self::DeleteTask,
        Self::UpdateTask,
        Self::SetPriority,
    ];

    /// Finds the tool of a name.
    pub(crate) fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tool| tool.as_str() == name)
    }

    /// Returns the name that callers use.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::AddTask => "add_task",
            Self::ListTasks => "list_tasks",
            Self::CompleteTask => "complete_task",
            Self::DeleteTask => "delete_task",
            Self::UpdateTask => "update_task",
            Self::SetPriority => "set_priority",
        }
    }

    /// Tells whether the tool only reads.
    pub(crate) const fn is_read_only(self) -> bool {
        match self {
            Self::ListTasks => true,
            Self::AddTask | Self::CompleteTask | Self::DeleteTask | Self::UpdateTask | Self::SetPriority => {
                false
            }
        }
    }
}
