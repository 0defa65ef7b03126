//! What the tools take. The doc comments of the fields are what a model reads about them; limits in the schema are
//! checked again in code, because a model may overlook a schema.
//!
//! An optional field is published with its plain type, without `null`: some providers take no unions of types. A
//! `null` that comes all the same counts as absent.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::task::{Priority, Status};

/// The arguments of `add_task`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AddTask {
    /// What is to be done, in one short line.
    #[schemars(length(min = 1, max = 200))]
    pub(super) title: String,
    /// More about the task, if the user gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 4000))]
    pub(super) description: Option<String>,
    /// How urgent it is. Medium if the user did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Priority", extend("default" = "medium"))]
    pub(super) priority: Option<Priority>,
}

/// The arguments of `list_tasks`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListTasks {
    /// Only tasks with this status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "StatusFilter", extend("default" = "all"))]
    pub(super) status: Option<StatusFilter>,
    /// Only tasks with this priority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Priority")]
    pub(super) priority: Option<Priority>,
    /// Only tasks with this text in the title or the description, in capital or small letters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 200))]
    pub(super) search: Option<String>,
    /// How many tasks to return at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i64", range(min = 1, max = 100), extend("default" = 50))]
    pub(super) limit: Option<i64>,
    /// Only tasks with a higher number: the next_after of the previous answer, to go on with a long list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i64", range(min = 0))]
    pub(super) after: Option<i64>,
}

/// Which tasks a list shows.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum StatusFilter {
    Pending,
    Completed,
    #[default]
    All,
}

/// The arguments of `complete_task` and of `delete_task`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OneTask {
    /// The number of the task. Give this or title_contains, not both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i64", range(min = 1))]
    pub(super) number: Option<i64>,
    /// The title of the task, or a part of it that no other task has. Give this or number, not both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 200))]
    pub(super) title_contains: Option<String>,
}

/// The arguments of `update_task`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UpdateTask {
    /// The number of the task. Give this or title_contains, not both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i64", range(min = 1))]
    pub(super) number: Option<i64>,
    /// The title of the task, or a part of it that no other task has. Give this or number, not both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 200))]
    pub(super) title_contains: Option<String>,
    /// The new title. Leave it out to keep the title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 200))]
    pub(super) title: Option<String>,
    /// The new description. Leave it out to keep the description; an empty text removes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 4000))]
    pub(super) description: Option<String>,
    /// The new priority. Leave it out to keep the priority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Priority")]
    pub(super) priority: Option<Priority>,
    /// The new status. Leave it out to keep the status; pending opens a completed task again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Status")]
    pub(super) status: Option<Status>,
}

/// The arguments of `set_priority`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SetPriority {
    /// The number of the task. Give this or title_contains, not both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i64", range(min = 1))]
    pub(super) number: Option<i64>,
    /// The title of the task, or a part of it that no other task has. Give this or number, not both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 200))]
    pub(super) title_contains: Option<String>,
    /// The new priority.
    pub(super) priority: Priority,
}
