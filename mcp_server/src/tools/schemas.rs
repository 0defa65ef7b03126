//! JSON Schemas that every provider and client takes: nothing referenced, no keyword beyond the common ones.

use std::sync::Arc;

use rmcp::model::JsonObject;
use schemars::{
    JsonSchema, Schema, SchemaGenerator,
    generate::SchemaSettings,
    json_schema,
    transform::{RecursiveTransform, Transform},
};
use serde_json::Value;

use super::Refusal;

/// Makes the schema of a type, all in one piece.
pub(super) fn of<T: JsonSchema>() -> Arc<JsonObject> {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    RecursiveTransform(simplify).transform(&mut schema);
    match schema.to_value() {
        Value::Object(mut object) => {
            // The type's own name and doc comment are for us, not for a model.
            object.remove("title");
            object.remove("description");
            Arc::new(object)
        }
        // The schema `true`, which no struct has.
        _ => Arc::default(),
    }
}

/// Makes the schema of an answer: what a tool did, or why it did nothing. Some clients hold a refusal to the schema as
/// well and show their own complaint in its place; and every client wants the root to be an object.
pub(super) fn of_answer<T: JsonSchema>() -> Arc<JsonObject> {
    let choices = [of::<T>(), of::<Refusal>()].map(|choice| Value::Object((*choice).clone()));
    let root = [("type", "object".into()), ("anyOf", Value::from(choices.to_vec()))];
    Arc::new(root.map(|(keyword, value)| (keyword.to_owned(), value)).into_iter().collect())
}

/// Makes the schema of a value that may be null, as a choice of two and not as a union of types.
pub(super) fn nullable<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    let schema = generator.subschema_for::<T>();
    json_schema!({ "anyOf": [schema, { "type": "null" }] })
}

/// Drops the formats of numbers, and writes a choice among plain words as one list of them.
fn simplify(schema: &mut Schema) {
    if schema.get("type").and_then(Value::as_str) == Some("integer") {
        schema.remove("format");
    }
    let words: Option<Vec<Value>> = schema.get("oneOf").and_then(Value::as_array).and_then(|choices| {
        choices.iter().map(|choice| choice.get("const").filter(|word| word.is_string()).cloned()).collect()
    });
    if let Some(words) = words {
        schema.remove("oneOf");
        schema.insert("type".into(), "string".into());
        schema.insert("enum".into(), words.into());
    }
}
