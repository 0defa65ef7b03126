//! Picks the few fields that matter out of a chunk. Each is looked for on its own: a field of an unexpected
//! type is as good as absent, so that it never costs the text beside it.

use serde_json::Value;

/// What a chunk says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Chunk {
    /// The error that stands where a reply should be.
    pub(super) error: Option<Value>,
    /// What the reply has cost so far.
    pub(super) usage: Option<Value>,
    /// Text for the user; a refusal is text too.
    pub(super) text: String,
    /// What the model thinks, in whichever field it comes.
    pub(super) reasoning: String,
    /// DeepSeek's reasoning, which it wants back.
    pub(super) reasoning_content: String,
    /// OpenRouter's reasoning, which it wants back.
    pub(super) reasoning_details: Vec<Value>,
    /// Fragments of calls.
    pub(super) calls: Vec<CallPart>,
    /// Why the reply ended, in the words of the protocol or of the provider.
    pub(super) finish: Option<String>,
    /// The same in the words of the provider behind an OpenRouter.
    pub(super) native_finish: Option<String>,
}

/// A fragment of a call.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct CallPart {
    /// Which call of the reply it belongs to; Gemini has none, Ollama always 0.
    pub(super) index: Option<u64>,
    /// The call's id; empty in later fragments.
    pub(super) id: String,
    /// The tool's name; empty in later fragments.
    pub(super) name: String,
    /// A piece of the arguments' text.
    pub(super) arguments: String,
    /// What Gemini wants back with the call.
    pub(super) extra_content: Option<Value>,
}

/// Reads the data of an event, whatever shape it has; `usual` is faster where it will do. Some servers send a list, so there
/// can be several chunks.
pub(super) fn parse(data: &str) -> Result<Vec<Chunk>, serde_json::Error> {
    Ok(match serde_json::from_str(data)? {
        Value::Array(values) => values.iter().map(Chunk::of).collect(),
        value => vec![Chunk::of(&value)],
    })
}

impl Chunk {
    fn of(value: &Value) -> Self {
        let mut chunk = Self {
            error: error_of(value),
            usage: [value.get("usage"), value.pointer("/x_groq/usage")]
                .into_iter()
                .flatten()
                .find(is_told)
                .cloned(),
            ..Self::default()
        };
        if let Some(choice) = list(value.get("choices")).iter().find(is_first) {
            chunk.read_choice(choice);
        }
        chunk
    }

    fn read_choice(&mut self, choice: &Value) {
        self.error = self.error.take().or_else(|| choice.get("error").filter(is_told).cloned());
        self.finish = word(choice.get("finish_reason"));
        self.native_finish = word(choice.get("native_finish_reason"));
        let Some(delta) = choice.get("delta") else {
            return;
        };
        self.text = text(delta.get("content")) + &text(delta.get("refusal"));
        self.reasoning_content = text(delta.get("reasoning_content"));
        self.reasoning = match text(delta.get("reasoning")) {
            told if told.is_empty() => self.reasoning_content.clone(),
            told => told,
        };
        self.reasoning_details = list(delta.get("reasoning_details")).to_vec();
        self.calls = list(delta.get("tool_calls")).iter().map(CallPart::of).collect();
    }
}

impl CallPart {
    fn of(value: &Value) -> Self {
        Self {
            index: value.get("index").and_then(Value::as_u64),
            id: text(value.get("id")),
            name: text(value.pointer("/function/name")),
            arguments: match value.pointer("/function/arguments") {
                Some(Value::String(piece)) => piece.clone(),
                Some(whole @ Value::Object(_)) => whole.to_string(),
                Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_)) | None => {
                    String::new()
                }
            },
            extra_content: value.get("extra_content").filter(is_told).cloned(),
        }
    }
}

/// Finds the error of a chunk: under `error`, or the chunk itself as vLLM has it.
fn error_of(value: &Value) -> Option<Value> {
    let is_error_itself = value.get("object").and_then(Value::as_str) == Some("error");
    if is_error_itself { Some(value.clone()) } else { value.get("error").filter(is_told).cloned() }
}

/// Tells whether a value says anything: not null, false, empty text or an empty object.
fn is_told(value: &&Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Bool(true) | Value::Number(_) => true,
        Value::String(text) => !text.is_empty(),
        Value::Array(values) => !values.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
    }
}

/// Tells whether a choice is the one we asked for: the first, or one that does not say.
fn is_first(choice: &&Value) -> bool {
    choice.get("index").and_then(Value::as_u64).unwrap_or(0) == 0
}

fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// Reads a text, or the texts of a list of parts as Mistral sends it.
fn text(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => {
            parts.iter().filter_map(|part| part.get("text").and_then(Value::as_str)).collect()
        }
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => String::new(),
    }
}

fn word(value: Option<&Value>) -> Option<String> {
    Some(text(value)).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn only(value: &Value) -> Chunk {
        parse(&value.to_string()).unwrap().pop().unwrap()
    }

    #[test]
    fn a_field_of_the_wrong_type_does_not_cost_the_text() {
        let chunk = only(&json!({
            "id": 5, "model": null, "usage": {}, "service_tier": "on_demand", "error": null,
            "choices": [{"index": null, "finish_reason": "", "native_finish_reason": 3, "logprobs": "x",
                         "delta": {"content": "hi", "tool_calls": null, "reasoning_details": "no"}}]
        }));
        assert_eq!(chunk, Chunk { text: "hi".into(), ..Chunk::default() });
    }

    #[test]
    fn arguments_may_be_text_or_an_object() {
        let part = |arguments: Value| {
            let call = json!({"index": null, "function": {"name": "add_task", "arguments": arguments}});
            only(&json!({"choices": [{"delta": {"tool_calls": [call]}}]})).calls.pop().unwrap().arguments
        };
        assert_eq!(part(json!(r#"{"ti"#)), r#"{"ti"#);
        assert_eq!(part(json!({"title": "milk"})), r#"{"title":"milk"}"#);
        assert_eq!(part(Value::Null), "");
    }

    #[test]
    fn an_error_is_found_wherever_it_stands() {
        let error = json!({"message": "overloaded"});
        for chunk in [
            json!({"error": error}),
            json!([{"error": error}]),
            json!({"error": error, "choices": []}),
            json!({"choices": [{"delta": {}, "error": error}]}),
        ] {
            assert_eq!(only(&chunk).error, Some(error.clone()), "{chunk}");
        }
        assert!(only(&json!({"object": "error", "message": "overloaded"})).error.is_some());
    }

    #[test]
    fn chunks_without_choices_or_delta_are_empty() {
        for chunk in [json!({"choices": []}), json!({"choices": [{"index": 0}]}), json!({}), json!(7)] {
            assert_eq!(only(&chunk), Chunk::default(), "{chunk}");
        }
    }

    #[test]
    fn usage_of_groq_lies_elsewhere() {
        let usage = json!({"prompt_tokens": 1});
        assert_eq!(only(&json!({"x_groq": {"usage": usage}})).usage, Some(usage));
    }

    #[test]
    fn content_in_parts_is_joined() {
        let content =
            json!([{"type": "text", "text": "a"}, {"type": "thinking"}, {"type": "text", "text": "b"}]);
        assert_eq!(only(&json!({"choices": [{"delta": {"content": content}}]})).text, "ab");
    }
}
