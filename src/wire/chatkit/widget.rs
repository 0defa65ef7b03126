//! The task list as a widget: a row for each task, and a button that completes it.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    key::ItemKey,
    shapes::{BodyOut, ItemOut},
};
use crate::domain::{CallId, ConversationId};

/// The tool whose answer is shown as a widget.
pub const LIST_TASKS: &str = "list_tasks";

/// The action of the button; its payload is `{"number"}`.
pub const COMPLETE_TASK: &str = "task.complete";

/// What a list of tasks holds, as far as it is shown.
#[derive(Deserialize)]
struct Listed {
    tasks: Vec<Task>,
}

#[derive(Deserialize)]
struct Task {
    number: i64,
    title: String,
    status: String,
    priority: String,
}

/// Shows what `list_tasks` has answered; nothing if that is no list.
pub fn widget(thread: ConversationId, call: CallId, result: &Value) -> Option<ItemOut> {
    let Listed { tasks } = Listed::deserialize(result).ok()?;
    let mut rows: Vec<Value> = tasks.iter().map(row).collect();
    if rows.is_empty() {
        rows.push(json!({"type": "ListViewItem", "children": [{"type": "Text", "value": "No tasks here."}]}));
    }
    let copy_text = tasks.iter().map(line).collect::<Vec<_>>().join("\n");
    let widget = json!({"type": "ListView", "children": rows});
    Some(ItemOut::new(thread, ItemKey::Widget(call), BodyOut::Widget { widget, copy_text }))
}

fn row(task: &Task) -> Value {
    let color = match task.priority.as_str() {
        "high" => "danger",
        "low" => "secondary",
        _ => "info",
    };
    let mut children = vec![
        json!({"type": "Text", "value": line(task), "lineThrough": task.is_done()}),
        json!({"type": "Badge", "label": task.priority, "color": color}),
    ];
    if !task.is_done() {
        let action = json!({
            "type": COMPLETE_TASK, "payload": {"number": task.number},
            "handler": "server", "loadingBehavior": "auto", "streaming": true,
        });
        children.push(json!({"type": "Spacer"}));
        children.push(json!({
            "type": "Button", "label": "Complete", "size": "sm", "variant": "soft", "onClickAction": action,
        }));
    }
    json!({"type": "ListViewItem", "key": format!("task-{}", task.number), "align": "center", "children": children})
}

fn line(task: &Task) -> String {
    format!("{}. {}", task.number, task.title)
}

impl Task {
    fn is_done(&self) -> bool {
        self.status == "completed"
    }
}
