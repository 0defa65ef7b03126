//! How each tool is published. The texts are written for a model that has to choose among them.

use rmcp::model::{Tool, ToolAnnotations};

use super::{ChangedOut, ListOut, ToolName, inputs, schemas};

impl ToolName {
    /// Makes the entry of the tool in `tools/list`.
    pub(crate) fn definition(self) -> Tool {
        let input = match self {
            Self::AddTask => schemas::of::<inputs::AddTask>(),
            Self::ListTasks => schemas::of::<inputs::ListTasks>(),
            Self::CompleteTask | Self::DeleteTask => schemas::of::<inputs::OneTask>(),
            Self::UpdateTask => schemas::of::<inputs::UpdateTask>(),
            Self::SetPriority => schemas::of::<inputs::SetPriority>(),
        };
        let output = if self.is_read_only() {
            schemas::of_answer::<ListOut>()
        } else {
            schemas::of_answer::<ChangedOut>()
        };
        Tool::new(self.as_str(), self.description(), input)
            .with_title(self.title())
            .with_raw_output_schema(output)
            .with_annotations(self.annotations())
    }

    const fn title(self) -> &'static str {
        match self {
            Self::AddTask => "Add task",
            Self::ListTasks => "List tasks",
            Self::CompleteTask => "Complete task",
            Self::DeleteTask => "Delete task",
            Self::UpdateTask => "Update task",
            Self::SetPriority => "Set priority",
        }
    }

    const fn description(self) -> &'static str {
        match self {
            Self::AddTask => {
                "Adds one task to the user's list and returns it with its number. To add several tasks, call this \
                 once for each."
            }
            Self::ListTasks => {
                "Lists the user's tasks by number, oldest first. Shows pending and completed tasks unless status says \
                 otherwise. Use it to find the number of a task before changing it."
            }
            Self::CompleteTask => {
                "Marks one task as completed. Name it by number, or by title_contains. A task that is already \
                 completed stays as it is."
            }
            Self::DeleteTask => {
                "Deletes one task for good. Name it by number, or by title_contains. For a task that is done, use \
                 complete_task instead."
            }
            Self::UpdateTask => {
                "Changes the title, description, priority or status of one task. Name the task by number, or by \
                 title_contains, and give at least one new value. What is left out stays as it is."
            }
            Self::SetPriority => {
                "Sets the priority of one task to low, medium or high. Name the task by number, or by title_contains."
            }
        }
    }

    /// Says what the tool does to the world. Nothing outside the user's own list is ever touched. Deleting by title
    /// is not idempotent: the second call may find another task with that text.
    fn annotations(self) -> ToolAnnotations {
        let (is_destructive, is_idempotent) = match self {
            Self::AddTask => (false, false),
            Self::ListTasks | Self::CompleteTask | Self::UpdateTask | Self::SetPriority => (false, true),
            Self::DeleteTask => (true, false),
        };
        ToolAnnotations::with_title(self.title())
            .read_only(self.is_read_only())
            .destructive(is_destructive)
            .idempotent(is_idempotent)
            .open_world(false)
    }
}
