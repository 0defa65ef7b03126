//! Feeds any bytes, cut anywhere, to the reader of model replies: what a provider sends is nobody's promise.
//!
//! Beside that it never panics, three things are held: cuts change nothing, what is said fits the limits, and a
//! reply ends once, as the last thing that it says.

#![no_main]
#![expect(dead_code, unused_imports, reason = "the service uses more of these files than the reader does")]

#[path = "../../src/domain/mod.rs"]
mod domain;
mod model;
mod recipe;

use libfuzzer_sys::fuzz_target;

use domain::{MESSAGE_LIMIT, ModelError, ModelErrorKind, ModelEvent, RequestedCall};
use model::{Provider, chat_completions};

/// The most calls of one reply.
const CALL_LIMIT: usize = 128;

/// The size to which bodies are blown up where the limits are to be reached; too slow to be done with every input.
const BLOWN_UP: usize = MESSAGE_LIMIT + MESSAGE_LIMIT / 2;

fuzz_target!(|input: &[u8]| {
    // The last two bytes say who speaks and how the body is cut; at the end they leave recorded bodies as they are. They
    // also say whether the rest is a body or the recipe of one.
    let [body @ .., cut, voice] = input else { return };
    let provider = Provider::ALL[usize::from(*voice) % Provider::ALL.len()];
    let size = usize::from(*cut) % 64 + 1;
    let body = if *voice >= 0x80 { &recipe::body(body) } else { body };
    if std::env::var_os("BLOWN_UP").is_some() {
        compare(provider, &body.repeat(BLOWN_UP / body.len().max(1) + 1), size * 64);
    } else {
        compare(provider, body, size);
    }
});

/// Reads a body as one piece and in pieces of `size` bytes, and holds what it says against the rules.
fn compare(provider: Provider, body: &[u8], size: usize) {
    let (said, outcome) = chat_completions::read(provider, std::iter::once(body));
    check(&said, &outcome);
    let (said_in_pieces, outcome_in_pieces) = chat_completions::read(provider, body.chunks(size));
    assert_eq!(written(said), written(said_in_pieces), "in pieces of {size}");
    assert_eq!(kind(outcome), kind(outcome_in_pieces), "in pieces of {size}");
}

/// Holds what a reply says against the limits and the order of its parts.
fn check(said: &[ModelEvent], outcome: &Result<(), ModelError>) {
    let (mut text, mut reasoning, mut calls) = (0, 0, 0);
    for (position, event) in said.iter().enumerate() {
        match event {
            ModelEvent::Text(piece) => text += seen(piece),
            ModelEvent::Reasoning(piece) => reasoning += seen(piece),
            ModelEvent::Call(call) => {
                assert!(!call.name.is_empty() && !call.provider_id.is_empty(), "{call:?}");
                calls += 1;
            }
            ModelEvent::CallBegun | ModelEvent::Meta(_) | ModelEvent::Usage(_) => {}
            ModelEvent::Finished(_) => assert_eq!(position + 1, said.len(), "something follows the end"),
            ModelEvent::Alive | ModelEvent::Replaced { .. } => panic!("not the reader's to say: {event:?}"),
        }
    }
    assert!(text <= MESSAGE_LIMIT, "{text} bytes of text");
    assert!(reasoning <= 3 * MESSAGE_LIMIT, "{reasoning} bytes of reasoning"); // NUL grows to three bytes
    assert!(calls <= CALL_LIMIT, "{calls} calls");
    let has_ended = matches!(said.last(), Some(ModelEvent::Finished(_)));
    assert_eq!(has_ended, outcome.is_ok(), "a reply ends or fails, never both");
    assert!(has_ended || calls == 0, "calls of a reply that failed");
}

/// Returns how long a piece is; there is none without text, and none with a NUL.
fn seen(piece: &str) -> usize {
    assert!(!piece.is_empty() && !piece.contains('\0'), "{piece:?}");
    piece.len()
}

/// Writes events down without the ids that were made up, which differ from time to time.
fn written(said: Vec<ModelEvent>) -> Vec<ModelEvent> {
    let is_made_up =
        |call: &RequestedCall| call.provider_id.starts_with("call_") && call.provider_id.len() == 37;
    said.into_iter()
        .map(|event| match event {
            ModelEvent::Call(call) if is_made_up(&call) => {
                ModelEvent::Call(RequestedCall { provider_id: "made up".into(), ..call })
            }
            other => other,
        })
        .collect()
}

fn kind(outcome: Result<(), ModelError>) -> Option<(ModelErrorKind, String)> {
    outcome.err().map(|error| (error.kind, error.detail))
}
