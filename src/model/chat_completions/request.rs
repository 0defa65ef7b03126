//! Writes a request's body. Pure and deterministic: the same history gives the same bytes, so prompt caches
//! hit.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

use serde_json::{Map, Value, json};

use super::{
    names::Names,
    repair::{Said, repaired},
    schema, strict,
};
use crate::{
    domain::{
        CallId, ModelRequest, ProviderMeta, Reply, SHOWN_RESULT_LIMIT, Tool, ToolCall, ToolChoice,
        ToolResult, shortened,
    },
    model::{
        Provider,
        providers::quirks::{Dialect, Echo, EmptyContent, Quirks, are_family},
    },
};

/// The longest id of a call that providers take.
const ID_LIMIT: usize = 40;

/// What stands for the answer to a call that is not known.
const NO_ANSWER: &str = "This call was interrupted; whether it took effect is not known.";

/// What Gemini takes in place of a signature, for calls that another model made.
const NO_SIGNATURE: &str = "skip_thought_signature_validator";

/// Writes the body that asks `model` of `provider` for a streamed reply.
pub(super) fn body(provider: Provider, model: &str, quirks: Quirks, request: &ModelRequest<'_>) -> Value {
    let names = Names::of(request.tools);
    let mut writer = Writer { provider, model, quirks, names, ids: HashMap::new(), seen: HashSet::new() };
    let mut body = Map::new();
    body.insert("model".into(), model.into());
    body.insert("stream".into(), true.into());
    if quirks.takes_stream_options {
        body.insert("stream_options".into(), json!({"include_usage": true}));
    }
    if quirks.takes_cache_key {
        body.insert("prompt_cache_key".into(), request.conversation_id.to_string().into());
    }
    body.insert("messages".into(), writer.messages(request));
    if !request.tools.is_empty() {
        writer.add_tools(&mut body, request);
    }
    Value::Object(body)
}

/// What decides how a message is written.
struct Writer<'a> {
    provider: Provider,
    model: &'a str,
    quirks: Quirks,
    names: Names,
    /// The id of each call so far, as written.
    ids: HashMap<CallId, String>,
    /// The same ids, so that none is written twice.
    seen: HashSet<String>,
}

impl Writer<'_> {
    fn messages(&mut self, request: &ModelRequest<'_>) -> Value {
        let mut messages = vec![json!({"role": "system", "content": request.instructions})];
        for said in repaired(request.history) {
            messages.push(match said {
                Said::User(text) => json!({"role": "user", "content": text}),
                Said::Reply(reply) => self.reply(reply),
                Said::Answer(call, answer) => self.answer(call, answer),
            });
        }
        Value::Array(messages)
    }

    fn reply(&mut self, reply: &Reply) -> Value {
        let content = match self.quirks.empty_content {
            EmptyContent::Null if reply.text.is_empty() => Value::Null,
            EmptyContent::Null | EmptyContent::Blank => Value::String(reply.text.clone()),
        };
        let mut message = Map::from_iter([("role".into(), "assistant".into()), ("content".into(), content)]);
        if !reply.calls.is_empty() {
            let calls = reply.calls.iter().enumerate().map(|(place, call)| self.call(call, place)).collect();
            message.insert("tool_calls".into(), Value::Array(calls));
        }
        if let Some((key, value)) = self.echoed_reasoning(reply) {
            message.insert(key.into(), value);
        }
        Value::Object(message)
    }

    fn answer(&self, call: &ToolCall, answer: Option<&ToolResult>) -> Value {
        let id = self.ids.get(&call.id).map_or(call.provider_id.as_str(), String::as_str);
        json!({"role": "tool", "tool_call_id": id, "content": answer.map_or(Cow::Borrowed(NO_ANSWER), shown)})
    }

    fn call(&mut self, call: &ToolCall, place: usize) -> Value {
        let arguments = Value::Object(call.arguments.clone()).to_string();
        let function = json!({"name": self.names.written(&call.name), "arguments": arguments});
        let mut written = json!({"id": self.accepted_id(call), "type": "function", "function": function});
        if let (Some(extra), Value::Object(fields)) = (self.echoed_extra(call, place), &mut written) {
            fields.insert("extra_content".into(), extra);
        }
        written
    }

    /// Notes and returns the id of a call: the provider's, unless it is too long or was there before, as when
    /// a provider counts anew in each reply. Ours is as constant as the provider's.
    fn accepted_id(&mut self, call: &ToolCall) -> String {
        let given = call.provider_id.clone();
        let is_accepted = (1..=ID_LIMIT).contains(&given.len()) && !self.seen.contains(&given);
        let id = if is_accepted { given } else { format!("call_{}", call.id.uuid().simple()) };
        self.seen.insert(id.clone());
        self.ids.insert(call.id, id.clone());
        id
    }

    /// Returns what Gemini wants back with a call. The first call of a message must have a signature; where
    /// another model made the call, a word stands in for it.
    fn echoed_extra(&self, call: &ToolCall, place: usize) -> Option<Value> {
        match self.quirks.echo {
            Echo::Nothing | Echo::ReasoningDetails | Echo::ReasoningContent => return None,
            Echo::CallExtras => {}
        }
        let word = |meta: &Value, key: &str| meta.get(key).and_then(Value::as_str).map(ToOwned::to_owned);
        let is_own = |meta: &&Value| {
            word(meta, "provider").is_some_and(|by| self.is_own(&by, word(meta, "model").as_deref()))
        };
        let own = call.provider_meta.as_ref().filter(is_own);
        let extra = own.and_then(|meta| meta.get("extra_content")).cloned();
        let needs_stand_in = place == 0 && self.quirks.wants_signature;
        extra.or_else(|| needs_stand_in.then(|| json!({"google": {"thought_signature": NO_SIGNATURE}})))
    }

    fn echoed_reasoning(&self, reply: &Reply) -> Option<(&'static str, Value)> {
        let key = match self.quirks.echo {
            Echo::Nothing | Echo::CallExtras => return None,
            Echo::ReasoningDetails => "reasoning_details",
            Echo::ReasoningContent => "reasoning_content",
        };
        let is_own = |meta: &&ProviderMeta| self.is_own(&meta.provider, meta.model.as_deref());
        let meta = reply.provider_meta.as_ref().filter(is_own)?;
        Some((key, meta.data.get(key)?.clone()))
    }

    /// Tells whether what a model wanted back is for this one. Older rows do not say which model it was.
    fn is_own(&self, provider: &str, model: Option<&str>) -> bool {
        provider == self.provider.name()
            && model.is_none_or(|model| are_family(self.provider, model, self.model))
    }

    fn add_tools(&self, body: &mut Map<String, Value>, request: &ModelRequest<'_>) {
        let tools = request.tools.iter().map(|tool| self.tool(tool)).collect();
        body.insert("tools".into(), Value::Array(tools));
        let choice = match request.tool_choice {
            ToolChoice::Auto => None, // the default everywhere, and not every server takes the word
            ToolChoice::Required => Some("required"),
            ToolChoice::None => Some("none"),
        };
        body.extend(choice.map(|word| ("tool_choice".to_owned(), word.into())));
        if self.quirks.takes_parallel_tool_calls {
            body.insert("parallel_tool_calls".into(), false.into());
        }
        if self.quirks.must_not_reason {
            body.insert("reasoning_effort".into(), "none".into());
        }
    }

    fn tool(&self, tool: &Tool) -> Value {
        let (name, schema) = (self.names.written(&tool.name), tool.schema.document());
        let strict = match self.quirks.schema {
            Dialect::OpenAiStrict => strict::projected(schema),
            Dialect::Full | Dialect::Gemini => None,
        };
        let is_strict = strict.is_some();
        let parameters = strict.unwrap_or_else(|| schema::project(schema, self.quirks.schema));
        let mut function = json!({"name": name, "description": tool.description, "parameters": parameters});
        if let (true, Value::Object(fields)) = (is_strict, &mut function) {
            fields.insert("strict".into(), true.into());
        }
        json!({"type": "function", "function": function})
    }
}

/// Returns what the model reads of a result.
fn shown(result: &ToolResult) -> Cow<'_, str> {
    match result.text.as_str() {
        "" => Cow::Borrowed("(no output)"), // Gemini refuses an empty part
        text => shortened(text, SHOWN_RESULT_LIMIT),
    }
}

#[cfg(test)]
mod tests;
