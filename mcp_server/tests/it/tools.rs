//! What the tools answer, in words and in JSON, and what they say to a call that is not right.

use serde_json::{Value, json};

use crate::wire::{Wire, code, text};

#[tokio::test]
async fn every_tool_says_in_a_sentence_what_it_did() {
    let mut wire = Wire::supervised().await;
    let title = json!({ "title": "Buy milk", "priority": "high" });
    for (tool, arguments, sentence) in [
        ("list_tasks", json!({}), "No tasks found."),
        ("add_task", title, "Task created: Buy milk (Priority: high)"),
        ("add_task", json!({ "title": "Rest" }), "Task created: Rest (Priority: medium)"),
        ("complete_task", json!({ "number": 1 }), "Task completed: Buy milk"),
        (
            "list_tasks",
            json!({}),
            "Your tasks:\n1. [x] Buy milk (Priority: high)\n2. [ ] Rest (Priority: medium)",
        ),
        ("set_priority", json!({ "number": 2, "priority": "low" }), "Priority changed: Rest (Priority: low)"),
        (
            "update_task",
            json!({ "title_contains": "milk", "title": "Buy oat milk", "status": "pending" }),
            "Task updated: Buy oat milk (Priority: high, pending)",
        ),
        ("delete_task", json!({ "title_contains": "rest" }), "Task deleted: Rest"),
        ("list_tasks", json!({ "status": "completed" }), "No tasks found."),
    ] {
        let result = wire.call("ada", tool, arguments).await;
        assert_eq!((result["isError"].as_bool(), text(&result)), (Some(false), sentence));
    }
}

#[tokio::test]
async fn the_json_of_a_task_has_every_field_and_times_in_utc() {
    let mut wire = Wire::supervised().await;
    let mut result = wire.call("ada", "add_task", json!({ "title": "Buy milk" })).await;
    let mut task = result["structuredContent"]["task"].take();
    let created = task["created_at"].take();
    assert!(created.as_str().unwrap().ends_with('Z'));
    assert_eq!(task["updated_at"].take(), created);
    let expected = json!({
        "number": 1, "title": "Buy milk", "description": null, "status": "pending", "priority": "medium",
        "created_at": null, "updated_at": null, "completed_at": null,
    });
    assert_eq!(task, expected);
}

#[tokio::test]
async fn a_long_list_says_how_to_go_on() {
    let mut wire = Wire::supervised().await;
    for title in ["a", "b", "c"] {
        wire.call("ada", "add_task", json!({ "title": title })).await;
    }
    let page = wire.call("ada", "list_tasks", json!({ "limit": 2 })).await;
    assert!(text(&page).ends_with("These are 2 of 3; the next ones follow with after=2."));
    assert_eq!(page["structuredContent"]["next_after"], 2);
    assert_eq!(page["structuredContent"]["total"], 3);
    let rest = wire.call("ada", "list_tasks", json!({ "limit": 2, "after": 2 })).await;
    assert_eq!(rest["structuredContent"]["tasks"][0]["title"], "c");
    assert_eq!(rest["structuredContent"]["next_after"], Value::Null);
}

#[tokio::test]
async fn wrong_arguments_are_told_by_the_name_of_the_field() {
    let mut wire = Wire::supervised().await;
    let long = "x".repeat(201);
    for (tool, arguments, says) in [
        ("add_task", json!({}), "title"),
        ("add_task", json!({ "title": 5 }), "`title`"),
        ("add_task", json!({ "title": " " }), "`title`"),
        ("add_task", json!({ "title": long }), "`title` must have 1 to 200 characters, not 201"),
        ("add_task", json!({ "title": "a\nb" }), "`title`"),
        ("add_task", json!({ "title": "a\u{0}b" }), "NUL"),
        ("add_task", json!({ "title": "a", "description": "x".repeat(4001) }), "`description`"),
        ("add_task", json!({ "title": "a", "priority": "urgent" }), "`low`, `medium`, `high`"),
        ("add_task", json!({ "title": "a", "user_id": "bob" }), "unknown field `user_id`"),
        ("list_tasks", json!({ "limit": 0 }), "`limit` must be between 1 and 100"),
        ("list_tasks", json!({ "limit": 101 }), "`limit`"),
        ("list_tasks", json!({ "after": -1 }), "`after`"),
        ("list_tasks", json!({ "status": "open" }), "`pending`, `completed`, `all`"),
        ("list_tasks", json!({ "search": "x".repeat(201) }), "`search`"),
        ("list_tasks", json!({ "search": "a\u{0}" }), "NUL"),
        ("complete_task", json!({}), "`number` or `title_contains` is needed"),
        ("complete_task", json!({ "number": 1, "title_contains": "a" }), "give one of them"),
        ("complete_task", json!({ "number": 0 }), "`number`"),
        ("complete_task", json!({ "number": "1" }), "`number`"),
        ("delete_task", json!({ "title_contains": "  " }), "`title_contains`"),
        ("update_task", json!({ "number": 1 }), "at least one of"),
        ("set_priority", json!({ "number": 1 }), "missing field `priority`"),
    ] {
        let result = wire.call("ada", tool, arguments.clone()).await;
        assert_eq!(code(&result), "invalid_arguments", "{tool} {arguments}");
        assert!(text(&result).contains(says), "{tool} {arguments}: {}", text(&result));
    }
    assert_eq!(wire.titles("ada").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_tool_that_does_not_exist_is_a_fault_of_the_protocol() {
    let mut wire = Wire::supervised().await;
    let params = json!({ "name": "drop_tables", "arguments": {}, "_meta": { "dev.parlor/user-id": "ada" } });
    assert_eq!(wire.ask("tools/call", params).await["error"]["code"], -32602);
}

#[tokio::test]
async fn arguments_that_are_no_object_are_refused_like_all_wrong_ones() {
    let mut wire = Wire::supervised().await;
    for arguments in [json!("title"), json!([]), json!(7)] {
        let result = wire.call("ada", "add_task", arguments).await;
        assert_eq!(
            (code(&result), text(&result)),
            ("invalid_arguments", "`arguments` must be a JSON object")
        );
    }
}

#[tokio::test]
async fn null_counts_as_absent() {
    let mut wire = Wire::supervised().await;
    let arguments = json!({ "title": "milk", "description": null, "priority": null });
    wire.call("ada", "add_task", arguments).await;
    let result = wire.call("ada", "complete_task", json!({ "number": 1, "title_contains": null })).await;
    assert_eq!(result["structuredContent"]["task"]["status"], "completed");
}

#[tokio::test]
async fn a_task_that_is_missing_or_not_clear_is_told_with_a_way_out() {
    let mut wire = Wire::supervised().await;
    for title in ["Oat milk", "Cow milk"] {
        wire.call("ada", "add_task", json!({ "title": title })).await;
    }
    let missing = wire.call("ada", "delete_task", json!({ "number": 9 })).await;
    assert_eq!(code(&missing), "task_not_found");
    assert_eq!(text(&missing), "there is no task 9; call list_tasks to see the numbers");
    let unclear = wire.call("ada", "delete_task", json!({ "title_contains": "milk" })).await;
    assert_eq!(code(&unclear), "ambiguous_title");
    let says = "tasks 1 (Oat milk), 2 (Cow milk) match `milk`; \
                call again with the `number` of the one that is meant";
    assert_eq!(text(&unclear), says);
}

#[tokio::test]
async fn a_call_key_makes_a_repeat_harmless_and_a_misuse_plain() {
    let mut wire = Wire::supervised().await;
    let meta = json!({
        "dev.parlor/user-id": "ada",
        "dev.parlor/call-key": "01930d5c-7a5e-7000-8000-000000000001",
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    });
    let milk = json!({ "title": "milk" });
    let first = wire.call_with(meta.clone(), "add_task", milk.clone()).await;
    assert_eq!(wire.call_with(meta.clone(), "add_task", milk).await, first);
    let misused = wire.call_with(meta, "add_task", json!({ "title": "bread" })).await;
    assert_eq!(code(&misused), "call_key_reused");
    assert_eq!(wire.titles("ada").await, ["milk"]);
    let broken = json!({ "dev.parlor/user-id": "ada", "dev.parlor/call-key": "one" });
    let refused = wire.call_with(broken, "add_task", json!({ "title": "beer" })).await;
    assert_eq!(code(&refused), "invalid_arguments");
}
