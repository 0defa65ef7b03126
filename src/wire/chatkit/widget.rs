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
    let mut children = vec![json!({"type": "Text", "value": line(task), "lineThrough": task.is_done()})];
    children.extend(badge(task));
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

/// Marks what is out of the ordinary and still to be done: a badge at every task would say nothing.
fn badge(task: &Task) -> Option<Value> {
    let color = match task.priority.as_str() {
        _ if task.is_done() => return None,
        "medium" => return None,
        "high" => "danger",
        _ => "secondary",
    };
    Some(json!({"type": "Badge", "label": task.priority, "color": color}))
}

fn line(task: &Task) -> String {
    format!("{}. {}", task.number, task.title)
}

impl Task {
    fn is_done(&self) -> bool {
        self.status == "completed"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_open_task_out_of_the_ordinary_has_a_badge() {
        let task =
            |status, priority| json!({"number": 1, "title": "Tea", "status": status, "priority": priority});
        let tasks = [("pending", "high"), ("pending", "medium"), ("pending", "low"), ("completed", "high")];
        let result = json!({"tasks": tasks.map(|(status, priority)| task(status, priority))});
        let item = widget(ConversationId::new(), CallId::new(), &result).unwrap();
        let shown = serde_json::to_value(item).unwrap();
        let badge = |row: &Value| {
            let parts = row["children"].as_array().unwrap().iter();
            parts.filter(|part| part["type"] == "Badge").map(|part| part["label"].clone()).next_back()
        };
        let badges = shown["widget"]["children"].as_array().unwrap().iter().map(badge);
        let labels: Vec<_> = badges.map(Option::unwrap_or_default).collect();
        assert_eq!(labels, [json!("high"), Value::Null, json!("low"), Value::Null]);
    }
}
