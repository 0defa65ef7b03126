//! Writes a request's body. Pure and deterministic: the same history gives the same bytes, so prompt caches
//! hit.
//!
//! It goes straight from the history to text: no tree is made of it, and no text of it copied on the way. The fields of an
//! object stand in the order of the alphabet, as in a tree, so that either way gives the same bytes.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

use serde::{Serialize, Serializer, ser::Error};
use serde_json::{Map, Value, json, value::RawValue};

use super::{
    offer::Offer,
    repair::{Said, Words, repaired},
};
use crate::{
    domain::{
        CallId, ConversationId, Item, ModelRequest, ProviderMeta, Reply, SHOWN_RESULT_LIMIT, ToolCall,
        ToolChoice, ToolResult, shortened,
    },
    model::{
        Provider,
        providers::quirks::{Echo, EmptyContent, Quirks, are_family},
    },
};

/// The longest id of a call that providers take.
const ID_LIMIT: usize = 40;

/// What stands for the answer to a call that is not known.
const NO_ANSWER: &str = "This call was interrupted; whether it took effect is not known.";

/// What Gemini takes in place of a signature, for calls that another model made.
const NO_SIGNATURE: &str = "skip_thought_signature_validator";

/// How much room a message takes beside its text at most, as a guess, in bytes.
const AROUND_A_TEXT: usize = 64;

/// How much room a call takes beside its name, as a guess, in bytes.
const AROUND_A_CALL: usize = 256;

/// Writes the body that asks `model` of `provider` for a streamed reply, with the tools of `offer`.
///
/// # Errors
/// If something in the history cannot be written as JSON.
pub(super) fn body(
    provider: Provider,
    model: &str,
    quirks: Quirks,
    offer: &Offer,
    request: &ModelRequest<'_>,
) -> serde_json::Result<Vec<u8>> {
    let writer = Writer { provider, model, quirks, offer, ids: HashMap::new(), seen: HashSet::new() };
    let tools = offer.text();
    let with_tools = tools.is_some();
    let body = Body {
        messages: writer.messages(request),
        model,
        parallel_tool_calls: (with_tools && quirks.takes_parallel_tool_calls).then_some(false),
        prompt_cache_key: quirks.takes_cache_key.then_some(request.conversation_id),
        reasoning_effort: (with_tools && quirks.must_not_reason).then_some("none"),
        stream: true,
        stream_options: quirks.takes_stream_options.then_some(StreamOptions { include_usage: true }),
        tool_choice: choice(request.tool_choice).filter(|_| with_tools),
        tools,
    };
    let mut text = Vec::with_capacity(guessed_length(offer, request));
    serde_json::to_writer(&mut text, &body)?;
    Ok(text)
}

/// Returns the word for a choice of tools.
const fn choice(choice: ToolChoice) -> Option<&'static str> {
    match choice {
        ToolChoice::Auto => None, // the default everywhere, and not every server takes the word
        ToolChoice::Required => Some("required"),
        ToolChoice::None => Some("none"),
    }
}

/// Guesses how long a body becomes, rather too long than too short: a buffer that grows is copied.
fn guessed_length(offer: &Offer, request: &ModelRequest<'_>) -> usize {
    let item = |item: &Item| match item {
        Item::User(message) => message.context.len() + message.text.len(),
        Item::Assistant(reply) => reply.text.len() + AROUND_A_CALL * reply.calls.len(),
        Item::Tool(result) => result.text.len().min(SHOWN_RESULT_LIMIT) + ID_LIMIT,
    };
    let history: usize = request.history.iter().map(|it| item(it) + AROUND_A_TEXT).sum();
    let texts = request.instructions.len() + history;
    let escapes = texts / 16;
    offer.text().map_or(0, |text| text.get().len()) + texts + escapes + 4 * AROUND_A_CALL
}

/// The body of a request.
#[derive(Serialize)]
struct Body<'a> {
    messages: Vec<Message<'a>>,
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

/// A message, by its role.
#[derive(Serialize)]
#[serde(untagged)]
enum Message<'a> {
    System {
        content: &'a str,
        role: &'static str,
    },
    User {
        #[serde(serialize_with = "as_shown")]
        content: Words<'a>,
        role: &'static str,
    },
    Assistant {
        content: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        reasoning_content: Option<&'a Value>,
        #[serde(skip_serializing_if = "Option::is_none")]
        reasoning_details: Option<&'a Value>,
        role: &'static str,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        tool_calls: Vec<Call<'a>>,
    },
    Tool {
        content: Cow<'a, str>,
        role: &'static str,
        tool_call_id: Cow<'a, str>,
    },
}

#[derive(Serialize)]
struct Call<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_content: Option<Cow<'a, Value>>,
    function: Function<'a>,
    id: Cow<'a, str>,
    r#type: &'static str,
}

#[derive(Serialize)]
struct Function<'a> {
    #[serde(serialize_with = "as_text")]
    arguments: &'a Map<String, Value>,
    name: Cow<'a, str>,
}

fn as_shown<S: Serializer>(words: &Words<'_>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(words)
}

/// Writes arguments as the protocol has them: JSON, as a text in JSON.
fn as_text<S: Serializer>(arguments: &Map<String, Value>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&serde_json::to_string(arguments).map_err(S::Error::custom)?)
}

/// What decides how a message is written.
struct Writer<'a> {
    provider: Provider,
    model: &'a str,
    quirks: Quirks,
    offer: &'a Offer,
    /// The id of each call so far, as written.
    ids: HashMap<CallId, Cow<'a, str>>,
    /// The same ids, so that none is written twice.
    seen: HashSet<Cow<'a, str>>,
}

impl<'a> Writer<'a> {
    fn messages(mut self, request: &ModelRequest<'a>) -> Vec<Message<'a>> {
        let said = repaired(request.history);
        let mut messages = Vec::with_capacity(said.len() + 1);
        messages.push(Message::System { content: request.instructions, role: "system" });
        messages.extend(said.into_iter().map(|said| match said {
            Said::User(words) => Message::User { content: words, role: "user" },
            Said::Reply(reply) => self.reply(reply),
            Said::Answer(call, answer) => self.answer(call, answer),
        }));
        messages
    }

    fn reply(&mut self, reply: &'a Reply) -> Message<'a> {
        let content = match self.quirks.empty_content {
            EmptyContent::Null if reply.text.is_empty() => None,
            EmptyContent::Null | EmptyContent::Blank => Some(reply.text.as_str()),
        };
        let tool_calls = reply.calls.iter().enumerate().map(|(place, call)| self.call(call, place)).collect();
        Message::Assistant {
            content,
            reasoning_content: self.echoed(reply, Echo::ReasoningContent, "reasoning_content"),
            reasoning_details: self.echoed(reply, Echo::ReasoningDetails, "reasoning_details"),
            role: "assistant",
            tool_calls,
        }
    }

    fn answer(&self, call: &'a ToolCall, answer: Option<&'a ToolResult>) -> Message<'a> {
        let tool_call_id = self.ids.get(&call.id).cloned().unwrap_or(Cow::Borrowed(&call.provider_id));
        Message::Tool { content: answer.map_or(Cow::Borrowed(NO_ANSWER), shown), role: "tool", tool_call_id }
    }

    fn call(&mut self, call: &'a ToolCall, place: usize) -> Call<'a> {
        let name = self.offer.names().written(&call.name);
        Call {
            extra_content: self.echoed_extra(call, place),
            function: Function { arguments: &call.arguments, name },
            id: self.accepted_id(call),
            r#type: "function",
        }
    }

    /// Notes and returns the id of a call: the provider's, unless it is too long or was there before, as when
    /// a provider counts anew in each reply. Ours is as constant as the provider's.
    fn accepted_id(&mut self, call: &'a ToolCall) -> Cow<'a, str> {
        let given = call.provider_id.as_str();
        let is_accepted = (1..=ID_LIMIT).contains(&given.len()) && !self.seen.contains(given);
        let ours = || Cow::Owned(format!("call_{}", call.id.uuid().simple()));
        let id = if is_accepted { Cow::Borrowed(given) } else { ours() };
        self.seen.insert(id.clone());
        self.ids.insert(call.id, id.clone());
        id
    }

    /// Returns what Gemini wants back with a call. The first call of a message must have a signature; where
    /// another model made the call, a word stands in for it.
    fn echoed_extra(&self, call: &'a ToolCall, place: usize) -> Option<Cow<'a, Value>> {
        match self.quirks.echo {
            Echo::Nothing | Echo::ReasoningDetails | Echo::ReasoningContent => return None,
            Echo::CallExtras => {}
        }
        let word = |meta: &'a Value, key: &str| meta.get(key).and_then(Value::as_str);
        let is_own =
            |meta: &&'a Value| word(meta, "provider").is_some_and(|by| self.is_own(by, word(meta, "model")));
        let own = call.provider_meta.as_ref().filter(is_own);
        let extra = own.and_then(|meta| meta.get("extra_content")).map(Cow::Borrowed);
        let needs_stand_in = place == 0 && self.quirks.wants_signature;
        let stand_in = || Cow::Owned(json!({"google": {"thought_signature": NO_SIGNATURE}}));
        extra.or_else(|| needs_stand_in.then(stand_in))
    }

    /// Returns what the provider wants back with a reply of its own, if it wants it under this key.
    fn echoed(&self, reply: &'a Reply, wanted: Echo, key: &str) -> Option<&'a Value> {
        let is_own = |meta: &&ProviderMeta| self.is_own(&meta.provider, meta.model.as_deref());
        let meta = reply.provider_meta.as_ref().filter(|_| self.quirks.echo == wanted).filter(is_own)?;
        meta.data.get(key)
    }

    /// Tells whether what a model wanted back is for this one. Older rows do not say which model it was.
    fn is_own(&self, provider: &str, model: Option<&str>) -> bool {
        provider == self.provider.name()
            && model.is_none_or(|model| are_family(self.provider, model, self.model))
    }
}

/// Returns what the model reads of a result.
fn shown(result: &ToolResult) -> Cow<'_, str> {
    match result.text.as_str() {
        "" => Cow::Borrowed("(no output)"), // Gemini refuses an empty part
        text => shortened(text, SHOWN_RESULT_LIMIT),
    }
}

#[cfg(test)]
mod tests;
