//! What the pure parts cost that run for every delta, or for every question to a model.

#![expect(dead_code, unused_imports, reason = "the service uses more of these files than is measured")]

#[path = "../../src/domain/mod.rs"]
mod domain;
mod model;
#[path = "../../src/agent/window.rs"]
mod window;
mod wire;

use std::{borrow::Cow, hint::black_box, sync::Mutex, time::Duration};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde_json::{Map, json};

use domain::{
    Asker, CallId, CallStatus, ConversationId, Event, EventId, Item, ItemId, Meter, Model, ModelRequest,
    Reply, Tool, ToolCall, ToolChoice, ToolResult, ToolSchema, UserMessage, next,
};
use model::chat_completions::{self, Writer};
use window::Room;
use wire::native;

const CHUNK: &str = r#"{"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1760000000,"model":"bench","choices":[{"index":0,"delta":{"content":"word01 "},"finish_reason":null}]}"#;

const TEXT: &str = "please have a look at the list of things that I wanted to do this week, ";

fn reply(criterion: &mut Criterion) {
    let end = r#"data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
    let body = format!("data: {CHUNK}\n\n").repeat(50) + end + "\n\ndata: [DONE]\n\n";
    assert_eq!(chat_completions::read(body.as_bytes()).len(), 52);
    assert!(chat_completions::chunk(CHUNK), "it is read the fast way");
    let mut group = criterion.benchmark_group("a reply of 50 deltas");
    group.throughput(Throughput::Elements(50));
    group.bench_function("bytes to model events", |bencher| {
        bencher.iter(|| chat_completions::read(black_box(body.as_bytes())));
    });
    group.bench_function("data to chunks", |bencher| {
        bencher.iter(|| (0..50).filter(|_| chat_completions::chunk(black_box(CHUNK))).count());
    });
    group.bench_function("data to chunks, the forgiving way", |bencher| {
        bencher.iter(|| (0..50).filter(|_| chat_completions::any_chunk(black_box(CHUNK))).count());
    });
    let deltas: Vec<(EventId, Event)> = (1_i64..=50)
        .map(|id| (id.into(), Event::MessageDelta { message_id: ItemId::new(), delta: "word01 ".into() }))
        .collect();
    group.bench_function("events to frames", |bencher| {
        bencher.iter(|| {
            let mut frames = Vec::new();
            deltas.iter().for_each(|(id, event)| native::write_frame(*id, black_box(event), &mut frames));
            frames
        });
    });
    group.finish();
}

/// Makes a history of so many items, in turns of four: a message, a call, its answer and a reply.
fn history(length: usize) -> Vec<Item> {
    let turn = || {
        let call = ToolCall {
            id: CallId::new(),
            provider_id: format!("call_{}", CallId::new()),
            server: "tasks".into(),
            name: "add_task".into(),
            arguments: Map::from_iter([("title".into(), "buy milk".into()), ("priority".into(), 2.into())]),
            unparsed: None,
            provider_meta: None,
        };
        let answer = Item::Tool(ToolResult::without_output(&call, CallStatus::Ok, TEXT.repeat(2)));
        let context = "Friday, 2026-11-20 07:14 UTC".into();
        [
            Item::User(UserMessage { text: TEXT.repeat(4), context }),
            Item::Assistant(Reply { calls: vec![call], ..Reply::of_text("") }),
            answer,
            Item::Assistant(Reply::of_text(TEXT.repeat(4) + "\nand \"so\" on\n")),
        ]
    };
    let last = Item::User(UserMessage { text: TEXT.into(), context: String::new() });
    let mut items: Vec<Item> = std::iter::repeat_with(turn).flatten().take(length / 4 * 4).collect();
    items.push(last);
    items
}

/// Makes six tools with schemas as long as those of the task server.
fn tools() -> Vec<Tool> {
    let property = json!({"type": ["string", "null"], "description": TEXT, "maxLength": 200});
    let names = ["title", "note", "due", "list"];
    let properties = Map::from_iter(names.map(|name| (name.to_owned(), property.clone())));
    let document = json!({"type": "object", "properties": properties, "required": ["title"]});
    let names = ["add_task", "list_tasks", "update_task", "complete_task", "delete_task", "search_tasks"];
    let tool = |name: &str| {
        Some(Tool {
            server: "tasks".into(),
            name: name.into(),
            description: TEXT.repeat(2),
            schema: ToolSchema::compile(document.clone()).ok()?,
            is_read_only: false,
            is_keyed: true,
        })
    };
    names.into_iter().filter_map(tool).collect()
}

/// Nobody, who is told nothing.
struct Nobody;

impl Asker for Nobody {
    fn waits(&self, _pause: Duration) {}

    fn fitting(&self, _model: &dyn Model) -> Cow<'_, [Item]> {
        Cow::Borrowed(&[])
    }
}

fn question(criterion: &mut Criterion) {
    let (tools, meter, writer) = (tools(), Meter::default(), Writer::new());
    for length in [10, 440] {
        let items = history(length);
        let request = ModelRequest {
            instructions: TEXT,
            history: &items,
            transcript: None,
            tools: &tools,
            tool_choice: ToolChoice::Auto,
            conversation_id: ConversationId::new(),
            meter: &meter,
            asker: &Nobody,
        };
        let mut group = criterion.benchmark_group(format!("a history of {length} items"));
        group.bench_function("what is next", |bencher| {
            bencher.iter(|| next(black_box(&items), 10) == next(&[], 10))
        });
        group.bench_function("what fits", |bencher| {
            bencher.iter(|| {
                let constant = window::constant_tokens(TEXT, black_box(&tools));
                let room = Room::beside(constant, 100_000, None, |tokens| tokens);
                let cut = window::cut(black_box(&items), room);
                window::shown(&items, cut.left, room).items.len()
            });
        });
        group.bench_function("the request's body", |bencher| {
            bencher.iter(|| writer.body(black_box(&request)).map(|body| body.len()));
        });
        let before = Mutex::default();
        let next = ModelRequest { transcript: Some(&before), ..request };
        group.bench_function("the next request's body", |bencher| {
            bencher.iter(|| writer.body(black_box(&next)).map(|body| body.len()));
        });
        group.finish();
    }
}

criterion_group!(pure, reply, question);
criterion_main!(pure);
