//! Writes a request's body. Pure and deterministic: the same history gives the same bytes, so prompt caches hit.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::schema;
use crate::{
    domain::{
        CallId, Item, ModelRequest, Reply, Tool, ToolCall, ToolChoice, ToolResult, UserMessage, cut_at,
    },
    model::{
        Provider,
        providers::{self, Echo, EmptyContent},
    },
};

/// The most of a tool's result that the model reads, in bytes.
const RESULT_LIMIT: usize = 8 * 1024;

/// The longest name of a tool that providers take.
const NAME_LIMIT: usize = 64;

/// What Gemini takes in place of a signature, for calls that another model made.
const NO_SIGNATURE: &str = "skip_thought_signature_validator";

/// Writes the body that asks `model` of `provider` for a streamed reply.
pub(super) fn body(provider: Provider, model: &str, request: &ModelRequest<'_>) -> Value {
    let quirks = provider.quirks();
    let writer = Writer { provider, model };
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
}

impl Writer<'_> {
    fn messages(&self, request: &ModelRequest<'_>) -> Value {
        let mut provider_ids: HashMap<CallId, &str> = HashMap::new();
        let mut messages = vec![json!({"role": "system", "content": request.instructions})];
        for item in request.history {
            match item {
                Item::User(message) => messages.push(user(message)),
                Item::Assistant(reply) => {
                    provider_ids.extend(reply.calls.iter().map(|call| (call.id, call.provider_id.as_str())));
                    messages.extend(self.assistant(reply));
                }
                // A result whose call is not in the request would be refused, so it is left out.
                Item::Tool(result) => {
                    messages.extend(provider_ids.get(&result.call_id).map(|id| tool_result(id, result)));
                }
            }
        }
        Value::Array(messages)
    }

    /// Writes a reply; nothing for one of neither text nor calls, which providers refuse.
    fn assistant(&self, reply: &Reply) -> Option<Value> {
        if reply.text.is_empty() && reply.calls.is_empty() {
            return None;
        }
        let content = match self.provider.quirks().empty_content {
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
        Some(Value::Object(message))
    }

    fn call(&self, call: &ToolCall, place: usize) -> Value {
        let arguments = Value::Object(call.arguments.clone()).to_string();
        let function = json!({"name": accepted_name(&call.name), "arguments": arguments});
        let mut written = json!({"id": call.provider_id, "type": "function", "function": function});
        if let (Some(extra), Value::Object(fields)) = (self.echoed_extra(call, place), &mut written) {
            fields.insert("extra_content".into(), extra);
        }
        written
    }

    /// Returns what Gemini wants back with a call. The first call of a message must have a signature; where another
    /// model made the call, a word stands in for it.
    fn echoed_extra(&self, call: &ToolCall, place: usize) -> Option<Value> {
        match self.provider.quirks().echo {
            Echo::Nothing | Echo::ReasoningDetails | Echo::ReasoningContent => return None,
            Echo::CallExtras => {}
        }
        let own = call
            .provider_meta
            .as_ref()
            .filter(|meta| meta.get("provider").and_then(Value::as_str) == Some(self.provider.name()));
        let extra = own.and_then(|meta| meta.get("extra_content")).cloned();
        let needs_stand_in = place == 0 && providers::wants_thought_signature(self.model);
        extra.or_else(|| needs_stand_in.then(|| json!({"google": {"thought_signature": NO_SIGNATURE}})))
    }

    fn echoed_reasoning(&self, reply: &Reply) -> Option<(&'static str, Value)> {
        let key = match self.provider.quirks().echo {
            Echo::Nothing | Echo::CallExtras => return None,
            Echo::ReasoningDetails => "reasoning_details",
            Echo::ReasoningContent => "reasoning_content",
        };
        let meta = reply.provider_meta.as_ref().filter(|meta| meta.provider == self.provider.name())?;
        Some((key, meta.data.get(key)?.clone()))
    }

    fn add_tools(&self, body: &mut Map<String, Value>, request: &ModelRequest<'_>) {
        let quirks = self.provider.quirks();
        let tools = request.tools.iter().map(|tool| self.tool(tool)).collect();
        body.insert("tools".into(), Value::Array(tools));
        match request.tool_choice {
            ToolChoice::Auto => {} // the default everywhere, and not every server takes the word
            ToolChoice::Required => drop(body.insert("tool_choice".into(), "required".into())),
            ToolChoice::None => drop(body.insert("tool_choice".into(), "none".into())),
        }
        if quirks.takes_parallel_tool_calls && !providers::is_o_series(self.model) {
            body.insert("parallel_tool_calls".into(), false.into());
        }
        if self.provider == Provider::OpenAi && providers::reasons_unless_told_not_to(self.model) {
            body.insert("reasoning_effort".into(), "none".into());
        }
    }

    fn tool(&self, tool: &Tool) -> Value {
        let parameters = schema::project(tool.schema.document(), self.provider.quirks().schema);
        let function = json!({"name": tool.name, "description": tool.description, "parameters": parameters});
        json!({"type": "function", "function": function})
    }
}

fn user(message: &UserMessage) -> Value {
    let content = match message.context.as_str() {
        "" => message.text.clone(),
        context => format!("{context}\n{}", message.text),
    };
    json!({"role": "user", "content": content})
}

fn tool_result(provider_id: &str, result: &ToolResult) -> Value {
    let content = match result.text.as_str() {
        "" => "(no output)".to_owned(), // Gemini refuses an empty part
        text if text.len() <= RESULT_LIMIT => text.to_owned(),
        text => {
            let shown = cut_at(text, RESULT_LIMIT);
            format!("{shown}\n[cut: {} of {} bytes are shown]", shown.len(), text.len())
        }
    };
    json!({"role": "tool", "tool_call_id": provider_id, "content": content})
}

/// Brings a name that a model made up into the form that providers take. One bad name in a history would otherwise
/// have every later request refused.
fn accepted_name(name: &str) -> String {
    let accept = |character: char| match character {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '-' => character,
        _ => '_',
    };
    name.chars().take(NAME_LIMIT).map(accept).collect()
}
