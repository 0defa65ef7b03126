//! What the pure parts cost that run for every delta, or for every question to a model.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use parlor::{
    agent::window::{self, Room},
    domain::{Event, EventId, Item, ItemId, Reply, UserMessage, next},
    wire,
};

// The reader of replies is no part of the library's face; its files are read here once more.
#[path = "../../src/model/chat_completions/chunk.rs"]
mod chunk;
#[expect(dead_code, reason = "only the reading is measured")]
#[path = "../../src/model/chat_completions/sse.rs"]
mod sse;
#[path = "../../src/model/chat_completions/usual.rs"]
mod usual;

const CHUNK: &str = r#"{"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1760000000,"model":"bench","choices":[{"index":0,"delta":{"content":"word01 "},"finish_reason":null}]}"#;

fn reader(criterion: &mut Criterion) {
    let body = format!("data: {CHUNK}\n\n").repeat(50);
    let mut group = criterion.benchmark_group("a reply of 50 deltas");
    group.throughput(Throughput::Elements(50));
    group.bench_function("bytes to events", |bencher| {
        bencher.iter(|| {
            let (mut reader, mut events) = (sse::Reader::default(), Vec::new());
            let _ = reader.read(black_box(body.as_bytes()), &mut events);
            events
        });
    });
    group.bench_function("events to chunks", |bencher| {
        bencher.iter(|| (0..50).map(|_| chunk::parse(black_box(CHUNK))).collect::<Vec<_>>());
    });
    group.bench_function("events to chunks, the forgiving way", |bencher| {
        bencher.iter(|| (0..50).map(|_| chunk::parse_anything(black_box(CHUNK))).collect::<Vec<_>>());
    });
    let deltas: Vec<(EventId, Event)> = (1_i64..=50)
        .map(|id| (id.into(), Event::MessageDelta { message_id: ItemId::new(), delta: "word01 ".into() }))
        .collect();
    group.bench_function("events to frames", |bencher| {
        bencher
            .iter(|| deltas.iter().map(|(id, event)| wire::frame(*id, black_box(event))).collect::<Vec<_>>());
    });
    group.finish();
}

fn history(length: usize) -> Vec<Item> {
    let text = "please have a look at the list of things that I wanted to do this week ".repeat(4);
    let item = |place| match place % 2 {
        0 => Item::User(UserMessage { text: text.clone(), context: String::new() }),
        _ => Item::Assistant(Reply::of_text(text.as_str())),
    };
    (0..=length).map(item).collect()
}

fn question(criterion: &mut Criterion) {
    for length in [10, 300] {
        let items = history(length);
        let mut group = criterion.benchmark_group(format!("a history of {length} messages"));
        group.bench_function("what is next", |bencher| {
            bencher.iter(|| next(black_box(&items), 10) == next(&[], 10))
        });
        group.bench_function("what fits", |bencher| {
            bencher.iter_batched(
                || Room::beside(600, 24_000, None, |tokens| tokens),
                |room| (window::left_out(black_box(&items), room), window::shown(&items, room).len()),
                BatchSize::SmallInput,
            );
        });
        group.finish();
    }
}

criterion_group!(pure, reader, question);
criterion_main!(pure);
