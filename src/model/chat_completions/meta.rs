//! Collects what a provider wants back with its reply: its reasoning, which it sends in pieces.

use serde_json::{Map, Value, json};

use super::chunk::Chunk;
use crate::{domain::MESSAGE_LIMIT, model::providers::quirks::Echo};

/// The fields of a piece of reasoning that grow from chunk to chunk.
const GROWING: [&str; 3] = ["text", "summary", "data"];

/// The reasoning so far. Beyond [`MESSAGE_LIMIT`] bytes it is given up as a whole: a part of it would be
/// refused.
#[derive(Debug)]
pub(super) struct Meta {
    echo: Echo,
    content: String,
    details: Vec<Map<String, Value>>,
    bytes: usize,
}

impl Meta {
    /// Makes an empty one for a provider that wants back what `echo` says.
    pub(super) fn new(echo: Echo) -> Self {
        Self { echo, content: String::new(), details: Vec::new(), bytes: 0 }
    }

    /// Takes in what a chunk has of it.
    pub(super) fn add(&mut self, chunk: &Chunk) {
        match self.echo {
            Echo::Nothing | Echo::CallExtras => {}
            Echo::ReasoningContent => self.add_content(&chunk.reasoning_content),
            Echo::ReasoningDetails => {
                for detail in &chunk.reasoning_details {
                    self.add_detail(detail);
                }
            }
        }
    }

    /// Returns the fields to send back with the message, if there are any.
    pub(super) fn into_value(self) -> Option<Value> {
        if self.bytes == 0 || self.bytes > MESSAGE_LIMIT {
            return None;
        }
        match self.echo {
            Echo::Nothing | Echo::CallExtras => None,
            Echo::ReasoningContent => Some(json!({"reasoning_content": self.content})),
            Echo::ReasoningDetails => Some(json!({"reasoning_details": self.details})),
        }
    }

    fn add_content(&mut self, piece: &str) {
        self.bytes += piece.len();
        if self.bytes <= MESSAGE_LIMIT {
            self.content.push_str(piece);
        }
    }

    fn add_detail(&mut self, piece: &Value) {
        self.bytes += piece.to_string().len();
        let Value::Object(piece) = piece else {
            return;
        };
        if self.bytes > MESSAGE_LIMIT {
            return;
        }
        match self.details.last_mut().filter(|last| is_same_detail(last, piece)) {
            Some(last) => grow(last, piece),
            None => self.details.push(piece.clone()),
        }
    }
}

/// Tells whether a piece goes on with the detail before it: same kind, same number.
fn is_same_detail(last: &Map<String, Value>, piece: &Map<String, Value>) -> bool {
    piece.contains_key("index") && ["type", "index"].iter().all(|key| last.get(*key) == piece.get(*key))
}

fn grow(detail: &mut Map<String, Value>, piece: &Map<String, Value>) {
    for (key, value) in piece {
        match (detail.get_mut(key), value) {
            (Some(Value::String(text)), Value::String(more)) if GROWING.contains(&key.as_str()) => {
                text.push_str(more);
            }
            (Some(_), Value::Null) => {}
            (Some(_) | None, _) => {
                detail.insert(key.clone(), value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collected(echo: Echo, chunks: &[Chunk]) -> Option<Value> {
        let mut meta = Meta::new(echo);
        chunks.iter().for_each(|chunk| meta.add(chunk));
        meta.into_value()
    }

    fn details(details: &[Value]) -> Chunk {
        Chunk { reasoning_details: details.to_vec(), ..Chunk::default() }
    }

    #[test]
    fn pieces_of_one_detail_become_one_again() {
        let chunks = [
            details(&[json!({"type": "reasoning.text", "index": 0, "text": "User ", "signature": null})]),
            details(&[json!({"type": "reasoning.text", "index": 0, "text": "wants", "signature": "s"})]),
            details(&[json!({"type": "reasoning.encrypted", "index": 0, "data": "x"})]),
        ];
        let whole = json!({"reasoning_details": [
            {"type": "reasoning.text", "index": 0, "text": "User wants", "signature": "s"},
            {"type": "reasoning.encrypted", "index": 0, "data": "x"},
        ]});
        assert_eq!(collected(Echo::ReasoningDetails, &chunks), Some(whole));
    }

    #[test]
    fn reasoning_that_no_one_wants_back_is_not_kept() {
        let chunk = Chunk { reasoning_content: "hm".into(), ..details(&[json!({"text": "hm"})]) };
        assert_eq!(collected(Echo::Nothing, std::slice::from_ref(&chunk)), None);
        assert_eq!(collected(Echo::ReasoningContent, &[chunk]), Some(json!({"reasoning_content": "hm"})));
    }

    #[test]
    fn reasoning_beyond_the_limit_is_given_up_as_a_whole() {
        let chunk = Chunk { reasoning_content: "x".repeat(MESSAGE_LIMIT / 2 + 1), ..Chunk::default() };
        assert_eq!(collected(Echo::ReasoningContent, &[chunk.clone(), chunk]), None);
    }
}
