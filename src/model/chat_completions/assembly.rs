//! Joins the fragments of tool calls. Providers send arguments in pieces and number them each in its own way;
//! the agent wants whole calls.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::chunk::CallPart;
use crate::{
    domain::{CallId, MESSAGE_LIMIT, ModelError, ModelErrorKind, RequestedCall, without_nul},
    model::Provider,
};

/// The most calls of one reply; a model that asks for more is in a loop.
const CALL_LIMIT: usize = 128;

/// The calls of a reply so far.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    slots: Vec<Slot>,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Slot {
    index: Option<u64>,
    id: String,
    name: String,
    has_other_name: bool,
    arguments: String,
    extra_content: Map<String, Value>,
}

impl Assembly {
    /// Takes in a fragment.
    pub(super) fn add(&mut self, part: CallPart) -> Result<(), ModelError> {
        self.bytes += part.arguments.len() + part.name.len() + part.id.len();
        let position = self.find_slot(&part).unwrap_or(self.slots.len());
        if self.bytes > MESSAGE_LIMIT || position >= CALL_LIMIT {
            return Err(malformed("the reply's calls exceed the limit"));
        }
        if position == self.slots.len() {
            self.slots.push(Slot::default());
        }
        if let Some(slot) = self.slots.get_mut(position) {
            slot.extend(part);
        }
        Ok(())
    }

    /// Tells how many bytes the calls have.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns the whole calls in their order. To be asked only when the reply is known to be whole.
    pub(super) fn into_calls(self, provider: Provider) -> Result<Vec<RequestedCall>, ModelError> {
        let mut calls = Vec::new();
        for slot in self.slots {
            calls.extend(slot.into_calls(provider)?);
        }
        if calls.len() > CALL_LIMIT {
            return Err(malformed("the reply's calls exceed the limit"));
        }
        let mut seen = HashSet::new();
        for call in &mut calls {
            if call.provider_id.is_empty() || !seen.insert(call.provider_id.clone()) {
                call.provider_id = made_up_id();
            }
        }
        Ok(calls)
    }

    /// Finds the slot that a fragment goes on with. The index counts, unless another id shows that it lies;
    /// without index the id; without both it is the last call, unless that is whole and this brings another.
    fn find_slot(&self, part: &CallPart) -> Option<usize> {
        let position = if part.index.is_some() {
            self.slots.iter().rposition(|slot| slot.index == part.index)
        } else if part.id.is_empty() {
            self.slots.len().checked_sub(1)
        } else {
            self.slots.iter().rposition(|slot| slot.id == part.id)
        }?;
        let slot = self.slots.get(position)?;
        let is_other_id = !part.id.is_empty() && !slot.id.is_empty() && part.id != slot.id;
        let starts_anew =
            part.id.is_empty() && !part.name.is_empty() && !part.arguments.is_empty() && slot.is_whole();
        (!is_other_id && !starts_anew).then_some(position)
    }
}

impl Slot {
    fn extend(&mut self, part: CallPart) {
        self.index = self.index.or(part.index);
        if self.id.is_empty() {
            self.id = part.id;
        }
        if self.name.is_empty() {
            self.name = part.name;
        } else {
            self.has_other_name |= !part.name.is_empty() && part.name != self.name;
        }
        self.arguments.push_str(&part.arguments);
        if let Some(Value::Object(extra)) = part.extra_content {
            self.extra_content.extend(extra);
        }
    }

    fn is_whole(&self) -> bool {
        serde_json::from_str::<Map<String, Value>>(&self.arguments).is_ok()
    }

    /// Returns the slot's call; several if their arguments were run together (seen with Gemini), the later ones
    /// without an id.
    fn into_calls(self, provider: Provider) -> Result<Vec<RequestedCall>, ModelError> {
        if self.name.is_empty() {
            let is_nothing = self.arguments.is_empty() && self.id.is_empty();
            return if is_nothing { Ok(Vec::new()) } else { Err(malformed("a tool call without a name")) };
        }
        let name = without_nul(self.name);
        let pieces = if self.has_other_name { Vec::new() } else { run_together(&self.arguments) };
        let pieces = if pieces.is_empty() { vec![self.arguments] } else { pieces };
        let call_of = |arguments: String| RequestedCall {
            provider_id: String::new(),
            name: name.clone(),
            arguments: if matches!(arguments.trim(), "" | "null") { "{}".to_owned() } else { arguments },
            provider_meta: None,
        };
        let mut calls: Vec<_> = pieces.into_iter().map(call_of).collect();
        if let Some(first) = calls.first_mut() {
            first.provider_id = without_nul(self.id);
            first.provider_meta = (!self.extra_content.is_empty())
                .then(|| json!({"provider": provider.name(), "extra_content": self.extra_content}));
        }
        Ok(calls)
    }
}

/// Takes apart arguments that are several JSON objects in a row; empty if they are not.
fn run_together(arguments: &str) -> Vec<String> {
    let objects: Result<Vec<Map<String, Value>>, _> =
        serde_json::Deserializer::from_str(arguments).into_iter().collect();
    match objects {
        Ok(objects) if objects.len() > 1 => {
            objects.into_iter().map(|object| Value::Object(object).to_string()).collect()
        }
        Ok(_) | Err(_) => Vec::new(),
    }
}

/// Makes up an id where the provider gave none. Without hyphens: OpenAI takes at most 40 characters.
fn made_up_id() -> String {
    format!("call_{}", CallId::new().uuid().simple())
}

fn malformed(detail: &str) -> ModelError {
    ModelError::new(ModelErrorKind::MalformedReply, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(index: Option<u64>, id: &str, name: &str, arguments: &str) -> CallPart {
        CallPart { index, id: id.into(), name: name.into(), arguments: arguments.into(), extra_content: None }
    }

    fn calls(parts: Vec<CallPart>) -> Vec<RequestedCall> {
        let mut assembly = Assembly::default();
        for part in parts {
            assembly.add(part).unwrap();
        }
        assembly.into_calls(Provider::Custom).unwrap()
    }

    fn briefly(parts: Vec<CallPart>) -> Vec<String> {
        let line = |call: RequestedCall| match call.provider_id.strip_prefix("call_") {
            Some(_) => format!("? {} {}", call.name, call.arguments),
            None => format!("{} {} {}", call.provider_id, call.name, call.arguments),
        };
        calls(parts).into_iter().map(line).collect()
    }

    #[test]
    fn fragments_of_numbered_calls_are_joined() {
        let parts = vec![
            part(Some(0), "a", "add", ""),
            part(Some(0), "", "", r#"{"t":"#),
            part(Some(1), "b", "list", "{}"),
            part(Some(0), "", "", "1}"),
        ];
        assert_eq!(briefly(parts), [r#"a add {"t":1}"#, "b list {}"]);
    }

    #[test]
    fn another_id_under_the_same_number_is_another_call() {
        let parts = vec![part(Some(0), "a", "add", r#"{"t":1}"#), part(Some(0), "b", "add", r#"{"t":2}"#)];
        assert_eq!(briefly(parts), [r#"a add {"t":1}"#, r#"b add {"t":2}"#]);
    }

    #[test]
    fn calls_without_numbers_are_told_apart_by_their_ids() {
        let parts = vec![
            part(None, "a", "add", r#"{"t":"#),
            part(None, "", "", "1}"),
            part(None, "b", "add", r#"{"t":2}"#),
        ];
        assert_eq!(briefly(parts), [r#"a add {"t":1}"#, r#"b add {"t":2}"#]);
    }

    #[test]
    fn calls_without_numbers_and_ids_are_told_apart_once_they_are_whole() {
        let parts = vec![part(None, "", "add", r#"{"t":1}"#), part(None, "", "done", r#"{"n":2}"#)];
        assert_eq!(briefly(parts), [r#"? add {"t":1}"#, r#"? done {"n":2}"#]);
    }

    #[test]
    fn a_name_that_is_repeated_is_one_name() {
        let parts = vec![part(Some(0), "a", "add", "{"), part(Some(0), "a", "add", "}")];
        assert_eq!(briefly(parts), ["a add {}"]);
    }

    #[test]
    fn arguments_that_were_run_together_are_several_calls_of_one_name() {
        let parts = vec![part(Some(0), "a", "add", r#"{"t":1}{"t":2}"#)];
        assert_eq!(briefly(parts), [r#"a add {"t":1}"#, r#"? add {"t":2}"#]);
    }

    #[test]
    fn arguments_that_were_run_together_under_two_names_stay_as_they_are() {
        let parts = vec![part(Some(0), "a", "add", r#"{"t":1}"#), part(Some(0), "a", "done", r#"{"n":2}"#)];
        assert_eq!(briefly(parts), [r#"a add {"t":1}{"n":2}"#]);
    }

    #[test]
    fn no_arguments_are_an_empty_object_and_broken_ones_stay() {
        let parts = vec![
            part(Some(0), "a", "list", ""),
            part(Some(1), "b", "list", "null"),
            part(Some(2), "c", "add", r#"{"t":"#),
        ];
        assert_eq!(briefly(parts), ["a list {}", "b list {}", r#"c add {"t":"#]);
    }

    #[test]
    fn ids_are_made_up_where_they_are_missing_or_repeated() {
        let parts =
            vec![part(Some(0), "a", "x", "{}"), part(Some(1), "a", "x", "{}"), part(Some(2), "", "x", "{}")];
        let ids: HashSet<_> = calls(parts).into_iter().map(|call| call.provider_id).collect();
        assert_eq!(ids.len(), 3);
        assert!(ids.iter().all(|id| !id.is_empty() && id.len() <= 40));
    }

    #[test]
    fn what_the_provider_wants_back_stays_with_its_call_under_the_providers_name() {
        let extra = CallPart { extra_content: Some(json!({"google": "s"})), ..CallPart::default() };
        let calls = calls(vec![part(None, "a", "x", "{}"), extra]);
        let meta = json!({"provider": "custom", "extra_content": {"google": "s"}});
        assert_eq!(calls.into_iter().map(|call| call.provider_meta).collect::<Vec<_>>(), [Some(meta)]);
    }

    #[test]
    fn a_model_in_a_loop_is_stopped() {
        let mut assembly = Assembly::default();
        let outcome = (0..1_000).try_for_each(|index| assembly.add(part(Some(index), "", "x", "{}")));
        assert_eq!(outcome.unwrap_err().kind, ModelErrorKind::MalformedReply);
        let mut assembly = Assembly::default();
        assembly.add(part(None, "", "x", &"{}".repeat(1_000))).unwrap();
        let outcome = assembly.into_calls(Provider::Custom);
        assert_eq!(outcome.unwrap_err().kind, ModelErrorKind::MalformedReply);
        let mut assembly = Assembly::default();
        let outcome = (0..2_000).try_for_each(|_| assembly.add(part(Some(0), "", "", &"x".repeat(1_024))));
        assert_eq!(outcome.unwrap_err().kind, ModelErrorKind::MalformedReply);
    }
}
