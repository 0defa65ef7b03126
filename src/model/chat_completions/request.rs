//! Writes a request's body. Pure and deterministic: the same history gives the same bytes, so prompt caches
//! hit.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json};

use super::schema;
use crate::{
    domain::{
        CallId, Item, ModelRequest, Reply, SHOWN_RESULT_LIMIT, Tool, ToolCall, ToolChoice, ToolResult,
        UserMessage, shortened,
    },
    model::{
        Provider,
        providers::{self, Echo, EmptyContent},
    },
};

/// The longest name of a tool that providers take.
const NAME_LIMIT: usize = 64;

/// The longest id of a call that providers take.
const ID_LIMIT: usize = 40;

/// What Gemini takes in place of a signature, for calls that another model made.
const NO_SIGNATURE: &str = "skip_thought_signature_validator";

/// Writes the body that asks `model` of `provider` for a streamed reply.
pub(super) fn body(provider: Provider, model: &str, request: &ModelRequest<'_>) -> Value {
    let quirks = provider.quirks();
    let mut writer = Writer { provider, model, ids: HashMap::new(), seen: HashSet::new() };
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
    /// The id of each call so far, as written.
    ids: HashMap<CallId, String>,
    /// The same ids, so that none is written twice.
    seen: HashSet<String>,
}

impl Writer<'_> {
    fn messages(&mut self, request: &ModelRequest<'_>) -> Value {
        let mut messages = vec![json!({"role": "system", "content": request.instructions})];
        for item in request.history {
            match item {
                Item::User(message) => messages.push(user(message)),
                Item::Assistant(reply) => messages.extend(self.assistant(reply)),
                // A result whose call is not in the request would be refused, so it is left out.
                Item::Tool(result) => {
                    messages.extend(self.ids.get(&result.call_id).map(|id| tool_result(id, result)));
                }
            }
        }
        Value::Array(messages)
    }

    /// Writes a reply; nothing for one of neither text nor calls, which providers refuse.
    fn assistant(&mut self, reply: &Reply) -> Option<Value> {
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

    fn call(&mut self, call: &ToolCall, place: usize) -> Value {
        let arguments = Value::Object(call.arguments.clone()).to_string();
        let function = json!({"name": accepted_name(&call.name), "arguments": arguments});
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
        let choice = match request.tool_choice {
            ToolChoice::Auto => None, // the default everywhere, and not every server takes the word
            ToolChoice::Required => Some("required"),
            ToolChoice::None => Some("none"),
        };
        body.extend(choice.map(|word| ("tool_choice".to_owned(), word.into())));
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
        "" => "(no output)".into(), // Gemini refuses an empty part
        text => shortened(text, SHOWN_RESULT_LIMIT),
    };
    json!({"role": "tool", "tool_call_id": provider_id, "content": content})
}

/// Brings a name that a model made up into the form that providers take. One bad name in a history would
/// otherwise have every later request refused.
fn accepted_name(name: &str) -> String {
    let accept = |character: char| match character {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '-' => character,
        _ => '_',
    };
    name.chars().take(NAME_LIMIT).map(accept).collect()
}

#[cfg(test)]
mod tests {
    use crate::domain::{CallStatus, ConversationId, ProviderMeta, ToolSchema};

    use super::*;

    fn user(text: &str, context: &str) -> Item {
        Item::User(UserMessage { text: text.into(), context: context.into() })
    }

    fn call(provider_id: &str, title: &str, provider_meta: Option<Value>) -> ToolCall {
        ToolCall {
            id: CallId::new(),
            provider_id: provider_id.into(),
            server: "tasks".into(),
            name: "add_task".into(),
            arguments: Map::from_iter([("title".into(), title.into())]),
            unparsed: None,
            provider_meta,
        }
    }

    fn result_of(call: &ToolCall, text: &str) -> Item {
        Item::Tool(ToolResult { text: text.into(), ..ToolResult::without_output(call, CallStatus::Ok, "") })
    }

    fn calls_only(calls: &[&ToolCall], provider_meta: Option<ProviderMeta>) -> Item {
        let calls = calls.iter().map(|call| (*call).clone()).collect();
        Item::Assistant(Reply { calls, provider_meta, ..Reply::of_text("") })
    }

    fn add_task() -> Tool {
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "required": ["title"],
            "additionalProperties": false,
            "properties": {"title": {"type": "string"}, "priority": {"type": ["string", "null"]}}
        });
        Tool {
            server: "tasks".into(),
            name: "add_task".into(),
            description: "Adds a task.".into(),
            schema: ToolSchema::compile(schema).unwrap(),
            is_read_only: false,
            is_keyed: true,
        }
    }

    fn body_of(
        provider: Provider,
        model: &str,
        history: &[Item],
        tools: &[Tool],
        tool_choice: ToolChoice,
    ) -> Value {
        let conversation_id = "0190a5b4-7e3c-7cc0-a1b2-c3d4e5f60718".parse::<ConversationId>().unwrap();
        let request = ModelRequest { instructions: "Be kind.", history, tools, tool_choice, conversation_id };
        body(provider, model, &request)
    }

    /// Writes a body down, one field or message a line.
    fn written(body: &Value) -> String {
        let mut lines = Vec::new();
        for (key, value) in body.as_object().unwrap() {
            match value {
                Value::Array(entries) => lines.extend(entries.iter().map(|entry| format!("{key}[] {entry}"))),
                _ => lines.push(format!("{key} {value}")),
            }
        }
        lines.join("\n")
    }

    /// Two turns, the first of which made two calls for Gemini.
    fn two_turns() -> Vec<Item> {
        let signature =
            json!({"provider": "gemini", "extra_content": {"google": {"thought_signature": "abc"}}});
        let (milk, mom) = (call("a", "buy milk", Some(signature)), call("b", "call mom", None));
        vec![
            user("add buy milk and call mom", "Friday, 2026-11-20 07:14 UTC"),
            calls_only(&[&milk, &mom], None),
            result_of(&milk, "Task created: buy milk"),
            result_of(&mom, "Task created: call mom"),
            Item::Assistant(Reply::of_text("Both are on your list.")),
            user("thanks", ""),
        ]
    }

    #[test]
    fn openai_is_asked_like_this() {
        let body = body_of(Provider::OpenAi, "gpt-4o-mini", &two_turns(), &[add_task()], ToolChoice::Auto);
        insta::assert_snapshot!(written(&body), @r#"
        messages[] {"content":"Be kind.","role":"system"}
        messages[] {"content":"Friday, 2026-11-20 07:14 UTC\nadd buy milk and call mom","role":"user"}
        messages[] {"content":null,"role":"assistant","tool_calls":[{"function":{"arguments":"{\"title\":\"buy milk\"}","name":"add_task"},"id":"a","type":"function"},{"function":{"arguments":"{\"title\":\"call mom\"}","name":"add_task"},"id":"b","type":"function"}]}
        messages[] {"content":"Task created: buy milk","role":"tool","tool_call_id":"a"}
        messages[] {"content":"Task created: call mom","role":"tool","tool_call_id":"b"}
        messages[] {"content":"Both are on your list.","role":"assistant"}
        messages[] {"content":"thanks","role":"user"}
        model "gpt-4o-mini"
        parallel_tool_calls false
        prompt_cache_key "0190a5b4-7e3c-7cc0-a1b2-c3d4e5f60718"
        stream true
        stream_options {"include_usage":true}
        tools[] {"function":{"description":"Adds a task.","name":"add_task","parameters":{"additionalProperties":false,"properties":{"priority":{"type":["string","null"]},"title":{"type":"string"}},"required":["title"],"type":"object"}},"type":"function"}
        "#);
    }

    #[test]
    fn gemini_is_asked_like_this() {
        let body =
            body_of(Provider::Gemini, "gemini-2.5-flash", &two_turns(), &[add_task()], ToolChoice::Required);
        insta::assert_snapshot!(written(&body), @r#"
        messages[] {"content":"Be kind.","role":"system"}
        messages[] {"content":"Friday, 2026-11-20 07:14 UTC\nadd buy milk and call mom","role":"user"}
        messages[] {"content":null,"role":"assistant","tool_calls":[{"extra_content":{"google":{"thought_signature":"abc"}},"function":{"arguments":"{\"title\":\"buy milk\"}","name":"add_task"},"id":"a","type":"function"},{"function":{"arguments":"{\"title\":\"call mom\"}","name":"add_task"},"id":"b","type":"function"}]}
        messages[] {"content":"Task created: buy milk","role":"tool","tool_call_id":"a"}
        messages[] {"content":"Task created: call mom","role":"tool","tool_call_id":"b"}
        messages[] {"content":"Both are on your list.","role":"assistant"}
        messages[] {"content":"thanks","role":"user"}
        model "gemini-2.5-flash"
        stream true
        stream_options {"include_usage":true}
        tool_choice "required"
        tools[] {"function":{"description":"Adds a task.","name":"add_task","parameters":{"properties":{"priority":{"nullable":true,"type":"string"},"title":{"type":"string"}},"required":["title"],"type":"object"}},"type":"function"}
        "#);
    }

    #[test]
    fn nothing_about_tools_is_said_when_there_are_none() {
        let body = body_of(Provider::OpenAi, "gpt-6-luna", &two_turns(), &[], ToolChoice::Required);
        let mut keys: Vec<_> = body.as_object().unwrap().keys().collect();
        keys.sort();
        assert_eq!(keys, ["messages", "model", "prompt_cache_key", "stream", "stream_options"]);
    }

    #[test]
    fn models_with_limits_of_their_own_are_asked_within_them() {
        let ask =
            |model: &str| body_of(Provider::OpenAi, model, &two_turns(), &[add_task()], ToolChoice::None);
        assert_eq!(ask("o3-mini").get("parallel_tool_calls"), None);
        assert_eq!(ask("gpt-6-luna").get("reasoning_effort"), Some(&json!("none")));
        assert_eq!(ask("gpt-4o-mini").get("reasoning_effort"), None);
        assert_eq!(ask("gpt-4o-mini").get("tool_choice"), Some(&json!("none")));
    }

    #[test]
    fn a_foreign_call_carries_geminis_stand_in_for_a_signature_where_one_is_needed() {
        let foreign = call("a", "milk", Some(json!({"provider": "custom", "extra_content": {"x": 1}})));
        let history = [user("hi", ""), calls_only(&[&foreign], None), result_of(&foreign, "ok")];
        let extra = |provider: Provider, model: &str| {
            let body = body_of(provider, model, &history, &[], ToolChoice::Auto);
            body.pointer("/messages/2/tool_calls/0/extra_content").cloned()
        };
        let stand_in = json!({"google": {"thought_signature": NO_SIGNATURE}});
        assert_eq!(extra(Provider::Gemini, "gemini-3.5-flash-lite"), Some(stand_in));
        assert_eq!(extra(Provider::Gemini, "gemini-2.5-flash"), None);
        assert_eq!(extra(Provider::OpenAi, "gpt-4o-mini"), None);
    }

    #[test]
    fn reasoning_goes_back_only_to_the_provider_that_sent_it() {
        let details = json!([{"type": "reasoning.text", "text": "hm"}]);
        let meta = |provider: &str| {
            Some(ProviderMeta { provider: provider.into(), data: json!({"reasoning_details": details}) })
        };
        let echoed = |sender: &str, receiver: Provider| {
            let call = call("a", "milk", None);
            let history = [user("hi", ""), calls_only(&[&call], meta(sender)), result_of(&call, "ok")];
            let body = body_of(receiver, "m", &history, &[], ToolChoice::Auto);
            body.pointer("/messages/2/reasoning_details").cloned()
        };
        assert_eq!(echoed("openrouter", Provider::OpenRouter), Some(details.clone()));
        assert_eq!(echoed("custom", Provider::OpenRouter), None);
        assert_eq!(echoed("openrouter", Provider::Groq), None);
    }

    #[test]
    fn a_long_result_is_cut_and_says_so() {
        let call = call("a", "milk", None);
        let text = format!("head {} tail", "x".repeat(SHOWN_RESULT_LIMIT));
        let history = [user("hi", ""), calls_only(&[&call], None), result_of(&call, &text)];
        let body = body_of(Provider::OpenAi, "m", &history, &[], ToolChoice::Auto);
        let content = body.pointer("/messages/3/content").and_then(Value::as_str).unwrap();
        assert!(content.starts_with("head xx") && content.ends_with("xx tail"), "{content}");
        assert!(content.contains("\n[cut: ") && content.len() <= SHOWN_RESULT_LIMIT);
    }

    #[test]
    fn an_id_is_written_once_and_never_too_long() {
        let calls = [call("demo_1", "a", None), call("demo_1", "b", None), call(&"x".repeat(41), "c", None)];
        let turns = calls.iter().flat_map(|call| [calls_only(&[call], None), result_of(call, "ok")]);
        let history: Vec<_> = [user("hi", "")].into_iter().chain(turns).collect();
        let body = body_of(Provider::OpenAi, "m", &history, &[], ToolChoice::Auto);
        let at = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap();
        let called = [2, 4, 6].map(|place| at(&format!("/messages/{place}/tool_calls/0/id")));
        let answered = [3, 5, 7].map(|place| at(&format!("/messages/{place}/tool_call_id")));
        assert_eq!(called, answered);
        assert_eq!(called[0], "demo_1");
        assert_eq!(called[1], format!("call_{}", calls[1].id.uuid().simple()));
        assert!(called[2].len() <= ID_LIMIT);
    }

    #[test]
    fn what_providers_refuse_in_a_history_is_left_out_or_mended() {
        let odd =
            ToolCall { name: "functions.add task".into(), arguments: Map::new(), ..call("a", "", None) };
        let orphan = call("b", "milk", None);
        let history = [
            user("hi", ""),
            Item::Assistant(Reply::of_text("")),
            calls_only(&[&odd], None),
            result_of(&odd, ""),
            result_of(&orphan, "lost"),
        ];
        let body = body_of(Provider::OpenRouter, "m", &history, &[], ToolChoice::Auto);
        let function = json!({"name": "functions_add_task", "arguments": "{}"});
        assert_eq!(
            body.pointer("/messages").and_then(Value::as_array).unwrap()[2..],
            [
                json!({"role": "assistant", "content": "", "tool_calls": [
                    {"id": "a", "type": "function", "function": function}]}),
                json!({"role": "tool", "tool_call_id": "a", "content": "(no output)"}),
            ]
        );
    }
}
