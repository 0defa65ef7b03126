//! The bodies of the task list: read field by field, and described beside the reading.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    http::{
        fields::{Fields, described_optional_title, described_title},
        problem::Problem,
    },
    wire::{TaskPriority, TaskStatus},
};

/// The most characters of a description.
const LONGEST_DESCRIPTION: usize = 4_000;

/// How urgent a task can be.
pub(super) const PRIORITIES: [&str; 3] = ["low", "medium", "high"];

const STATUSES: [&str; 2] = ["pending", "completed"];

/// A task that a client asks for.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewTask)]
pub(super) struct NewTaskIn {
    #[schema(schema_with = described_title)]
    title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 4000, pattern = r"^[^\u0000]*$")]
    description: Option<String>,
    /// `medium` if it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<TaskPriority>)]
    priority: Option<&'static str>,
}

/// New values for some fields of a task, at least one; what is left out stays.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TaskEdit)]
pub(super) struct TaskEditIn {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = described_optional_title)]
    title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 4000, pattern = r"^[^\u0000]*$")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<TaskPriority>)]
    priority: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<TaskStatus>)]
    status: Option<&'static str>,
}

impl NewTaskIn {
    /// Reads the body.
    pub(super) fn parse(mut fields: Fields) -> Result<Self, Problem> {
        if !fields.has("title") {
            fields.fault("title", "is required");
        }
        let new = Self {
            title: title(&mut fields).unwrap_or_default(),
            description: description(&mut fields),
            priority: fields.choice("priority", &PRIORITIES),
        };
        fields.finish()?;
        Ok(new)
    }
}

impl TaskEditIn {
    /// Reads the body.
    pub(super) fn parse(mut fields: Fields) -> Result<Self, Problem> {
        let edit = Self {
            title: title(&mut fields),
            description: description(&mut fields),
            priority: fields.choice("priority", &PRIORITIES),
            status: fields.choice("status", &STATUSES),
        };
        fields.finish()?;
        Ok(edit)
    }
}

fn title(fields: &mut Fields) -> Option<String> {
    fields.title("title").map(|title| title.as_str().to_owned())
}

fn description(fields: &mut Fields) -> Option<String> {
    let description = fields.text("description");
    if description.as_ref().is_some_and(|text| text.chars().count() > LONGEST_DESCRIPTION) {
        fields.fault("description", "must be at most 4000 characters");
    }
    description
}
