//! The part of its namesake in the service that needs no connection: how a question is written, and how a reply is read.

#[path = "../../src/model/chat_completions/assembly.rs"]
mod assembly;
#[path = "../../src/model/chat_completions/chunk.rs"]
mod chunk;
#[path = "../../src/model/chat_completions/decode.rs"]
mod decode;
#[path = "../../src/model/chat_completions/ending.rs"]
mod ending;
#[path = "../../src/model/chat_completions/failure.rs"]
mod failure;
#[path = "../../src/model/chat_completions/meta.rs"]
mod meta;
#[path = "../../src/model/chat_completions/names.rs"]
mod names;
#[path = "../../src/model/chat_completions/offer.rs"]
mod offer;
#[path = "../../src/model/chat_completions/repair.rs"]
mod repair;
#[path = "../../src/model/chat_completions/reply.rs"]
mod reply;
#[path = "../../src/model/chat_completions/request/mod.rs"]
mod request;
#[path = "../../src/model/chat_completions/schema.rs"]
mod schema;
#[path = "../../src/model/chat_completions/sse.rs"]
mod sse;
#[path = "../../src/model/chat_completions/strict.rs"]
mod strict;
#[path = "../../src/model/chat_completions/usage.rs"]
mod usage;
#[path = "../../src/model/chat_completions/usual.rs"]
mod usual;

use std::sync::Arc;

use crate::{
    domain::{ModelEvent, ModelRequest},
    model::{Provider, providers::quirks},
};

/// Whatever writes questions, with what it keeps from one to the next.
pub struct Writer(offer::Offers, Arc<str>);

impl Writer {
    /// Begins to write for a provider that takes all that our tools use.
    pub fn new() -> Self {
        Self(offer::Offers::new(quirks::Dialect::Full), "bench".into())
    }

    /// Writes the body of a question.
    pub fn body(&self, request: &ModelRequest<'_>) -> serde_json::Result<Vec<u8>> {
        let quirks = quirks::of(Provider::Custom, "bench");
        let offer = self.0.of(request.tools)?;
        request::body(Provider::Custom, &self.1, quirks, &offer, request)
    }
}

/// Reads a body as it comes in one piece, and returns what it says.
pub fn read(body: &[u8]) -> Vec<ModelEvent> {
    let echo = quirks::of(Provider::Custom, "bench").echo;
    let (mut decoder, mut said) = (decode::Decoder::new(Provider::Custom, echo, 300), Vec::new());
    let _ = decoder.read(body, &mut said);
    let _ = decoder.close(&mut said);
    said
}

/// Reads the data of an event in the fast way, if it can be.
pub fn chunk(data: &str) -> bool {
    usual::parse(data).is_some()
}

/// Reads the data of an event in the forgiving way.
pub fn any_chunk(data: &str) -> bool {
    chunk::parse(data).is_ok()
}
