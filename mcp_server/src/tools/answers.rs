//! What a call answers: JSON for programs, and a sentence for whoever reads only text.

use chrono::{DateTime, Utc};
use rmcp::model::{CallToolResult, ContentBlock};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::{Deed, Refusal, schemas::nullable};
use crate::task::{Page, Priority, Status, Task};

/// The most JSON of the tasks in one list, in bytes. Hosts keep only so much of an answer (ours 64 KiB) and cut what is
/// longer, so that it is no JSON any more. A single task is always smaller.
const LIST_BYTES: usize = 48 * 1024;

/// The outcome of a call that did what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// A task as it is after a change, or as it was before it was deleted.
    Changed(Deed, Task),
    /// A page of tasks.
    Listed(Page),
}

/// A task, as it is sent.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct TaskOut {
    /// The number of the task, to be used in further calls.
    pub(crate) number: i64,
    /// The title.
    pub(crate) title: String,
    /// The description, if there is one.
    #[schemars(schema_with = "nullable::<String>")]
    pub(crate) description: Option<String>,
    /// Whether it is done.
    pub(crate) status: Status,
    /// How urgent it is.
    pub(crate) priority: Priority,
    /// When it was added.
    pub(crate) created_at: DateTime<Utc>,
    /// When it was last changed.
    pub(crate) updated_at: DateTime<Utc>,
    /// When it was completed, if it is.
    #[schemars(schema_with = "nullable::<DateTime<Utc>>")]
    pub(crate) completed_at: Option<DateTime<Utc>>,
}

/// The result of the tools that change something.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct ChangedOut {
    /// The task after the change; a deleted one as it last was.
    pub(crate) task: TaskOut,
}

/// The result of `list_tasks`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct ListOut {
    /// The tasks, by number ascending.
    pub(crate) tasks: Vec<TaskOut>,
    /// What to pass as `after` for the next page; null on the last one.
    #[schemars(schema_with = "nullable::<i64>")]
    pub(crate) next_after: Option<i64>,
    /// How many tasks there are on all pages.
    pub(crate) total: i64,
}

impl Answer {
    /// Lists a page, or as much of it as one answer may hold; the rest follows behind `next_after`.
    pub(crate) fn listed(mut page: Page) -> Self {
        let mut bytes = 0_usize;
        let fits = |task: &&Task| {
            bytes = bytes.saturating_add(bytes_of(task));
            bytes <= LIST_BYTES
        };
        let fitting = page.tasks.iter().take_while(fits).count().max(1);
        if fitting < page.tasks.len() {
            page.tasks.truncate(fitting);
            page.next_after = page.tasks.last().map(|task| task.number);
        }
        Self::Listed(page)
    }

    /// Makes the result that is sent.
    pub(crate) fn into_result(self) -> Result<CallToolResult, serde_json::Error> {
        let text = self.sentence();
        let json = match self {
            Self::Changed(_, task) => serde_json::to_value(ChangedOut { task: task.into() })?,
            Self::Listed(page) => serde_json::to_value(ListOut::from(page))?,
        };
        Ok(result(CallToolResult::structured(json), text))
    }

    /// Says in words what happened.
    pub(crate) fn sentence(&self) -> String {
        match self {
            Self::Listed(page) => list_sentence(page),
            Self::Changed(deed, task) => {
                let (title, priority) = (&task.title, task.priority.as_str());
                match deed {
                    Deed::Created => format!("Task created: {title} (Priority: {priority})"),
                    Deed::Completed => format!("Task completed: {title}"),
                    Deed::Deleted => format!("Task deleted: {title}"),
                    Deed::Prioritized => format!("Priority changed: {title} (Priority: {priority})"),
                    Deed::Updated => {
                        let status = task.status.as_str();
                        format!("Task updated: {title} (Priority: {priority}, {status})")
                    }
                }
            }
        }
    }
}

impl Refusal {
    /// Makes the result that is sent.
    pub(crate) fn into_result(self) -> Result<CallToolResult, serde_json::Error> {
        let json: Value = serde_json::to_value(&self)?;
        Ok(result(CallToolResult::structured_error(json), self.message))
    }
}

fn bytes_of(task: &Task) -> usize {
    serde_json::to_string(&TaskOut::from(task.clone())).map_or(usize::MAX, |json| json.len())
}

fn result(mut result: CallToolResult, text: String) -> CallToolResult {
    result.content = vec![ContentBlock::text(text)];
    result
}

fn list_sentence(page: &Page) -> String {
    if page.tasks.is_empty() {
        return "No tasks found.".to_owned();
    }
    let mut text = "Your tasks:".to_owned();
    for task in &page.tasks {
        let mark = match task.status {
            Status::Pending => ' ',
            Status::Completed => 'x',
        };
        let (number, title, priority) = (task.number, &task.title, task.priority.as_str());
        text.push_str(&format!("\n{number}. [{mark}] {title} (Priority: {priority})"));
    }
    if let Some(after) = page.next_after {
        let (shown, total) = (page.tasks.len(), page.total);
        text.push_str(&format!("\nThese are {shown} of {total}; the next ones follow with after={after}."));
    }
    text
}

impl From<Page> for ListOut {
    fn from(page: Page) -> Self {
        let tasks = page.tasks.into_iter().map(TaskOut::from).collect();
        Self { tasks, next_after: page.next_after, total: page.total }
    }
}

impl From<Task> for TaskOut {
    fn from(task: Task) -> Self {
        Self {
            number: task.number,
            title: task.title,
            description: task.description,
            status: task.status,
            priority: task.priority,
            created_at: task.created_at,
            updated_at: task.updated_at,
            completed_at: task.completed_at,
        }
    }
}
