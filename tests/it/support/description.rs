//! The API's description of itself, taken at its word: what it says of an answer must hold, and nothing must be left
//! unsaid. Clients may meet fields that they do not know; our own tests may not.

use std::collections::HashSet;

use jsonschema::Validator;
use serde_json::{Map, Value, json};

/// The description, closed: a field that it does not name is a fault.
pub struct Description(Value);

/// An operation of the description.
pub struct Operation<'a> {
    pub method: String,
    pub path: String,
    pub id: &'a str,
    pub described: &'a Value,
    /// The JSON pointer to it.
    place: String,
}

impl Description {
    pub fn read() -> Self {
        let mut document = parlor::http::description();
        let parts = parts(&document);
        let schemas = document["components"]["schemas"].as_object_mut().unwrap();
        for (_, schema) in schemas.iter_mut().filter(|(name, _)| !parts.contains(*name)) {
            if schema.get("properties").is_some() {
                schema["unevaluatedProperties"] = false.into();
            }
        }
        close_unions(&mut document);
        Self(document)
    }

    /// Lists the operations.
    pub fn operations(&self) -> Vec<Operation<'_>> {
        let mut all = Vec::new();
        for (path, item) in object(&self.0["paths"]) {
            for (method, described) in object(item) {
                let place = format!("/paths/{}/{method}", path.replace('~', "~0").replace('/', "~1"));
                let id = described["operationId"].as_str().unwrap();
                all.push(Operation {
                    method: method.to_uppercase(),
                    path: path.clone(),
                    id,
                    described,
                    place,
                });
            }
        }
        all
    }

    /// Finds what stands behind a reference, or the value itself.
    pub fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            Some(place) => self.0.pointer(place.trim_start_matches('#')).unwrap(),
            None => value,
        }
    }

    /// Lists what is wrong with a value that should fit a named schema.
    pub fn faults_as(&self, schema: &str, value: &Value) -> Vec<String> {
        self.faults_at(&format!("/components/schemas/{schema}"), value)
    }

    /// Lists what is wrong with an answer: its status, its type, its body.
    pub fn faults(
        &self,
        operation: &Operation<'_>,
        status: u16,
        content_type: &str,
        body: &str,
    ) -> Vec<String> {
        let answers = &operation.described["responses"];
        let Some(answer) = answers.get(status.to_string()) else {
            return vec![format!("{}: {status} is not described: {body}", operation.id)];
        };
        let essence = content_type.split(';').next().unwrap();
        match answer.get("content") {
            None if body.is_empty() => Vec::new(),
            Some(content) if content.get(essence).is_some() && essence.ends_with("json") => {
                let place = format!(
                    "{}/responses/{status}/content/{}/schema",
                    operation.place,
                    essence.replace('/', "~1")
                );
                self.faults_at(&place, &serde_json::from_str(body).unwrap())
            }
            Some(content) if content.get(essence).is_some() => Vec::new(),
            Some(_) | None => {
                vec![format!("{}: {status} with {content_type:?} is not described", operation.id)]
            }
        }
    }

    /// Lists what is wrong with a value that should fit the schema at a place.
    pub fn faults_at(&self, place: &str, value: &Value) -> Vec<String> {
        assert!(self.0.pointer(place).is_some(), "{place} is not there");
        let faults = self.validator(place);
        faults
            .iter_errors(value)
            .map(|fault| format!("{place}: {}: {fault}", fault.instance_path()))
            .collect()
    }

    fn validator(&self, place: &str) -> Validator {
        let mut schema = self.0.clone();
        schema["$ref"] = format!("#{}", place.replace('{', "%7B").replace('}', "%7D")).into();
        jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
    }
}

impl Operation<'_> {
    /// Lists the examples of the request's body.
    pub fn bodies(&self) -> Vec<Value> {
        let media = &self.described["requestBody"]["content"]["application/json"];
        let named = media["examples"].as_object().into_iter().flat_map(Map::values);
        named.map(|example| example["value"].clone()).chain(media.get("example").cloned()).collect()
    }

    /// Returns the place of the schema of the request's body.
    pub fn body_schema(&self) -> String {
        format!("{}/requestBody/content/application~1json/schema", self.place)
    }

    /// Returns the place of the schema of an answer.
    pub fn answer_schema(&self, status: &str, content_type: &str) -> String {
        format!("{}/responses/{status}/content/{}/schema", self.place, content_type.replace('/', "~1"))
    }
}

pub fn object(value: &Value) -> &Map<String, Value> {
    value.as_object().unwrap_or_else(|| panic!("{value} is no object"))
}

/// Finds the schemas that others are made of; they cannot be closed by themselves.
fn parts(document: &Value) -> HashSet<String> {
    let mut parts = HashSet::new();
    visit(document, &mut |value| {
        for part in value.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            let name = part["$ref"].as_str().and_then(|place| place.strip_prefix("#/components/schemas/"));
            parts.extend(name.map(str::to_owned));
        }
    });
    parts
}

fn visit(value: &Value, look: &mut impl FnMut(&Value)) {
    look(value);
    match value {
        Value::Object(fields) => fields.values().for_each(|field| visit(field, look)),
        Value::Array(items) => items.iter().for_each(|item| visit(item, look)),
        _ => {}
    }
}

fn close_unions(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.values_mut().for_each(close_unions);
            if fields.contains_key("allOf") {
                fields.insert("unevaluatedProperties".into(), json!(false));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(close_unions),
        _ => {}
    }
}
