//! Tools: what a server offers, how it is called, and what comes back.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use serde_json::{Map, Value};

use super::{Principal, ToolCall, json_length};

/// The longest fault of an argument that repeats its value, in bytes.
const LONGEST_FAULT: usize = 300;

/// A tool that a server offers.
#[derive(Clone, Debug)]
pub struct Tool {
    /// The server, by its configured name.
    pub server: Arc<str>,
    /// The name that the model calls.
    pub name: String,
    /// What it does, in words for the model.
    pub description: String,
    /// What it takes.
    pub schema: ToolSchema,
    /// Whether a call changes nothing.
    pub is_read_only: bool,
    /// Whether repeating a call with its key has no second effect: true for servers of ours, which keep a ledger.
    pub is_keyed: bool,
}

impl Tool {
    /// Tells whether a call that may have been made can be made again without a second effect.
    pub const fn may_be_repeated(&self) -> bool {
        self.is_keyed || self.is_read_only
    }
}

/// A JSON Schema of arguments, compiled once.
#[derive(Clone)]
pub struct ToolSchema {
    document: Arc<Value>,
    validator: Arc<jsonschema::Validator>,
    /// How long the document is as text, in bytes: every question asks, and counting means writing it.
    length: usize,
}

/// Why a server's schema cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("not a usable JSON schema: {0}")]
pub struct ToolSchemaError(String);

impl ToolSchema {
    /// Compiles a schema. References to other documents are refused: nothing is ever fetched.
    pub fn compile(document: Value) -> Result<Self, ToolSchemaError> {
        let validator =
            jsonschema::validator_for(&document).map_err(|error| ToolSchemaError(error.to_string()))?;
        let length = json_length(&document);
        Ok(Self { document: Arc::new(document), validator: Arc::new(validator), length })
    }

    /// Returns the schema as the server sent it.
    pub fn document(&self) -> &Value {
        &self.document
    }

    /// Returns how long the schema is as text, in bytes.
    pub const fn length(&self) -> usize {
        self.length
    }

    /// Tells whether both are clones of one schema. Two that were compiled apart are not, whatever they say.
    pub fn is_same_as(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.document, &other.document)
    }

    /// Lists what is wrong with the arguments, in words that a model can act on; at most five faults. A long value is
    /// not repeated.
    pub fn faults(&self, arguments: &Map<String, Value>) -> Vec<String> {
        let arguments = Value::Object(arguments.clone());
        let faults = self.validator.iter_errors(&arguments).take(5);
        faults
            .map(|fault| {
                let full = fault.to_string();
                let told = if full.len() > LONGEST_FAULT { fault.masked().to_string() } else { full };
                match fault.instance_path().to_string() {
                    path if path.is_empty() => told,
                    path => format!("{}: {told}", path.trim_start_matches('/')),
                }
            })
            .collect()
    }
}

impl fmt::Debug for ToolSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.document.fmt(f)
    }
}

/// What a tool answered.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolOutput {
    /// Whether the tool says that it failed.
    pub is_error: bool,
    /// What the model reads.
    pub text: String,
    /// The structured content, if the tool gave any.
    pub structured: Option<Value>,
}

/// Why a call brought no answer of the tool.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ToolError {
    /// The server is down; the call was never sent.
    #[error("tool server `{server}` is unavailable")]
    Unavailable {
        /// The server.
        server: String,
    },
    /// The server went away while the call was in flight.
    #[error("tool server `{server}` went away during the call")]
    Lost {
        /// The server.
        server: String,
    },
    /// No answer in time; the server was told to drop the call.
    #[error("no answer within {seconds} s")]
    Timeout {
        /// The limit that passed, in seconds.
        seconds: u64,
    },
    /// The server refused the request itself.
    #[error("tool server refused the call: {reason}")]
    Refused {
        /// What the server said.
        reason: String,
    },
}

/// All tools of all servers, behind one door.
#[async_trait]
pub trait ToolHost: Send + Sync {
    /// Lists the tools that are there now, in a fixed order.
    async fn list(&self, principal: &Principal) -> Arc<[Tool]>;

    /// Tells whether a configured server is missing from the list right now.
    fn is_degraded(&self) -> bool;

    /// Makes one call on behalf of the principal. Dropping the future tells the server to drop the call.
    async fn call(&self, principal: &Principal, call: &ToolCall) -> Result<ToolOutput, ToolError>;
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> ToolSchema {
        ToolSchema::compile(json!({
            "type": "object", "additionalProperties": false, "required": ["title"],
            "properties": {"title": {"type": "string", "maxLength": 5}}
        }))
        .unwrap()
    }

    fn faults(arguments: &Value) -> Vec<String> {
        schema().faults(arguments.as_object().unwrap())
    }

    #[test]
    fn arguments_that_fit_have_no_faults() {
        assert!(faults(&json!({"title": "milk"})).is_empty());
    }

    #[test]
    fn a_fault_names_the_argument() {
        assert_eq!(faults(&json!({"title": 5})), [r#"title: 5 is not of type "string""#]);
        assert!(faults(&json!({}))[0].contains("title"));
        assert!(faults(&json!({"title": "milk", "user_id": "bob"}))[0].contains("user_id"));
    }

    #[test]
    fn a_schema_is_as_long_as_its_text_and_the_same_as_its_clones_alone() {
        let schema = schema();
        assert_eq!(schema.length(), schema.document().to_string().len());
        assert!(schema.is_same_as(&schema.clone()) && !schema.is_same_as(&self::schema()));
    }

    #[test]
    fn a_schema_that_points_elsewhere_is_refused() {
        assert!(ToolSchema::compile(json!({"$ref": "http://127.0.0.1:9/other.json"})).is_err());
    }
}
