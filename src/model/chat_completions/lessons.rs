//! What a provider's refusal teaches: a parameter that it does not take is left out from then on. Pure.
//!
//! Only parameters that the reply does not depend on are given up. Models of one provider differ in what they take, and
//! new ones come faster than tables are kept.

use serde_json::Value;

/// The parameters that can be given up.
const OPTIONAL: [&str; 5] =
    ["parallel_tool_calls", "stream_options", "prompt_cache_key", "reasoning_effort", "temperature"];

/// Finds the parameters of `body` that an answer to it refuses: named by the error's `param`, or in its words.
pub(super) fn learn(status: u16, answer: &str, body: &Value) -> Vec<&'static str> {
    if !matches!(status, 400 | 422) {
        return Vec::new();
    }
    let is_named = |name: &&str| body.get(name).is_some() && names(answer, name);
    OPTIONAL.into_iter().filter(is_named).collect()
}

/// Leaves parameters out of a body.
pub(super) fn without(mut body: Value, parameters: &[&'static str]) -> Value {
    if let Value::Object(fields) = &mut body {
        fields.retain(|name, _| !parameters.contains(&name.as_str()));
    }
    body
}

/// Tells whether a text names a parameter as a word of its own.
fn names(text: &str, name: &str) -> bool {
    let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_';
    text.match_indices(name).any(|(at, _)| {
        let before = text.get(..at).and_then(|text| text.chars().next_back());
        let after = text.get(at + name.len()..).and_then(|text| text.chars().next());
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn learned(status: u16, answer: &str) -> Vec<&'static str> {
        let body = json!({"model": "m", "parallel_tool_calls": false, "stream_options": {}, "messages": []});
        learn(status, answer, &body)
    }

    #[test]
    fn a_parameter_that_the_answer_names_is_learned_in_every_form() {
        for answer in [
            r#"{"error":{"code":"unsupported_parameter","param":"parallel_tool_calls","message":"Unsupported"}}"#,
            r#"[{"error":{"message":"Invalid JSON payload: Unknown name \"parallel_tool_calls\": no field"}}]"#,
            "extra fields not permitted: parallel_tool_calls",
        ] {
            assert_eq!(learned(400, answer), ["parallel_tool_calls"], "{answer}");
        }
        assert_eq!(learned(422, "stream_options, parallel_tool_calls").len(), 2);
    }

    #[test]
    fn nothing_is_learned_where_nothing_was_sent_or_named_or_refused_for_it() {
        assert_eq!(learned(400, "reasoning_effort is not supported"), [""; 0]);
        assert_eq!(learned(400, "model is required"), [""; 0]);
        assert_eq!(learned(400, "my_stream_options_x"), [""; 0]);
        assert_eq!(learned(500, "parallel_tool_calls"), [""; 0]);
    }

    #[test]
    fn what_was_learned_is_left_out() {
        let body = json!({"model": "m", "stream_options": {}});
        assert_eq!(without(body, &["stream_options", "temperature"]), json!({"model": "m"}));
    }
}
