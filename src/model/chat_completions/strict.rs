//! The strictest dialect: OpenAI's structured outputs, where a model cannot write arguments that do not fit. The price: every
//! field must be there, so what may be left out is written as null, and taken out again before anybody checks it.

use serde_json::{Map, Value, json};

/// How deep a schema may go; one that goes deeper is not written strictly.
const DEPTH_LIMIT: usize = 16;

/// What may stand in a strict schema as it is.
const KEPT: [&str; 13] = [
    "type",
    "title",
    "description",
    "enum",
    "const",
    "pattern",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minItems",
    "maxItems",
];

/// The formats that it knows.
const FORMATS: [&str; 9] =
    ["date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"];

/// Writes a schema strictly; nothing if it cannot be, as for objects with any fields.
pub(super) fn projected(schema: &Value) -> Option<Value> {
    let projected = strict(schema, 0)?;
    (projected.get("type") == Some(&json!("object"))).then_some(projected)
}

fn strict(schema: &Value, depth: usize) -> Option<Value> {
    let fields = schema.as_object().filter(|_| depth < DEPTH_LIMIT)?;
    if let Some(target) = fields.get("$ref") {
        return Some(json!({"$ref": target}));
    }
    if fields.contains_key("allOf") {
        return None;
    }
    let mut projected = Map::new();
    for (key, value) in fields {
        let value = match (key.as_str(), value) {
            ("anyOf" | "oneOf", Value::Array(choices)) => {
                let choices =
                    choices.iter().map(|choice| strict(choice, depth + 1)).collect::<Option<_>>()?;
                projected.insert("anyOf".into(), Value::Array(choices));
                continue;
            }
            ("items", items) => strict(items, depth + 1)?,
            ("$defs" | "definitions", Value::Object(all)) => {
                let each = all.iter().map(|(name, one)| Some((name.clone(), strict(one, depth + 1)?)));
                Value::Object(each.collect::<Option<_>>()?)
            }
            ("format", Value::String(format)) if FORMATS.contains(&format.as_str()) => value.clone(),
            (kept, value) if KEPT.contains(&kept) => value.clone(),
            (_, _) => continue, // what is lost is still enforced, against the whole schema
        };
        projected.insert(key.clone(), value);
    }
    if is_object(schema) {
        close(fields, &mut projected, depth)?;
    }
    let says_something = ["type", "enum", "const", "anyOf"].iter().any(|key| projected.contains_key(*key));
    says_something.then_some(Value::Object(projected))
}

/// Closes an object: these fields, all of them, and no others.
fn close(fields: &Map<String, Value>, projected: &mut Map<String, Value>, depth: usize) -> Option<()> {
    let properties = fields.get("properties").and_then(Value::as_object);
    let is_open = match fields.get("additionalProperties") {
        Some(Value::Bool(false)) => false,
        Some(Value::Object(_)) => true,
        Some(_) | None => properties.is_none(),
    };
    if is_open {
        return None;
    }
    let mut all = Map::new();
    for (name, property) in properties.into_iter().flatten() {
        let strict = strict(property, depth + 1)?;
        all.insert(name.clone(), if is_required(fields, name) { strict } else { nullable(strict) });
    }
    projected.insert("required".into(), all.keys().cloned().collect());
    projected.insert("properties".into(), Value::Object(all));
    projected.insert("additionalProperties".into(), Value::Bool(false));
    Some(())
}

fn is_object(schema: &Value) -> bool {
    schema.get("type").is_some_and(|kind| match kind {
        Value::Array(kinds) => kinds.iter().any(|kind| kind == "object"),
        kind => kind == "object",
    })
}

fn is_required(fields: &Map<String, Value>, name: &str) -> bool {
    fields.get("required").and_then(Value::as_array).is_some_and(|names| names.iter().any(|one| one == name))
}

/// Lets a schema take null too.
fn nullable(schema: Value) -> Value {
    let Value::Object(mut fields) = schema else { return schema };
    let null = Value::String("null".into());
    if let Some(Value::Array(choices)) = fields.get_mut("anyOf") {
        if !choices.iter().any(|choice| choice.get("type") == Some(&null)) {
            choices.push(json!({"type": "null"}));
        }
    } else if fields.contains_key("type") {
        let kinds = match fields.remove("type") {
            Some(Value::Array(kinds)) => kinds,
            Some(kind) => vec![kind],
            None => Vec::new(),
        };
        let others: Vec<Value> = kinds.into_iter().filter(|kind| *kind != null).collect();
        fields.insert("type".into(), [others, vec![null]].concat().into());
        if let Some(Value::Array(values)) = fields.get_mut("enum")
            && !values.contains(&Value::Null)
        {
            values.push(Value::Null);
        }
        if let Some(constant) = fields.remove("const") {
            fields.insert("enum".into(), json!([constant, null]));
        }
    } else {
        return json!({"anyOf": [Value::Object(fields), {"type": "null"}]});
    }
    Value::Object(fields)
}

/// Takes the nulls out of arguments that only stand there because something had to.
pub(super) fn without_fillers(arguments: &str, schema: &Value) -> String {
    match serde_json::from_str::<Value>(arguments) {
        Ok(mut read @ Value::Object(_)) => {
            take_out(&mut read, schema, schema, 0);
            read.to_string()
        }
        Ok(_) | Err(_) => arguments.to_owned(),
    }
}

fn take_out(value: &mut Value, schema: &Value, root: &Value, depth: usize) {
    let Some(schema) = target(schema, root).and_then(Value::as_object).filter(|_| depth < DEPTH_LIMIT) else {
        return;
    };
    match value {
        Value::Object(fields) => {
            let properties = schema.get("properties");
            let property = |name: &str| properties.and_then(|properties| properties.get(name));
            fields.retain(|name, value| {
                let refuses = || property(name).is_some_and(|property| !takes_null(property, root, 0));
                !(value.is_null() && !is_required(schema, name) && refuses())
            });
            for (name, value) in fields {
                if let Some(property) = property(name) {
                    take_out(value, property, root, depth + 1);
                }
            }
        }
        Value::Array(values) => {
            let items = schema.get("items").unwrap_or(&Value::Null);
            values.iter_mut().for_each(|value| take_out(value, items, root, depth + 1));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Tells whether null is a value of its own under a schema.
fn takes_null(schema: &Value, root: &Value, depth: usize) -> bool {
    let Some(fields) = target(schema, root).and_then(Value::as_object).filter(|_| depth < DEPTH_LIMIT) else {
        return true;
    };
    let choices = ["anyOf", "oneOf"].iter().find_map(|key| fields.get(*key).and_then(Value::as_array));
    let by_type = fields.get("type").is_none_or(|kind| match kind {
        Value::Array(kinds) => kinds.iter().any(|kind| kind == "null"),
        kind => kind == "null",
    });
    let by_value = fields.get("enum").and_then(Value::as_array).is_none_or(|all| all.contains(&Value::Null));
    let by_choice =
        choices.is_none_or(|choices| choices.iter().any(|choice| takes_null(choice, root, depth + 1)));
    by_type && by_value && by_choice && fields.get("const").is_none_or(Value::is_null)
}

/// Follows a reference, if a schema is one.
fn target<'a>(schema: &'a Value, root: &'a Value) -> Option<&'a Value> {
    match schema.get("$ref").and_then(Value::as_str) {
        Some(reference) => root.pointer(reference.strip_prefix('#')?),
        None => Some(schema),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> Value {
        json!({
            "$schema": "x", "type": "object", "required": ["title"], "additionalProperties": false,
            "properties": {
                "title": {"type": "string", "minLength": 1, "default": "x"},
                "note": {"type": ["string", "null"], "format": "uint32"},
                "priority": {"$ref": "#/$defs/Priority"},
                "kind": {"type": "string", "const": "a"},
                "tags": {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}}}},
            },
            "$defs": {"Priority": {"type": "string", "enum": ["low", "high"]}},
        })
    }

    #[test]
    fn every_field_must_be_there_and_what_could_be_left_out_may_be_null() {
        let expected = json!({
            "type": "object", "required": ["kind", "note", "priority", "tags", "title"], "additionalProperties": false,
            "properties": {
                "title": {"type": "string"},
                "note": {"type": ["string", "null"]},
                "priority": {"anyOf": [{"$ref": "#/$defs/Priority"}, {"type": "null"}]},
                "kind": {"type": ["string", "null"], "enum": ["a", null]},
                "tags": {"type": ["array", "null"], "items": {
                    "type": "object", "required": ["name"], "additionalProperties": false,
                    "properties": {"name": {"type": ["string", "null"]}},
                }},
            },
            "$defs": {"Priority": {"type": "string", "enum": ["low", "high"]}},
        });
        let mut projected = projected(&schema()).unwrap();
        if let Some(Value::Array(names)) = projected.get_mut("required") {
            names.sort_by_key(Value::to_string);
        }
        assert_eq!(projected, expected);
    }

    #[test]
    fn what_cannot_be_said_strictly_is_not() {
        for open in [
            json!({"type": "object"}),
            json!({"type": "object", "properties": {}, "additionalProperties": {"type": "string"}}),
            json!({"type": "object", "properties": {"any": {}}}),
            json!({"type": "object", "properties": {"map": {"type": "object"}}}),
            json!({"type": "object", "properties": {}, "allOf": [{}]}),
            json!({"anyOf": [{"type": "object", "properties": {}}]}),
            json!(true),
        ] {
            assert_eq!(projected(&open), None, "{open}");
        }
        let choice =
            json!({"type": "object", "properties": {"a": {"oneOf": [{"type": "string"}, {"const": 1}]}}});
        let choices = json!([{"type": "string"}, {"const": 1}, {"type": "null"}]);
        assert_eq!(projected(&choice).unwrap()["properties"]["a"], json!({"anyOf": choices}));
        let nothing = json!({"type": "object", "properties": {}});
        assert!(projected(&nothing).is_some());
    }

    #[test]
    fn nulls_that_only_fill_a_place_are_taken_out_and_those_that_mean_something_stay() {
        let told =
            r#"{"title":null,"note":null,"priority":null,"kind":null,"tags":[{"name":null}],"other":null}"#;
        let read: Value = serde_json::from_str(&without_fillers(told, &schema())).unwrap();
        assert_eq!(read, json!({"title": null, "note": null, "tags": [{}], "other": null}));
        for broken in ["{\"title\":", "[null]", ""] {
            assert_eq!(without_fillers(broken, &schema()), broken);
        }
    }
}
