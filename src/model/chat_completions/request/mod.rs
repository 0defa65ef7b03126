//! Writes a request's body. Pure and deterministic: the same history gives the same bytes, so prompt caches
//! hit.
//!
//! It goes straight from the history to text: no tree is made of it, and no text of it copied on the way. The fields of an
//! object stand in the order of the alphabet, as in a tree, so that either way gives the same bytes. `messages` writes the
//! history, `transcript` only what was not written of it before.

mod messages;
mod transcript;

use std::sync::Arc;

use serde::Serialize;
use serde_json::value::RawValue;

use super::offer::Offer;
use crate::{
    domain::{ConversationId, Item, ModelRequest, SHOWN_RESULT_LIMIT, ToolChoice},
    model::{Provider, providers::quirks::Quirks},
};
use messages::{ID_LIMIT, Manner};

/// How much room a message takes beside its text at most, as a guess, in bytes.
const AROUND_A_TEXT: usize = 64;

/// How much room a call takes beside its name, as a guess, in bytes.
const AROUND_A_CALL: usize = 256;

/// Writes the body that asks `model` of `provider` for a streamed reply, with the tools of `offer`. Who asks again with the same
/// `model`, not only an equal one, goes on with what was written before.
///
/// # Errors
/// If something in the history cannot be written as JSON.
pub(super) fn body(
    provider: Provider,
    model: &Arc<str>,
    quirks: Quirks,
    offer: &Offer,
    request: &ModelRequest<'_>,
) -> serde_json::Result<Vec<u8>> {
    let manner = Manner { provider, model, quirks, names: offer.names() };
    let history = guessed_length(request.history);
    let mut text = Vec::with_capacity(guessed_beside(offer, request) + history);
    text.extend_from_slice(br#"{"messages":["#);
    messages::write_instructions(request.instructions, &mut text)?;
    transcript::write_history(&manner, request, history, &mut text)?;
    text.push(b']');
    let end = text.len();
    serde_json::to_writer(&mut text, &settings(model, quirks, offer, request))?;
    // It is one object: its second part goes on where the first one stopped.
    if let Some(brace) = text.get_mut(end) {
        *brace = b',';
    }
    Ok(text)
}

/// Decides what stands in a body behind the messages.
fn settings<'a>(
    model: &'a str,
    quirks: Quirks,
    offer: &'a Offer,
    request: &ModelRequest<'_>,
) -> Settings<'a> {
    let tools = offer.text();
    let with_tools = tools.is_some();
    Settings {
        model,
        parallel_tool_calls: (with_tools && quirks.takes_parallel_tool_calls).then_some(false),
        prompt_cache_key: quirks.takes_cache_key.then_some(request.conversation_id),
        reasoning_effort: (with_tools && quirks.must_not_reason).then_some("none"),
        stream: true,
        stream_options: quirks.takes_stream_options.then_some(StreamOptions { include_usage: true }),
        tool_choice: choice(request.tool_choice).filter(|_| with_tools),
        tools,
    }
}

/// Returns the word for a choice of tools.
const fn choice(choice: ToolChoice) -> Option<&'static str> {
    match choice {
        ToolChoice::Auto => None, // the default everywhere, and not every server takes the word
        ToolChoice::Required => Some("required"),
        ToolChoice::None => Some("none"),
    }
}

/// Guesses how long a history becomes, rather too long than too short: a buffer that grows is copied.
fn guessed_length(history: &[Item]) -> usize {
    let item = |item: &Item| match item {
        Item::User(message) => message.context.len() + message.text.len(),
        Item::Assistant(reply) => reply.text.len() + AROUND_A_CALL * reply.calls.len(),
        Item::Tool(result) => result.text.len().min(SHOWN_RESULT_LIMIT) + ID_LIMIT,
    };
    let texts: usize = history.iter().map(|it| item(it) + AROUND_A_TEXT).sum();
    texts + texts / 16
}

/// Guesses how long the rest of a body becomes.
fn guessed_beside(offer: &Offer, request: &ModelRequest<'_>) -> usize {
    let instructions = request.instructions.len();
    offer.text().map_or(0, |text| text.get().len()) + instructions + instructions / 16 + 4 * AROUND_A_CALL
}

/// What stands in a body behind the messages. All of it comes after them in the alphabet.
#[derive(Serialize)]
struct Settings<'a> {
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_tool_calls: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_cache_key: Option<ConversationId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<&'static str>,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[cfg(test)]
mod tests;
