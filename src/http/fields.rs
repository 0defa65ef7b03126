//! The body of a request: a JSON object, read field by field, with every fault in one list and strangers named.

use std::time::Duration;

use axum::{
    body::Body,
    extract::{FromRequest, Request},
    http::{HeaderMap, header},
};
use futures_util::StreamExt;
use serde_json::{Map, Value};
use tokio::time::timeout;
use utoipa::openapi::{Object, ObjectBuilder, Type, schema::SchemaType};

use super::{
    App,
    problem::{FieldFault, Problem},
};
use crate::domain::Title;

/// How long the body of a request may take.
const BODY_LIMIT: Duration = Duration::from_secs(15);

/// A title: 1 to 200 characters without controls, and white space around it, as [`Title`] reads it. Its classes are
/// spelt out because dialects of patterns differ in what `\s` is.
const TITLE: &str = concat!(
    r"^[\u0009-\u000d\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*",
    r"[^\u0000-\u0020\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]",
    r"([^\u0000-\u001f\u007f-\u009f]{0,198}",
    r"[^\u0000-\u0020\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000])?",
    r"[\u0009-\u000d\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*$",
);

/// The fields of a body that are not read yet, and what was wrong so far.
#[derive(Debug)]
pub(super) struct Fields {
    left: Map<String, Value>,
    faults: Vec<FieldFault>,
}

impl FromRequest<App> for Fields {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let is_json = is_json(request.headers());
        // Read even if it will be refused: a client that is still sending would see a reset and not the answer.
        let read = timeout(BODY_LIMIT, read(request.into_body(), app.max_body_bytes)).await;
        if !is_json {
            return Err(Problem::UnsupportedMediaType);
        }
        let body = read.map_err(|_elapsed| Problem::MalformedRequest("the body did not come in time"))??;
        let text =
            std::str::from_utf8(&body).map_err(|_| Problem::MalformedRequest("the body is not UTF-8"))?;
        Self::parse(text)
    }
}

/// Reads a body. Of one that is too large as much again is read and dropped, so that its client hears why.
async fn read(body: Body, limit: usize) -> Result<Vec<u8>, Problem> {
    let mut chunks = body.into_data_stream();
    let (mut kept, mut read) = (Vec::new(), 0_usize);
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Problem::MalformedRequest("the body could not be read"))?;
        read = read.saturating_add(chunk.len());
        if read <= limit {
            kept.extend_from_slice(&chunk);
        } else if read > limit.saturating_mul(2) {
            break;
        }
    }
    if read > limit { Err(Problem::BodyTooLarge { limit }) } else { Ok(kept) }
}

fn is_json(headers: &HeaderMap) -> bool {
    let content_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

impl Fields {
    fn parse(text: &str) -> Result<Self, Problem> {
        match serde_json::from_str(text) {
            Ok(Value::Object(left)) => Ok(Self { left, faults: Vec::new() }),
            Ok(_) => Err(Problem::field("body", "must be a JSON object")),
            // Well-formed JSON by its grammar, but no text that anybody could store or send on.
            Err(error) if error.to_string().contains("hex escape") => {
                Err(Problem::field("body", "must not hold half of a surrogate pair"))
            }
            Err(error) => Err(Problem::MalformedJson(error.to_string())),
        }
    }

    /// Hands out the fields as they came, for a protocol that is not ours.
    pub(super) fn into_map(self) -> Map<String, Value> {
        self.left
    }

    /// Notes that a field is wrong.
    pub(super) fn fault(&mut self, field: &str, message: impl Into<String>) {
        self.faults.push(FieldFault { field: field.into(), message: message.into() });
    }

    /// Tells whether a field is there. Null counts as absent.
    pub(super) fn has(&self, field: &str) -> bool {
        self.left.get(field).is_some_and(|value| !value.is_null())
    }

    /// Reads a field of any type. Null counts as absent.
    pub(super) fn value(&mut self, field: &str) -> Option<Value> {
        self.left.remove(field).filter(|value| !value.is_null())
    }

    /// Reads text.
    pub(super) fn text(&mut self, field: &str) -> Option<String> {
        match self.value(field)? {
            Value::String(text) if text.contains('\0') => self.wrong(field, "must not hold NUL"),
            Value::String(text) => Some(text),
            _ => self.wrong(field, "must be a string"),
        }
    }

    /// Reads text of a bounded number of characters, not blank.
    pub(super) fn words(&mut self, field: &str, most: usize) -> Option<String> {
        let text = self.text(field)?;
        if text.trim().is_empty() {
            return self.wrong(field, "must not be blank");
        }
        if text.chars().count() > most {
            return self.wrong(field, format!("must be at most {most} characters"));
        }
        Some(text)
    }

    /// Reads a title, of a conversation or a task: the rules are the same.
    pub(super) fn title(&mut self, field: &str) -> Option<Title> {
        let text = self.text(field)?;
        match Title::parse(&text) {
            Ok(title) => Some(title),
            Err(error) => self.wrong(field, error.to_string()),
        }
    }

    /// Reads a truth value.
    pub(super) fn truth(&mut self, field: &str) -> Option<bool> {
        match self.value(field)? {
            Value::Bool(truth) => Some(truth),
            _ => self.wrong(field, "must be true or false"),
        }
    }

    /// Reads one of a few words.
    pub(super) fn choice(&mut self, field: &str, words: &[&'static str]) -> Option<&'static str> {
        let text = self.text(field)?;
        let found = words.iter().find(|word| **word == text).copied();
        if found.is_none() {
            self.fault(field, format!("must be one of {}", words.join(", ")));
        }
        found
    }

    /// Reads text that parses into something.
    pub(super) fn parsed<T: std::str::FromStr>(&mut self, field: &str, expected: &str) -> Option<T> {
        let text = self.text(field)?;
        match text.parse() {
            Ok(parsed) => Some(parsed),
            Err(_) => self.wrong(field, format!("must be {expected}")),
        }
    }

    /// Ends the reading: nothing was wrong and nothing is left.
    pub(super) fn finish(mut self) -> Result<(), Problem> {
        let strangers: Vec<String> = self.left.keys().take(20).cloned().collect();
        for field in strangers {
            self.fault(&field, "is not a field of this request");
        }
        if self.faults.is_empty() { Ok(()) } else { Err(Problem::Invalid(self.faults)) }
    }

    fn wrong<T>(&mut self, field: &str, message: impl Into<String>) -> Option<T> {
        self.fault(field, message);
        None
    }
}

/// Describes what [`Fields::title`] reads.
pub(super) fn described_title() -> Object {
    title_of(Type::String.into())
}

/// Describes a title that may be left out.
pub(super) fn described_optional_title() -> Object {
    title_of(SchemaType::from_iter([Type::String, Type::Null]))
}

fn title_of(schema_type: SchemaType) -> Object {
    let title = ObjectBuilder::new().schema_type(schema_type).pattern(Some(TITLE));
    let description = "1 to 200 characters, none of them a control; white space around it is dropped.";
    title.description(Some(description)).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_comes_in_one_list_and_strangers_are_named() {
        let mut fields =
            Fields::parse(r#"{"message": " ", "stream": "yes", "user_id": "bob", "n": null}"#).unwrap();
        assert_eq!(
            (fields.words("message", 5), fields.truth("stream"), fields.value("n")),
            (None, None, None)
        );
        let Err(Problem::Invalid(faults)) = fields.finish() else { panic!("it has faults") };
        let named: Vec<&str> = faults.iter().map(|fault| fault.field.as_str()).collect();
        assert_eq!(named, ["message", "stream", "user_id"]);
    }

    #[test]
    fn length_is_counted_in_characters() {
        let mut fields = Fields::parse(r#"{"a": "ñññ", "b": "ññññ"}"#).unwrap();
        assert_eq!((fields.words("a", 3).as_deref(), fields.words("b", 3)), (Some("ñññ"), None));
    }

    #[test]
    fn what_is_no_object_is_refused() {
        assert!(matches!(Fields::parse("{"), Err(Problem::MalformedJson(_))));
        assert!(matches!(Fields::parse("[]"), Err(Problem::Invalid(_))));
        assert!(matches!(Fields::parse(r#"{"a": "\ud800"}"#), Err(Problem::Invalid(_))));
    }
}
