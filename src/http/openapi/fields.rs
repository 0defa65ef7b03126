//! Which fields must be there: all of an answer, and at least one of a change.

use serde_json::{Map, Value, json};

use super::components::reference;

/// The schemas of requests, and of the one answer whose fields come and go.
const LOOSE: [&str; 8] = [
    "NewTurn",
    "Retry",
    "NewConversation",
    "ConversationEdit",
    "NewTask",
    "TaskEdit",
    "ChatKitRequest",
    "Problem",
];

/// The field that an answer has only where there is something to say.
const SELDOM: &str = "retry_after_seconds";

/// The pages, and what is on them.
const PAGES: [(&str, &str); 3] =
    [("Page_Conversation", "Conversation"), ("Page_Message", "Message"), ("Page_Task", "Task")];

/// Demands every field of what the service answers: what there is not is null.
pub(super) fn demand_all_fields(schemas: &mut Map<String, Value>) {
    for (name, schema) in schemas.iter_mut().filter(|(name, _)| !LOOSE.contains(&name.as_str())) {
        demand_all(schema);
        let page = PAGES.iter().find(|(page, _)| page == name);
        if let Some(((_, item), items)) = page.zip(schema.pointer_mut("/properties/data/items")) {
            *items = reference("schemas", item);
        }
    }
}

fn demand_all(schema: &mut Value) {
    for part in schema.get_mut("allOf").and_then(Value::as_array_mut).into_iter().flatten() {
        demand_all(part);
    }
    let fields = schema.get("properties").and_then(Value::as_object);
    let fields: Option<Vec<String>> =
        fields.map(|fields| fields.keys().filter(|name| *name != SELDOM).cloned().collect());
    if let Some((fields, schema)) = fields.zip(schema.as_object_mut()) {
        schema.insert("required".into(), fields.into());
    }
}

/// Demands one field that is not null, whichever it is: a change must change something.
pub(super) fn demand_something(schemas: &mut Map<String, Value>, name: &str) {
    let Some(schema) = schemas.get_mut(name).and_then(Value::as_object_mut) else { return };
    let fields = schema.get("properties").and_then(Value::as_object);
    let any_of: Vec<Value> = fields
        .into_iter()
        .flat_map(Map::keys)
        .map(|field| json!({"required": [field], "properties": {field: {"not": {"type": "null"}}}}))
        .collect();
    schema.insert("anyOf".into(), any_of.into());
}
