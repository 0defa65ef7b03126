//! What a refusal teaches: a parameter that a model does not take is replaced or left out from then on. Pure.
//!
//! Only parameters that the reply does not depend on are given up. Models of one provider differ in what they take, and
//! new ones come faster than tables are kept.

use serde_json::Value;

/// What is done about a parameter that was refused.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Lesson {
    parameter: &'static str,
    remedy: Remedy,
}

#[derive(Clone, Debug, PartialEq)]
enum Remedy {
    /// It is not sent.
    LeaveOut,
    /// Its value goes by another name.
    Rename(&'static str),
    /// This value of it becomes another.
    Replace(Value, &'static str),
}

/// The parameters that can be given up. `strict` is one of each function.
const OPTIONAL: [&str; 9] = [
    "parallel_tool_calls",
    "stream_options",
    "prompt_cache_key",
    "reasoning_effort",
    "temperature",
    "max_tokens",
    "max_completion_tokens",
    "tool_choice",
    STRICT,
];

const STRICT: &str = "strict";

/// How much a model may reason, the least first.
const EFFORTS: [&str; 6] = ["none", "minimal", "low", "medium", "high", "xhigh"];

/// What stands before the values that a model takes.
const LISTS: [&str; 5] = ["supported values", "one of", "allowed values", "valid values", "expected"];

impl Lesson {
    /// Returns the name of the parameter.
    pub(super) const fn parameter(&self) -> &'static str {
        self.parameter
    }
}

/// Finds what an answer to `body` teaches: which of its parameters the answer refuses, by its `param` or in its words, and
/// what to do about each. What was replaced already and is refused again is left out.
pub(super) fn learn(status: u16, answer: &str, body: &Value, known: &[Lesson]) -> Vec<Lesson> {
    if !matches!(status, 400 | 422) {
        return Vec::new();
    }
    let refused = OPTIONAL.into_iter().filter(|name| is_sent(body, name) && names(answer, name));
    refused.map(|parameter| Lesson { parameter, remedy: remedy(parameter, answer, body, known) }).collect()
}

/// Does to a body what was learned, in the order in which it was.
pub(super) fn applied(mut body: Value, lessons: &[Lesson]) -> Value {
    lessons.iter().for_each(|lesson| apply(&mut body, lesson));
    body
}

/// Decides about a parameter. What stands in its place already, by another name or value, is left out.
fn remedy(parameter: &str, answer: &str, body: &Value, known: &[Lesson]) -> Remedy {
    let is_substitute = known.iter().any(|lesson| match &lesson.remedy {
        Remedy::LeaveOut => false,
        Remedy::Rename(to) => *to == parameter,
        Remedy::Replace(_, to) => {
            lesson.parameter == parameter && body.get(parameter).is_some_and(|sent| sent == to)
        }
    });
    if is_substitute {
        return Remedy::LeaveOut;
    }
    let rename = |to: &'static str| {
        if is_sent(body, to) { Remedy::LeaveOut } else { Remedy::Rename(to) }
    };
    match parameter {
        "max_tokens" => rename("max_completion_tokens"),
        "max_completion_tokens" => rename("max_tokens"),
        "tool_choice" if body.get(parameter).is_some_and(|choice| choice == "required") => {
            Remedy::Replace("required".into(), "auto")
        }
        "reasoning_effort" => {
            let sent = body.get(parameter).cloned().unwrap_or_default();
            let least = least_effort(answer, &sent);
            least.map_or(Remedy::LeaveOut, |effort| Remedy::Replace(sent, effort))
        }
        _ => Remedy::LeaveOut,
    }
}

/// Finds the least effort that an answer lists, beside the one that was sent.
fn least_effort(answer: &str, sent: &Value) -> Option<&'static str> {
    let answer = answer.to_lowercase();
    let listed = LISTS.iter().find_map(|words| answer.split_once(words))?.1;
    EFFORTS.into_iter().find(|effort| sent != effort && names(listed, effort))
}

fn apply(body: &mut Value, lesson: &Lesson) {
    if lesson.parameter == STRICT {
        functions_mut(body).for_each(|function| drop(function.remove(STRICT)));
    }
    let Value::Object(fields) = body else { return };
    let Some(value) = fields.get(lesson.parameter).cloned() else { return };
    match &lesson.remedy {
        Remedy::LeaveOut => drop(fields.remove(lesson.parameter)),
        Remedy::Rename(to) => {
            fields.remove(lesson.parameter);
            fields.insert((*to).to_owned(), value);
        }
        Remedy::Replace(from, to) if value == *from => {
            fields.insert(lesson.parameter.to_owned(), (*to).into());
        }
        Remedy::Replace(..) => {}
    }
}

/// Tells whether a body has a parameter.
fn is_sent(body: &Value, name: &str) -> bool {
    if name == STRICT {
        let tools = body.get("tools").and_then(Value::as_array).into_iter().flatten();
        return tools.into_iter().any(|tool| tool.pointer("/function/strict").is_some());
    }
    body.get(name).is_some()
}

fn functions_mut(body: &mut Value) -> impl Iterator<Item = &mut serde_json::Map<String, Value>> {
    let tools = body.get_mut("tools").and_then(Value::as_array_mut).into_iter().flatten();
    tools.filter_map(|tool| tool.get_mut("function").and_then(Value::as_object_mut))
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
        learn(status, answer, &body, &[]).iter().map(Lesson::parameter).collect()
    }

    /// Sends a body until no answer refuses it any more, and returns each as it was sent.
    fn sent(body: &Value, answers: &[&str]) -> Vec<Value> {
        let (mut known, mut sent) = (Vec::new(), vec![body.clone()]);
        for answer in answers {
            let refused = applied(body.clone(), &known);
            known.extend(learn(400, answer, &refused, &known));
            sent.push(applied(body.clone(), &known));
        }
        sent
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
        assert_eq!(sent(&body, &["no stream_options"])[1], json!({"model": "m"}));
    }

    #[test]
    fn a_limit_of_the_reply_goes_by_its_other_name_and_by_none_if_that_is_refused_too() {
        let openai = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.";
        let body = json!({"max_tokens": 9});
        let expected = [json!({"max_tokens": 9}), json!({"max_completion_tokens": 9}), json!({})];
        assert_eq!(sent(&body, &[openai, "max_completion_tokens: extra field"]), expected);
        let body = json!({"max_completion_tokens": 9});
        assert_eq!(sent(&body, &["Unknown name \"max_completion_tokens\""])[1], json!({"max_tokens": 9}));
        let both = json!({"max_tokens": 9, "max_completion_tokens": 8});
        assert_eq!(sent(&both, &["max_tokens"])[1], json!({"max_completion_tokens": 8}));
    }

    #[test]
    fn a_call_that_cannot_be_demanded_is_hoped_for() {
        let body = json!({"tool_choice": "required"});
        let expected = [body.clone(), json!({"tool_choice": "auto"}), json!({})];
        assert_eq!(sent(&body, &["tool_choice must be auto", "tool_choice is not supported"]), expected);
        assert_eq!(sent(&json!({"tool_choice": "none"}), &["tool_choice"])[1], json!({}));
        let known = learn(400, "tool_choice", &body, &[]);
        assert_eq!(applied(json!({"tool_choice": "none"}), &known), json!({"tool_choice": "none"}));
    }

    #[test]
    fn of_the_efforts_that_the_answer_lists_the_least_is_made() {
        let openai = "Unsupported value: 'reasoning_effort' does not support 'none' with this model. \
                      Supported values are: 'low', 'medium', and 'high'.";
        let body = json!({"reasoning_effort": "none"});
        let expected = [body.clone(), json!({"reasoning_effort": "low"}), json!({})];
        assert_eq!(sent(&body, &[openai, openai]), expected);
        assert_eq!(sent(&body, &["reasoning_effort: this is too low a version"])[1], json!({}));
    }

    #[test]
    fn functions_lose_a_strictness_that_is_refused() {
        let tool = |function: Value| json!({"tools": [{"type": "function", "function": function}]});
        let body = tool(json!({"name": "a", "strict": true}));
        assert_eq!(sent(&body, &["Unknown name \"strict\" at 'tools[0]'"])[1], tool(json!({"name": "a"})));
    }
}
