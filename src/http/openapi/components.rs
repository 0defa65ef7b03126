//! The parts of the description that many operations refer to: parameters, headers, and how users are known.

use serde_json::{Value, json};

/// A reference to a component.
pub(super) fn reference(kind: &str, name: &str) -> Value {
    json!({"$ref": format!("#/components/{kind}/{name}")})
}

/// Adds the common parts.
pub(super) fn add(document: &mut Value) {
    let Some(components) = document.get_mut("components").and_then(Value::as_object_mut) else { return };
    components.insert("parameters".into(), parameters());
    components.insert("headers".into(), headers());
    components.insert("securitySchemes".into(), security());
}

fn in_path(name: &str, description: &str, schema: &Value) -> Value {
    json!({"name": name, "in": "path", "required": true, "description": description, "schema": schema})
}

/// Describes a parameter of the query. An empty one counts as absent.
fn in_query(name: &str, description: &str, schema: &Value) -> Value {
    json!({
        "name": name, "in": "query", "description": description, "schema": schema, "allowEmptyValue": true,
    })
}

fn parameters() -> Value {
    let user = json!({
        "type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._@:|+~=-]{0,127}$", "maxLength": 128, "examples": ["local"],
    });
    let number = json!({"type": "integer", "format": "int64", "minimum": 1, "examples": [1]});
    let limit = json!({"type": "integer", "minimum": 1, "maximum": 100, "default": 20});
    let conversation = reference("schemas", "ConversationId");
    let cursor = json!({"type": "string"});
    let sub = "Who asks: the `sub` of the token, or any name with `AUTH_MODE=none`.";
    json!({
        "user_id": in_path("user_id", sub, &user),
        "conversation_id": in_path("conversation_id", "The conversation.", &conversation),
        "run_id": in_path("run_id", "The run.", &reference("schemas", "RunId")),
        "number": in_path("number", "The user's number of the task.", &number),
        "limit": in_query("limit", "How many there are on a page.", &limit),
        "cursor": in_query("cursor", "The `next_cursor` of the page before.", &cursor),
        "request_id": {
            "name": "X-Request-Id", "in": "header", "schema": {"type": "string"},
            "description": "An id of the client's own, kept if it is `[A-Za-z0-9_-]{1,64}`; otherwise there is a new one.",
        },
    })
}

fn headers() -> Value {
    let header = |description: &str, schema: Value| json!({"description": description, "required": true, "schema": schema});
    json!({
        "request_id": header(
            "The id under which the log knows the request.",
            json!({"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"}),
        ),
        "challenge": header("How to authenticate (RFC 6750).", json!({"type": "string", "pattern": "^Bearer"})),
        "retry_after": header("Seconds until it is worth another try.", json!({"type": "integer", "minimum": 0})),
    })
}

fn security() -> Value {
    json!({"bearer": {
        "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
        "description": "With `AUTH_MODE=jwt`: a token whose `sub` is the user in the path. \
            With `AUTH_MODE=none` no token is read.",
    }})
}
