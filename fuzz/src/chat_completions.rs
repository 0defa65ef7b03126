//! The part of its namesake in the service that needs no connection, and how a whole body goes through it.

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
#[path = "../../src/model/chat_completions/reply.rs"]
mod reply;
#[path = "../../src/model/chat_completions/sse.rs"]
mod sse;
#[path = "../../src/model/chat_completions/usage.rs"]
mod usage;
#[path = "../../src/model/chat_completions/usual.rs"]
mod usual;

use decode::Decoder;
use reply::Progress;

use crate::{
    domain::{ModelError, ModelEvent},
    model::{Provider, providers::quirks},
};

/// Reads pieces as the service reads them from a socket, and returns what they say and how it ended.
pub fn read<'a>(
    provider: Provider,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> (Vec<ModelEvent>, Result<(), ModelError>) {
    let echo = quirks::of(provider, "").echo;
    let (mut decoder, mut said) = (Decoder::new(provider, echo, 300), Vec::new());
    for piece in pieces {
        match decoder.read(piece, &mut said) {
            Ok(Progress::Open) => {}
            Ok(Progress::Over) => break,
            Err(error) => return (said, Err(error)),
        }
    }
    let outcome = decoder.close(&mut said);
    (said, outcome)
}
