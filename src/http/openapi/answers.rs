//! What the answers hold: streams hold events, and each success has an example.

use serde_json::{Map, Value, json};

use super::components::reference;

/// The conversation, the run and so on of all examples.
const CONVERSATION: &str = "01a1f7f2-045c-7a10-8c55-3f2b1f6d9e01";
const RUN: &str = "01a1f7f2-045b-7d31-9a7e-5b0c2d4e6f12";
const MESSAGE: &str = "01a1f7f2-046e-7c44-b6d2-7e9f1a2b3c23";
const CALL: &str = "01a1f7f2-045f-7b22-8e1d-4a6b8c0d2e34";
const TIME: &str = "2026-11-20T08:30:00.000000Z";

/// Says what a stream holds, and gives the success of an operation its example.
pub(super) fn complete(operation: &str, status: &str, response: &mut Map<String, Value>) {
    let Some(content) = response.get_mut("content").and_then(Value::as_object_mut) else { return };
    for (media_type, media) in content {
        let Some(media) = media.as_object_mut() else { continue };
        if media_type == "text/event-stream" {
            let schema = match operation {
                "chat" | "retry" => {
                    json!({"anyOf": [reference("schemas", "Frame"), reference("schemas", "SimpleFrame")]})
                }
                "chatkit" | "chatkit_of_user" => json!({"type": "string"}),
                _ => reference("schemas", "Frame"),
            };
            media.insert("schema".into(), schema);
        }
        let example = match media_type.as_str() {
            "text/event-stream" if operation.starts_with("chatkit") => Some(OPTIONS.into()),
            "text/event-stream" => Some(EVENTS.into()),
            "text/plain" => Some("All done! I added 2 tasks.".into()),
            "application/json" => example(operation, status),
            _ => None,
        };
        if let Some(example) = example {
            media.insert("example".into(), example);
        }
    }
}

/// The first frames of a turn.
const EVENTS: &str = "retry: 1000\n\nid: 1\nevent: run.created\ndata: \
    {\"run_id\":\"01a1f7f2-045b-7d31-9a7e-5b0c2d4e6f12\",\"conversation_id\":\"01a1f7f2-045c-7a10-8c55-3f2b1f6d9e01\",\
    \"user_message_id\":\"01a1f7f2-045a-7b54-a1c3-8f0a2b3c4d34\",\"provider\":\"demo\",\"model\":\"demo\",\"attempt\":1}\n\n\
    id: 2\nevent: message.delta\ndata: {\"message_id\":\"01a1f7f2-046e-7c44-b6d2-7e9f1a2b3c23\",\"delta\":\"All \"}\n\n";

/// A frame of ChatKit.
const OPTIONS: &str = "data: {\"type\":\"stream_options\",\"stream_options\":{\"allow_cancel\":true}}\n\n";

/// Returns what an operation may answer.
fn example(operation: &str, status: &str) -> Option<Value> {
    let page = |item: Value| json!({"data": [item], "next_cursor": null});
    let example = match (operation, status) {
        ("chat" | "retry", _) => chat(),
        ("chatkit" | "chatkit_of_user", _) => json!({"data": [], "has_more": false}),
        ("list_conversations", _) => page(conversation("Groceries")),
        ("create_conversation" | "read_conversation", _) => conversation("Groceries"),
        ("edit_conversation", _) => conversation("Errands"),
        ("list_messages", _) => page(message()),
        ("read_run", _) => run("running", None),
        ("cancel_run", _) => run("cancelled", Some(TIME)),
        ("list_tasks", _) => page(task("pending", None)),
        ("create_task" | "read_task", _) => task("pending", None),
        ("edit_task", _) => task("completed", Some(TIME)),
        ("live", _) => json!({"status": "live"}),
        ("ready", "200") => ready("ready", ("ok", "reachable"), ("ok", "current")),
        ("ready", _) => ready("not_ready", ("down", "it does not answer"), ("down", "not known")),
        ("openapi", _) => json!({"openapi": "3.1.0"}),
        _ => return None,
    };
    Some(example)
}

fn conversation(title: &str) -> Value {
    json!({"id": CONVERSATION, "title": title, "active_run_id": null, "created_at": TIME, "updated_at": TIME})
}

fn message() -> Value {
    json!({
        "id": MESSAGE, "conversation_id": CONVERSATION, "run_id": RUN, "position": 4, "role": "assistant",
        "content": "Done! Task created: buy milk", "created_at": TIME, "incomplete": false, "tool_calls": [],
        "feedback": null,
    })
}

fn usage() -> Value {
    json!({
        "input_tokens": 640, "output_tokens": 61, "total_tokens": 701, "cached_input_tokens": 0, "reasoning_tokens": 0,
        "model_calls": 2, "estimated": true, "cost_micros": null,
    })
}

fn run(status: &str, ended_at: Option<&str>) -> Value {
    json!({
        "id": RUN, "conversation_id": CONVERSATION, "status": status, "resumes": null, "provider": "demo",
        "model": "demo", "attempt": 1, "last_event_id": 7, "usage": usage(), "error": null, "created_at": TIME,
        "first_delta_at": TIME, "ended_at": ended_at,
    })
}

fn task(status: &str, completed_at: Option<&str>) -> Value {
    json!({
        "number": 1, "title": "Buy milk", "description": null, "status": status, "priority": "medium",
        "created_at": TIME, "updated_at": TIME, "completed_at": completed_at,
    })
}

fn chat() -> Value {
    let call = json!({
        "call_id": CALL, "message_id": MESSAGE, "server": "tasks", "name": "add_task", "arguments": {"title": "buy milk"},
        "status": "ok", "is_error": false, "result": {"task": task("pending", None)}, "truncated": false,
        "duration_ms": 4,
    });
    json!({
        "run_id": RUN, "conversation_id": CONVERSATION, "status": "completed", "message": message(),
        "tool_calls": [call], "notices": [], "usage": usage(),
    })
}

fn ready(status: &str, database: (&str, &str), migrations: (&str, &str)) -> Value {
    let part = |(status, detail): (&str, &str)| json!({"status": status, "detail": detail});
    let parts = json!({
        "database": part(database), "migrations": part(migrations), "mcp:tasks": part(("ok", "up")),
        "model": part(("ok", "demo demo")),
    });
    json!({"status": status, "parts": parts})
}
