//! The body of a request: what stands in it for each provider. `strict` holds any history against what they refuse.

mod again;
mod strict;

use serde_json::{Map, Value, json};

use super::{messages::NO_SIGNATURE, *};
use crate::{
    domain::{
        CallId, CallStatus, Item, Meter, ProviderMeta, Reply, Tool, ToolCall, ToolResult, ToolSchema,
        UserMessage,
    },
    model::{fake::ALONE, providers, providers::quirks::Dialect},
};

/// Reads a body back, as providers do. It stands there as a tree would be written.
fn body(provider: Provider, model: &str, quirks: Quirks, request: &ModelRequest<'_>) -> Value {
    let offer = Offer::of(request.tools, quirks.schema).unwrap();
    let written = super::body(provider, &model.into(), quirks, &offer, request).unwrap();
    let read: Value = serde_json::from_slice(&written).unwrap();
    assert_eq!(String::from_utf8(written).unwrap(), read.to_string());
    read
}

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
    let meter = &Meter::default();
    let request = ModelRequest {
        instructions: "Be kind.",
        history,
        transcript: None,
        tools,
        tool_choice,
        conversation_id,
        meter,
        asker: &ALONE,
    };
    body(provider, model, providers::quirks::of(provider, model), &request)
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
    let signature = json!({"provider": "gemini", "extra_content": {"google": {"thought_signature": "abc"}}});
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
    let ask = |model: &str| body_of(Provider::OpenAi, model, &two_turns(), &[add_task()], ToolChoice::None);
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
        Some(ProviderMeta {
            provider: provider.into(),
            model: Some("m".into()),
            data: json!({"reasoning_details": details}),
        })
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
    let odd = ToolCall { name: "functions.add task".into(), arguments: Map::new(), ..call("a", "", None) };
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

#[test]
fn what_a_model_wants_back_goes_to_its_family_and_rows_that_do_not_name_it_go_to_its_provider() {
    let signature = json!({"google": {"thought_signature": "s"}});
    let stand_in = json!({"google": {"thought_signature": NO_SIGNATURE}});
    for (by, echoed) in [
        (json!({"provider": "gemini", "model": "gemini-3-pro", "extra_content": signature}), &signature),
        (json!({"provider": "gemini", "extra_content": signature}), &signature),
        (json!({"provider": "gemini", "model": "gemini-2.5-flash", "extra_content": signature}), &stand_in),
        (json!({"provider": "custom", "model": "gemini-3-pro", "extra_content": signature}), &stand_in),
    ] {
        let call = call("a", "milk", Some(by.clone()));
        let history = [user("hi", ""), calls_only(&[&call], None), result_of(&call, "ok")];
        let body = body_of(Provider::Gemini, "gemini-3.5-flash-lite", &history, &[], ToolChoice::Auto);
        assert_eq!(body.pointer("/messages/2/tool_calls/0/extra_content"), Some(echoed), "{by}");
    }
    let stored =
        json!({"text": "", "provider_meta": {"provider": "openrouter", "data": {"reasoning_details": [1]}}});
    let old: Reply = serde_json::from_value(stored).unwrap();
    let meta = old.provider_meta.unwrap();
    for (model, is_sent) in [(None, true), (Some("google/gemini-3-pro"), true), (Some("x/y"), false)] {
        let meta = ProviderMeta { model: model.map(Into::into), ..meta.clone() };
        let history = [user("hi", ""), calls_only(&[&call("a", "milk", None)], Some(meta))];
        let body = body_of(Provider::OpenRouter, "google/gemini-2.5-flash", &history, &[], ToolChoice::Auto);
        assert_eq!(body.pointer("/messages/2/reasoning_details").is_some(), is_sent, "{model:?}");
    }
}

#[test]
fn a_tool_has_one_name_in_the_list_and_in_the_history() {
    let tool = Tool { name: "tasks.add".into(), ..add_task() };
    let past = ToolCall { name: "tasks.add".into(), ..call("a", "milk", None) };
    let history = [user("hi", ""), calls_only(&[&past], None), result_of(&past, "ok")];
    let body = body_of(Provider::OpenAi, "m", &history, &[add_task(), tool], ToolChoice::Auto);
    assert_eq!(body.pointer("/tools/1/function/name"), Some(&json!("tasks_add")));
    assert_eq!(body.pointer("/messages/2/tool_calls/0/function/name"), Some(&json!("tasks_add")));
}

#[test]
fn what_can_be_said_strictly_is_and_the_rest_is_said_as_ever() {
    let open = json!({"type": "object"});
    let open = Tool { name: "open".into(), schema: ToolSchema::compile(open).unwrap(), ..add_task() };
    let quirks =
        Quirks { schema: Dialect::OpenAiStrict, ..providers::quirks::of(Provider::OpenAi, "gpt-6-luna") };
    let tools = [add_task(), open];
    let request = ModelRequest {
        instructions: "",
        history: &[user("hi", "")],
        transcript: None,
        tools: &tools,
        tool_choice: ToolChoice::Auto,
        conversation_id: ConversationId::new(),
        meter: &Meter::default(),
        asker: &ALONE,
    };
    let body = body(Provider::OpenAi, "gpt-6-luna", quirks, &request);
    let function = |place: usize, key: &str| body["tools"][place]["function"].get(key).cloned();
    assert_eq!((function(0, "strict"), function(1, "strict")), (Some(json!(true)), None));
    assert_eq!(function(0, "parameters").unwrap()["required"].as_array().unwrap().len(), 2);
    assert_eq!(function(1, "parameters"), Some(json!({"type": "object"})));
}
