//! The exact request of each provider, as a socket sees it: address, headers and body, on a first turn, on a second after
//! a tool call, and on a third after an interrupted one.

use std::{fmt::Write, time::Duration};

use serde_json::{Map, Value, json};

use super::{
    Client,
    tests::{FakeProvider, HEAD, HELLO, STOP, Then},
};
use crate::{
    domain::{
        CallId, CallStatus, ConversationId, Item, Meter, Model, ModelRequest, ProviderMeta, Reply, Tool,
        ToolCall, ToolChoice, ToolResult, ToolSchema, UserMessage,
    },
    model::{Provider, ProviderSettings, fake::ALONE, providers::quirks},
};

fn user(text: &str) -> Item {
    let context = "Friday, 2026-11-20 07:14 UTC".into();
    Item::User(UserMessage { text: text.into(), context })
}

fn call(id: &str, title: &str, provider: &str) -> ToolCall {
    let signature = json!({"google": {"thought_signature": "c2ln"}});
    ToolCall {
        id: CallId::new(),
        provider_id: id.into(),
        server: "tasks".into(),
        name: "add_task".into(),
        arguments: Map::from_iter([("title".into(), title.into())]),
        unparsed: None,
        provider_meta: (provider == "gemini")
            .then(|| json!({"provider": provider, "extra_content": signature})),
    }
}

/// Returns what the provider wants back with its reply, as it was stored.
fn meta(provider: &str) -> Option<ProviderMeta> {
    let data = match provider {
        "openrouter" => json!({"reasoning_details": [{"type": "reasoning.text", "text": "Milk."}]}),
        "custom" => json!({"reasoning_content": "Milk."}),
        _ => return None,
    };
    Some(ProviderMeta { provider: provider.into(), model: None, data })
}

/// The history before each of three turns.
fn turns(provider: &str) -> [Vec<Item>; 3] {
    let (milk, mom) = (call("call_1", "milk", provider), call("call_2", "mom", provider));
    let asks = |call: &ToolCall| {
        let calls = vec![call.clone()];
        Item::Assistant(Reply { calls, provider_meta: meta(provider), ..Reply::of_text("") })
    };
    let first = vec![user("add milk")];
    let answer = Item::Tool(ToolResult::without_output(&milk, CallStatus::Ok, "Task created: milk"));
    let done = Item::Assistant(Reply::of_text("Added."));
    let second = [first.clone(), vec![asks(&milk), answer, done, user("add mom")]].concat();
    let interrupted = ToolResult::without_output(&mom, CallStatus::Unknown, "The call was interrupted.");
    let third = [second.clone(), vec![asks(&mom), Item::Tool(interrupted), user("and now?")]].concat();
    [first, second, third]
}

fn tool() -> Tool {
    let schema = json!({
        "type": "object", "required": ["title"], "additionalProperties": false,
        "properties": {"title": {"type": "string", "maxLength": 200}},
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

/// Sends one turn to a provider of our own that stands where the real one would, and returns what arrived.
async fn sent(provider: Provider, model: &str, history: &[Item]) -> String {
    let fake = FakeProvider::that_answers(format!("{HEAD}{HELLO}{STOP}"), Then::HangUp).await;
    let port = fake.url.trim_start_matches("http://127.0.0.1:").split('/').next().unwrap().to_owned();
    let path = provider.default_base_url().and_then(|url| url.splitn(4, '/').nth(3)).unwrap_or("v1");
    let client = Client::new(&ProviderSettings {
        provider,
        base_url: format!("http://127.0.0.1:{port}/{path}"),
        api_key: Some("the-key".into()),
        model: model.into(),
        connect_timeout: Duration::from_secs(5),
        first_token_timeout: Duration::from_secs(5),
        idle_timeout: Duration::from_secs(5),
        pause_per_delta: Duration::ZERO,
        quirks: quirks::of(provider, model),
        price: None,
        extras: Default::default(),
    });
    let request = ModelRequest {
        instructions: "Be kind.",
        history,
        transcript: None,
        tools: &[tool()],
        tool_choice: ToolChoice::Auto,
        conversation_id: "0190a5b4-7e3c-7cc0-a1b2-c3d4e5f60718".parse::<ConversationId>().unwrap(),
        meter: &Meter::default(),
        asker: &ALONE,
    };
    drop(client.unwrap().stream(request).await.unwrap());
    fake.request().await.replace(&port, "PORT")
}

/// Writes a request down: its head as it came, its body a field or message a line.
fn written(request: &str) -> String {
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let mut lines: Vec<String> =
        head.lines().filter(|line| !line.starts_with("content-length")).map(Into::into).collect();
    let body: Value = serde_json::from_str(body).unwrap();
    for (key, value) in body.as_object().unwrap() {
        match value {
            Value::Array(entries) => lines.extend(entries.iter().map(|entry| format!("{key}[] {entry}"))),
            _ => lines.push(format!("{key} {value}")),
        }
    }
    lines.join("\n")
}

#[tokio::test]
async fn each_provider_is_asked_exactly_so_on_three_turns() {
    for (provider, model) in [
        (Provider::OpenAi, "gpt-4o-mini"),
        (Provider::Gemini, "gemini-3.5-flash-lite"),
        (Provider::Groq, "openai/gpt-oss-120b"),
        (Provider::OpenRouter, "openai/gpt-oss-20b:free"),
        (Provider::Custom, "llama3"),
    ] {
        let mut requests = String::new();
        for (turn, history) in turns(provider.name()).iter().enumerate() {
            let request = written(&sent(provider, model, history).await);
            writeln!(requests, "--- turn {}\n{request}\n", turn + 1).unwrap();
        }
        insta::assert_snapshot!(provider.name(), requests);
    }
}
