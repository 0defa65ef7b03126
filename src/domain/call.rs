//! A tool call that the model asked for, and the result that answers it.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{CallId, cut_at};

/// The longest sentence that stands for an output, in bytes.
const SENTENCE_LIMIT: usize = 2_000;

/// A call as stored inside its assistant item. It never changes after that.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// Our own id: public id and call key in one.
    pub id: CallId,
    /// The provider's id of the call, unique only within its item.
    pub provider_id: String,
    /// The server that offers the tool; empty when none does.
    pub server: String,
    /// The tool's name as the model wrote it.
    pub name: String,
    /// The arguments; empty when the model's text was not a JSON object.
    pub arguments: Map<String, Value>,
    /// The model's text where it was not a JSON object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unparsed: Option<String>,
    /// What the provider wants back with this call, opaque to us (Gemini's thought signature).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_meta: Option<Value>,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallStatus {
    /// The tool did it.
    Ok,
    /// The tool says that it failed.
    Error,
    /// The call was not made: no such tool, or arguments that its schema refuses.
    Invalid,
    /// The gate refused it.
    Denied,
    /// Cancelled before it could have had an effect.
    Cancelled,
    /// No answer in time.
    Timeout,
    /// It was in flight when its run or its server ended; whether it had an effect is not known.
    Unknown,
    /// The run ended before the call was reached.
    NotRun,
}

impl CallStatus {
    /// Every status, for tables.
    pub const ALL: [Self; 8] = [
        Self::Ok,
        Self::Error,
        Self::Invalid,
        Self::Denied,
        Self::Cancelled,
        Self::Timeout,
        Self::Unknown,
        Self::NotRun,
    ];

    /// Returns the word that clients and the database know.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "error",
            Self::Invalid => "invalid",
            Self::Denied => "denied",
            Self::Cancelled => "cancelled",
            Self::Timeout => "timeout",
            Self::Unknown => "unknown",
            Self::NotRun => "not_run",
        }
    }

    /// Tells whether the call failed in any way.
    pub fn is_error(self) -> bool {
        self != Self::Ok
    }
}

impl fmt::Display for CallStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The answer to a call, as stored and as shown to the model and to clients.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolResult {
    /// The call that it answers.
    pub call_id: CallId,
    /// The server that offers the tool; empty when none does.
    pub server: String,
    /// The tool.
    pub name: String,
    /// How the call ended.
    pub status: CallStatus,
    /// What the model reads.
    pub text: String,
    /// The structured content, else the text.
    pub result: Value,
    /// Whether text or result were cut to the limit.
    pub truncated: bool,
    /// How long the call took, in milliseconds; none if it never began.
    pub duration_ms: Option<u64>,
}

impl ToolResult {
    /// Answers a call that brought no output of a tool, with a sentence that the model can act on.
    pub fn without_output(call: &ToolCall, status: CallStatus, sentence: impl AsRef<str>) -> Self {
        Self::of_sentence(call.id, &call.server, &call.name, status, sentence.as_ref())
    }

    /// Answers a call that its run never reached.
    pub fn not_run(call_id: CallId, server: &str, name: &str) -> Self {
        let sentence = "This call was not run: the turn ended before it was reached.";
        Self::of_sentence(call_id, server, name, CallStatus::NotRun, sentence)
    }

    /// Answers a call whose effect is in doubt.
    pub fn unknown(call_id: CallId, server: &str, name: &str) -> Self {
        let sentence = "This call was interrupted. Whether it took effect is not known; \
                        check the current state before repeating it.";
        Self::of_sentence(call_id, server, name, CallStatus::Unknown, sentence)
    }

    /// Cuts the sentence: it may quote the model, whose words have no limit.
    fn of_sentence(call_id: CallId, server: &str, name: &str, status: CallStatus, text: &str) -> Self {
        let text = cut_at(text, SENTENCE_LIMIT).to_owned();
        Self {
            call_id,
            server: server.into(),
            name: name.into(),
            status,
            result: Value::String(text.clone()),
            text,
            truncated: false,
            duration_ms: None,
        }
    }
}
