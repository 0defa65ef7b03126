//! What the service tells of a turn, as far as a terminal shows it. Events and fields that are not known are left out.

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Told {
    /// A piece of a message.
    Words { message: String, delta: String },
    /// A message as it is stored. It stands over its pieces.
    Whole { message: String, content: String },
    /// A message that was begun and does not count: the model is asked again.
    Withdrawn { message: String },
    /// A call that is about to be made.
    Started { call: String, name: String, arguments: Map<String, Value> },
    /// A call that is answered.
    Answered { call: String, name: String, status: String, is_error: bool, result: Value },
    /// Something that the user should know.
    Noted { code: String, message: String },
    /// The end.
    Ended(Ending),
}

/// How a turn ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// With an answer.
    Completed,
    /// It was stopped.
    Cancelled,
    /// It waits for somebody's yes.
    Waits,
    /// It went wrong; this is what the user should read.
    Failed(String),
}

#[derive(Deserialize)]
struct Message {
    message_id: String,
    #[serde(default, alias = "delta")]
    content: String,
}

#[derive(Deserialize)]
struct Call {
    call_id: String,
    name: String,
    #[serde(default)]
    arguments: Map<String, Value>,
    #[serde(default)]
    status: String,
    #[serde(default)]
    is_error: bool,
    #[serde(default)]
    result: Value,
}

#[derive(Deserialize)]
struct Note {
    #[serde(default)]
    code: String,
    message: String,
}

impl Told {
    /// Reads an event; nothing if it is one of a newer service, or not for a terminal.
    pub(super) fn read(name: &str, data: &str) -> Option<Self> {
        match name {
            "message.delta" => read(data, |Message { message_id, content }| Self::Words {
                message: message_id,
                delta: content,
            }),
            "message.completed" => {
                read(data, |Message { message_id, content }| Self::Whole { message: message_id, content })
            }
            "message.discarded" => read(data, |said: Message| Self::Withdrawn { message: said.message_id }),
            "tool.started" => read(data, |Call { call_id, name, arguments, .. }| Self::Started {
                call: call_id,
                name,
                arguments,
            }),
            "tool.completed" => read(data, |Call { call_id, name, status, is_error, result, .. }| {
                Self::Answered { call: call_id, name, status, is_error, result }
            }),
            "notice" => read(data, |Note { code, message }| Self::Noted { code, message }),
            "run.completed" => Some(Self::Ended(Ending::Completed)),
            "run.cancelled" => Some(Self::Ended(Ending::Cancelled)),
            "run.awaiting_approval" => Some(Self::Ended(Ending::Waits)),
            "run.failed" => {
                let said = read(data, |note: Note| note.message);
                Some(Self::Ended(Ending::Failed(said.unwrap_or_else(|| "The answer failed.".into()))))
            }
            _ => None,
        }
    }
}

fn read<T: DeserializeOwned, R>(data: &str, told: impl FnOnce(T) -> R) -> Option<R> {
    serde_json::from_str(data).ok().map(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_newer_service_tells_is_left_out_and_an_end_is_always_one() {
        assert_eq!(Told::read("tool.progress", "{}"), None);
        assert_eq!(Told::read("message.delta", "[]"), None);
        let more = r#"{"message_id":"m","delta":"a","new":1}"#;
        assert_eq!(
            Told::read("message.delta", more),
            Some(Told::Words { message: "m".into(), delta: "a".into() })
        );
        let failed = Told::Ended(Ending::Failed("The answer failed.".into()));
        assert_eq!(Told::read("run.failed", "not JSON"), Some(failed));
    }
}
