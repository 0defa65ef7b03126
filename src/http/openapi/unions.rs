//! Unions whose parts are told apart by one field: messages by `role`, events by `event`.

use serde_json::{Map, Value, json};

use super::components::reference;
use crate::wire::EVENTS;

/// Says of each union which field tells its parts apart.
pub(super) fn name_their_parts(schemas: &mut Map<String, Value>) {
    let roles = [("user", "UserMessage"), ("assistant", "AssistantMessage"), ("tool", "ToolMessage")];
    for (role, part) in roles {
        require_word(schemas, part, "role", role);
    }
    let message = union(
        "A message: what the user, the model or a tool said.",
        "role",
        &roles.map(|(role, part)| (role, part.to_owned())),
    );
    schemas.insert("Message".into(), message);
    for (event, data) in EVENTS {
        schemas.insert(event_schema(event), of_event(event, data));
    }
    let event = union(
        "One event of a run, read from its frame: `id:` is its id, `event:` its name, and `data:`, which is one line of \
         JSON, its data. Ids rise; compare them, do not count them. Ignore events that you do not know.",
        "event",
        &EVENTS.map(|(event, _)| (event, event_schema(event))),
    );
    schemas.insert("Event".into(), event);
    schemas.insert("Frame".into(), frame());
    schemas.insert("SimpleFrame".into(), simple_frame());
}

fn union<const N: usize>(description: &str, field: &str, parts: &[(&str, String); N]) -> Value {
    let target = |part: &str| format!("#/components/schemas/{part}");
    let mapping: Map<String, Value> =
        parts.iter().map(|(word, part)| ((*word).to_owned(), target(part).into())).collect();
    let one_of: Vec<Value> = parts.iter().map(|(_, part)| reference("schemas", part)).collect();
    json!({
        "description": description,
        "oneOf": one_of,
        "discriminator": {"propertyName": field, "mapping": mapping},
    })
}

/// Demands that a field holds a word.
fn require_word(schemas: &mut Map<String, Value>, part: &str, field: &str, word: &str) {
    let demand = json!({"type": "object", "required": [field], "properties": {field: {"type": "string", "const": word}}});
    let parts = schemas.get_mut(part).and_then(|schema| schema.get_mut("allOf"));
    if let Some(parts) = parts.and_then(Value::as_array_mut) {
        parts.push(demand);
    }
}

/// Returns the name of an event's schema: `run.awaiting_approval` is `RunAwaitingApprovalEvent`.
fn event_schema(event: &str) -> String {
    let words = event.split(['.', '_']).map(|word| match word.split_at_checked(1) {
        Some((first, rest)) => first.to_uppercase() + rest,
        None => String::new(),
    });
    words.collect::<String>() + "Event"
}

fn of_event(event: &str, data: &str) -> Value {
    json!({
        "type": "object",
        "required": ["id", "event", "data"],
        "properties": {
            "id": {"type": "integer", "format": "int64", "minimum": 1},
            "event": {"type": "string", "const": event},
            "data": reference("schemas", data),
        },
    })
}

/// Describes what the stream is made of, as a reader of server-sent events hands it over: each event in its frame, and
/// the last frame. A frame without a name is a `message` (WHATWG HTML, 9.2.6).
fn frame() -> Value {
    let mut frames: Vec<Value> = EVENTS.iter().map(|(event, data)| frame_of(event, data)).collect();
    frames.push(json!({
        "type": "object", "required": ["data"],
        "properties": {"event": {"type": "string", "const": "message"}, "data": {"type": "string", "const": "[DONE]"}},
    }));
    json!({
        "description": "One frame of the stream: an event, whose data is one line of JSON, or after the end of the run \
            `[DONE]`. The stream begins with `retry: 1000` and breaks every 15 seconds of silence with a comment.",
        "oneOf": frames,
    })
}

fn frame_of(event: &str, data: &str) -> Value {
    let data = json!({
        "type": "string", "contentMediaType": "application/json", "contentSchema": reference("schemas", data),
    });
    json!({
        "type": "object",
        "required": ["id", "event", "data"],
        "properties": {
            "id": {"type": "string", "pattern": "^[0-9]+$"},
            "event": {"type": "string", "const": event},
            "data": data,
        },
    })
}

fn simple_frame() -> Value {
    json!({
        "description": "With `format=text`: a piece of text, `[DONE]` at the end, or with the event `error` a sentence that \
            says what went wrong.",
        "type": "object",
        "required": ["data"],
        "not": {"required": ["id"]},
        "properties": {"event": {"type": "string", "enum": ["message", "error"]}, "data": {"type": "string"}},
    })
}
