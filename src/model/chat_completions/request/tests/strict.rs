//! Providers at their strictest: every rule that one of them is known to refuse a request by (docs/providers.md names
//! the quirks), held against requests made from histories of every kind.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::body;
use crate::{
    domain::{
        CallId, CallStatus, ConversationId, Item, Meter, ModelRequest, ProviderMeta, Reply, Tool, ToolCall,
        ToolChoice, ToolResult, ToolSchema, UserMessage,
    },
    model::{Provider, fake::ALONE, providers::quirks},
};

/// The models that the rules of this file are about.
pub(super) const MODELS: [(Provider, &str); 8] = [
    (Provider::OpenAi, "gpt-4o-mini"),
    (Provider::OpenAi, "o3-mini"),
    (Provider::OpenAi, "gpt-6-luna"),
    (Provider::Gemini, "gemini-2.5-flash"),
    (Provider::Gemini, "gemini-3.5-flash-lite"),
    (Provider::Groq, "openai/gpt-oss-120b"),
    (Provider::OpenRouter, "openai/gpt-oss-20b:free"),
    (Provider::Custom, "llama3"),
];

/// Says why a provider would refuse a request, if it would.
fn refusal(provider: Provider, model: &str, request: &Value) -> Result<(), String> {
    let messages = request["messages"].as_array().ok_or("no messages")?;
    check_messages(messages)?;
    for message in messages {
        check_message(provider, model, message)?;
    }
    check_parameters(provider, model, request)?;
    request["tools"].as_array().into_iter().flatten().try_for_each(|tool| check_schema(provider, tool))
}

/// The order of messages: system, user, and each call answered right behind its reply, in any order, once.
fn check_messages(messages: &[Value]) -> Result<(), String> {
    let roles: Vec<&str> = messages.iter().filter_map(|message| message["role"].as_str()).collect();
    if roles.first() != Some(&"system") || roles.get(1).is_some_and(|role| *role != "user") {
        return Err(format!("a request begins with system and user, not {roles:?}"));
    }
    if roles.windows(2).any(|pair| pair == ["user", "user"]) {
        return Err("roles must alternate".into());
    }
    let (mut open, mut seen) = (Vec::<&str>::new(), Vec::<&str>::new());
    for message in messages {
        if message["role"] == "tool" {
            let id = message["tool_call_id"].as_str().unwrap_or_default();
            let at = open.iter().position(|open| *open == id).ok_or(format!("no call {id} is open"))?;
            open.remove(at);
            continue;
        }
        if !open.is_empty() {
            return Err(format!("calls {open:?} have no answer"));
        }
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            let id = call["id"].as_str().unwrap_or_default();
            if !(1..=40).contains(&id.len()) || seen.contains(&id) {
                return Err(format!("the id {id:?} is empty, too long or there twice"));
            }
            open.push(id);
            seen.push(id);
        }
    }
    if open.is_empty() { Ok(()) } else { Err(format!("calls {open:?} have no answer")) }
}

fn check_message(provider: Provider, model: &str, message: &Value) -> Result<(), String> {
    let calls = message["tool_calls"].as_array().map(Vec::as_slice).unwrap_or_default();
    let content = message["content"].as_str();
    if calls.is_empty() && content.is_none_or(str::is_empty) {
        return Err(format!("an empty part: {message}"));
    }
    if provider == Provider::OpenRouter && content.is_none() {
        return Err("OpenRouter refuses null for Gemini models".into());
    }
    if message.get("name").is_some() {
        return Err("Groq refuses `name` in messages".into());
    }
    for (place, call) in calls.iter().enumerate() {
        check_call(call)?;
        let signature = call.pointer("/extra_content/google/thought_signature");
        let is_signed = signature.is_some_and(Value::is_string);
        if provider == Provider::Gemini && model.starts_with("gemini-3") && place == 0 && !is_signed {
            return Err("Function call is missing a thought_signature".into());
        }
        if provider != Provider::Gemini && call.get("extra_content").is_some() {
            return Err("what belongs to Gemini went to another provider".into());
        }
    }
    let foreign = [("reasoning_details", Provider::OpenRouter), ("reasoning_content", Provider::Custom)];
    let strays = foreign.iter().find(|(key, of)| message.get(key).is_some() && *of != provider);
    strays.map_or(Ok(()), |(key, _)| Err(format!("{key} went to {provider:?}")))
}

fn check_call(call: &Value) -> Result<(), String> {
    check_name(&call["function"])?;
    let arguments = call.pointer("/function/arguments").and_then(Value::as_str).unwrap_or_default();
    match serde_json::from_str::<Map<String, Value>>(arguments) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("arguments are no object: {error}")), // llama.cpp answers 500 to every later turn
    }
}

fn check_name(function: &Value) -> Result<(), String> {
    let name = function["name"].as_str().unwrap_or_default();
    let accepts = |character: char| character.is_ascii_alphanumeric() || character == '_' || character == '-';
    if !(1..=64).contains(&name.len()) || !name.chars().all(accepts) {
        return Err(format!("the name {name:?} does not match ^[a-zA-Z0-9_-]{{1,64}}$"));
    }
    Ok(())
}

fn check_parameters(provider: Provider, model: &str, request: &Value) -> Result<(), String> {
    let has = |name: &str| request.get(name).is_some();
    let refused = match provider {
        Provider::OpenAi if model.starts_with('o') => {
            &["parallel_tool_calls", "max_tokens", "temperature"][..]
        }
        Provider::OpenAi => &["max_tokens"],
        Provider::Gemini => &["parallel_tool_calls", "prompt_cache_key", "strict"],
        Provider::Groq => &["logprobs", "logit_bias", "prompt_cache_key", "stream_options"],
        Provider::OpenRouter => &["prompt_cache_key"],
        Provider::Custom | Provider::Demo => &["parallel_tool_calls", "prompt_cache_key", "reasoning_effort"],
    };
    if let Some(name) = refused.iter().find(|name| has(name)) {
        return Err(format!("unsupported parameter: {name}"));
    }
    if model.starts_with("gpt-6") && has("tools") && request["reasoning_effort"] != "none" {
        return Err("Function tools with reasoning_effort are not supported".into());
    }
    if !has("tools") && (has("tool_choice") || has("parallel_tool_calls")) {
        return Err("parameters of tools without tools".into());
    }
    Ok(())
}

/// Gemini takes a subset of JSON Schema, and Groq no `required` without properties.
fn check_schema(provider: Provider, tool: &Value) -> Result<(), String> {
    const NOT_FOR_GEMINI: [&str; 8] = [
        "$schema",
        "$ref",
        "$defs",
        "const",
        "propertyNames",
        "additionalProperties",
        "exclusiveMinimum",
        "exclusiveMaximum",
    ];
    check_name(&tool["function"])?;
    let mut open = vec![&tool["function"]["parameters"]];
    while let Some(schema) = open.pop() {
        let Some(fields) = schema.as_object() else { continue };
        let is_gemini = provider == Provider::Gemini;
        if let Some(word) = NOT_FOR_GEMINI.iter().find(|word| is_gemini && fields.contains_key(**word)) {
            return Err(format!("Unknown name {word:?}"));
        }
        if is_gemini && fields.get("type").is_some_and(Value::is_array) {
            return Err("type must be one word".into());
        }
        if fields.get("required").and_then(Value::as_array).is_some_and(Vec::is_empty) {
            return Err("an empty `required`".into());
        }
        open.extend(fields.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::values));
        open.extend(fields.get("items"));
        open.extend(fields.get("anyOf").and_then(Value::as_array).into_iter().flatten());
    }
    Ok(())
}

pub(super) fn tools() -> Vec<Tool> {
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "required": [],
        "additionalProperties": false, "$defs": {"Kind": {"const": "a"}},
        "properties": {
            "title": {"type": ["string", "null"]}, "kind": {"$ref": "#/$defs/Kind"},
            "count": {"type": "integer", "exclusiveMinimum": 0},
        },
    });
    let tool = |name: &str| Tool {
        server: "tasks".into(),
        name: name.into(),
        description: "Adds a task.".into(),
        schema: ToolSchema::compile(schema.clone()).unwrap(),
        is_read_only: false,
        is_keyed: true,
    };
    ["add_task", "add.task", &"é".repeat(80)].map(tool).into()
}

fn call(provider_id: String, name: String, meta: u8) -> ToolCall {
    let signature = |provider: &str| json!({"provider": provider, "extra_content": {"google": {"thought_signature": "s"}}});
    ToolCall {
        id: CallId::new(),
        provider_id,
        server: "tasks".into(),
        name,
        arguments: Map::new(),
        unparsed: (meta == 0).then(|| "{\"title\":".into()),
        provider_meta: match meta {
            1 => Some(signature("gemini")),
            2 => Some(signature("openai")),
            _ => None,
        },
    }
}

/// One thing that a history may hold: what the user said, or a reply with calls of which some are answered.
pub(super) fn any_item() -> impl Strategy<Value = Vec<Item>> {
    let user = "[a-z]{1,5}".prop_map(|text| vec![Item::User(UserMessage { text, context: "Friday".into() })]);
    let any_call = ("[ab]{0,2}|x{50}", "[a-zA-Z0-9_.é ]{0,80}|add.task", 0_u8..4)
        .prop_map(|(id, name, meta)| call(id, name, meta));
    let calls = prop::collection::vec((any_call, 0_u8..4), 0..4);
    let reply = ("[a-z]{0,5}", calls, 0_u8..4).prop_map(|(text, calls, meta)| {
        let answers = calls.iter().flat_map(|(call, answers)| {
            let answer = Item::Tool(ToolResult::without_output(call, CallStatus::Ok, ""));
            // No answer at all, one, or two, as a crash between two writes or a bug could leave them.
            vec![answer; usize::from(*answers).min(2)]
        });
        let answers: Vec<Item> = answers.collect();
        let meta = match meta {
            0 => Some(("openrouter", "reasoning_details")),
            1 => Some(("custom", "reasoning_content")),
            2 => Some(("groq", "reasoning_content")),
            _ => None,
        };
        let provider_meta = meta.map(|(provider, key)| ProviderMeta {
            provider: provider.into(),
            model: None,
            data: json!({key: "hm"}),
        });
        let calls = calls.into_iter().map(|(call, _)| call).collect();
        let reply = Item::Assistant(Reply { calls, provider_meta, ..Reply::of_text(text) });
        [vec![reply], answers].concat()
    });
    prop_oneof![user, reply]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whatever_was_stored_no_provider_refuses_the_request(
        parts in prop::collection::vec(any_item(), 0..10), lost in prop::collection::vec(0_usize..30, 0..4), with_tools: bool,
    ) {
        let mut history = parts.concat();
        for place in lost {
            if place < history.len() {
                history.remove(place);
            }
        }
        history.push(Item::User(UserMessage { text: "go on".into(), context: String::new() }));
        let tools = if with_tools { tools() } else { Vec::new() };
        for (provider, model) in MODELS {
            let request = ModelRequest {
                instructions: "Be kind.",
                history: &history,
                transcript: None,
                tools: &tools,
                tool_choice: ToolChoice::Required,
                conversation_id: ConversationId::new(),
                meter: &Meter::default(),
                asker: &ALONE,
            };
            let body = body(provider, model, quirks::of(provider, model), &request);
            prop_assert_eq!(refusal(provider, model, &body), Ok(()), "{:?} {}: {}", provider, model, body);
        }
    }
}
