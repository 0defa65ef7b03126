//! Brings a tool's schema into the part of JSON Schema that a provider understands. What is lost here is
//! still enforced: the arguments are checked against the whole schema before a call is made.

use serde_json::{Map, Value, json};

use crate::model::providers::quirks::Dialect;

/// How deep references are followed; a schema that goes deeper, or round in circles, ends as "any object".
const DEPTH_LIMIT: usize = 16;

/// What Gemini's subset does not know.
const UNKNOWN_TO_GEMINI: [&str; 9] = [
    "$id",
    "$defs",
    "definitions",
    "additionalProperties",
    "unevaluatedProperties",
    "propertyNames",
    "patternProperties",
    "exclusiveMinimum",
    "exclusiveMaximum",
];

/// Returns the schema as the provider is to see it.
pub(super) fn project(schema: &Value, dialect: Dialect) -> Value {
    let mut projected = match dialect {
        Dialect::Full | Dialect::OpenAiStrict => schema.clone(), // `strict` writes what can be written strictly
        Dialect::Gemini => gemini(schema, schema, 0),
    };
    if let Value::Object(fields) = &mut projected {
        fields.remove("$schema");
        // Groq's gpt-oss refuses an empty list beside empty properties.
        if fields.get("required").and_then(Value::as_array).is_some_and(Vec::is_empty) {
            fields.remove("required");
        }
    }
    projected
}

fn gemini(schema: &Value, root: &Value, depth: usize) -> Value {
    let Value::Object(fields) = schema else {
        return json!({});
    };
    if depth > DEPTH_LIMIT {
        return json!({"type": "object"});
    }
    if let Some(target) = fields.get("$ref").and_then(Value::as_str) {
        let target = target.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
        return gemini(target.unwrap_or(&Value::Null), root, depth + 1);
    }
    let mut projected = Map::new();
    for (key, value) in fields {
        project_field(key, value, &mut projected, |inner| gemini(inner, root, depth + 1));
    }
    Value::Object(projected)
}

/// Adds one keyword of a schema to `projected`, in the words that Gemini knows for it.
fn project_field(
    key: &str,
    value: &Value,
    projected: &mut Map<String, Value>,
    inner: impl Fn(&Value) -> Value,
) {
    let projected_value = match (key, value) {
        _ if key == "$schema" || UNKNOWN_TO_GEMINI.contains(&key) => return,
        ("format", Value::String(format)) if format != "date-time" && format != "enum" => return,
        ("const", constant) => {
            projected.insert("enum".into(), json!([constant]));
            return;
        }
        ("type", Value::Array(types)) => {
            if types.iter().any(|name| name == "null") {
                projected.insert("nullable".into(), Value::Bool(true));
            }
            types.iter().find(|name| *name != "null").cloned().unwrap_or_else(|| "string".into())
        }
        ("enum", Value::Array(values)) => values.iter().filter(|value| !value.is_null()).cloned().collect(),
        ("properties", Value::Object(properties)) => {
            Value::Object(properties.iter().map(|(name, schema)| (name.clone(), inner(schema))).collect())
        }
        ("items", schema) => inner(schema),
        ("anyOf" | "oneOf" | "allOf", Value::Array(choices)) => choices.iter().map(inner).collect(),
        _ => value.clone(),
    };
    projected.insert(key.to_owned(), projected_value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_full_dialect_loses_only_the_schemas_name_and_an_empty_required() {
        let schema = json!({"$schema": "x", "type": "object", "required": [], "additionalProperties": false,
                            "properties": {"required": {"type": ["string", "null"]}}});
        let expected = json!({"type": "object", "additionalProperties": false,
                              "properties": {"required": {"type": ["string", "null"]}}});
        assert_eq!(project(&schema, Dialect::Full), expected);
    }

    #[test]
    fn gemini_sees_no_reference_no_type_list_and_no_closed_object() {
        let schema = json!({
            "$schema": "x", "type": "object", "additionalProperties": false, "required": ["number"],
            "properties": {
                "number": {"type": ["integer", "null"], "format": "uint32", "minimum": 1},
                "priority": {"$ref": "#/$defs/Priority"},
                "kind": {"const": "task"},
                "tags": {"type": "array", "items": {"type": "string", "propertyNames": {}}}
            },
            "$defs": {"Priority": {"type": "string", "enum": ["low", "high", null]}}
        });
        let expected = json!({
            "type": "object", "required": ["number"],
            "properties": {
                "number": {"type": "integer", "nullable": true, "minimum": 1},
                "priority": {"type": "string", "enum": ["low", "high"]},
                "kind": {"enum": ["task"]},
                "tags": {"type": "array", "items": {"type": "string"}}
            }
        });
        assert_eq!(project(&schema, Dialect::Gemini), expected);
    }

    #[test]
    fn a_schema_that_refers_to_itself_comes_to_an_end() {
        let schema = json!({"type": "object", "properties": {"child": {"$ref": "#"}}});
        assert!(project(&schema, Dialect::Gemini).to_string().len() < 2_000);
    }
}
