//! The messages of a request: what each item of a history is for a provider and a model.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    sync::Arc,
};

use serde::{Serialize, Serializer, ser::Error};
use serde_json::{Map, Value, json};

use crate::{
    domain::{CallId, Item, ProviderMeta, Reply, SHOWN_RESULT_LIMIT, ToolCall, ToolResult, shortened},
    model::{
        Provider,
        chat_completions::{
            names::Names,
            repair::{Said, Words, repaired},
        },
        providers::quirks::{Echo, EmptyContent, Quirks, are_family},
    },
};

/// The longest id of a call that providers take.
pub(super) const ID_LIMIT: usize = 40;

/// What stands for the answer to a call that is not known.
const NO_ANSWER: &str = "This call was interrupted; whether it took effect is not known.";

/// What Gemini takes in place of a signature, for calls that another model made.
pub(super) const NO_SIGNATURE: &str = "skip_thought_signature_validator";

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

/// Writes the message that stands before all others.
pub(super) fn write_instructions(instructions: &str, text: &mut Vec<u8>) -> serde_json::Result<()> {
    serde_json::to_writer(text, &Message::System { content: instructions, role: "system" })
}

/// What decides how a message is written.
#[derive(Clone, Copy)]
pub(super) struct Manner<'a> {
    pub(super) provider: Provider,
    pub(super) model: &'a Arc<str>,
    pub(super) quirks: Quirks,
    pub(super) names: &'a Names,
}

/// Writes messages one after the other.
pub(super) struct Writer<'a> {
    manner: Manner<'a>,
    /// The ids of calls that stand in the request before.
    before: &'a HashSet<String>,
    /// The id of each call so far, as written.
    ids: HashMap<CallId, Cow<'a, str>>,
    /// The same ids, so that none is written twice.
    seen: HashSet<Cow<'a, str>>,
}

impl<'a> Writer<'a> {
    /// Begins behind messages in which these ids stand.
    pub(super) fn behind(before: &'a HashSet<String>, manner: Manner<'a>) -> Self {
        Self { manner, before, ids: HashMap::new(), seen: HashSet::new() }
    }

    /// Writes a history, or a part of one that can be understood alone, with a comma before each message.
    pub(super) fn write(&mut self, history: &'a [Item], text: &mut Vec<u8>) -> serde_json::Result<()> {
        for said in &repaired(history) {
            text.push(b',');
            serde_json::to_writer(&mut *text, &self.message(said))?;
        }
        Ok(())
    }

    /// Returns the ids of calls that it wrote.
    pub(super) fn into_ids(self) -> Vec<String> {
        self.seen.into_iter().map(Cow::into_owned).collect()
    }

    fn message(&mut self, said: &Said<'a>) -> Message<'a> {
        match said {
            Said::User(words) => Message::User { content: *words, role: "user" },
            Said::Reply(reply) => self.reply(reply),
            Said::Answer(call, answer) => self.answer(call, *answer),
        }
    }

    fn reply(&mut self, reply: &'a Reply) -> Message<'a> {
        let content = match self.manner.quirks.empty_content {
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
        let name = self.manner.names.written(&call.name);
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
        let is_accepted = (1..=ID_LIMIT).contains(&given.len()) && !self.is_seen(given);
        let ours = || Cow::Owned(format!("call_{}", call.id.uuid().simple()));
        let id = if is_accepted { Cow::Borrowed(given) } else { ours() };
        self.seen.insert(id.clone());
        self.ids.insert(call.id, id.clone());
        id
    }

    fn is_seen(&self, id: &str) -> bool {
        self.before.contains(id) || self.seen.contains(id)
    }

    /// Returns what Gemini wants back with a call. The first call of a message must have a signature; where
    /// another model made the call, a word stands in for it.
    fn echoed_extra(&self, call: &'a ToolCall, place: usize) -> Option<Cow<'a, Value>> {
        match self.manner.quirks.echo {
            Echo::Nothing | Echo::ReasoningDetails | Echo::ReasoningContent => return None,
            Echo::CallExtras => {}
        }
        let word = |meta: &'a Value, key: &str| meta.get(key).and_then(Value::as_str);
        let is_own =
            |meta: &&'a Value| word(meta, "provider").is_some_and(|by| self.is_own(by, word(meta, "model")));
        let own = call.provider_meta.as_ref().filter(is_own);
        let extra = own.and_then(|meta| meta.get("extra_content")).map(Cow::Borrowed);
        let needs_stand_in = place == 0 && self.manner.quirks.wants_signature;
        let stand_in = || Cow::Owned(json!({"google": {"thought_signature": NO_SIGNATURE}}));
        extra.or_else(|| needs_stand_in.then(stand_in))
    }

    /// Returns what the provider wants back with a reply of its own, if it wants it under this key.
    fn echoed(&self, reply: &'a Reply, wanted: Echo, key: &str) -> Option<&'a Value> {
        let is_own = |meta: &&ProviderMeta| self.is_own(&meta.provider, meta.model.as_deref());
        let meta =
            reply.provider_meta.as_ref().filter(|_| self.manner.quirks.echo == wanted).filter(is_own)?;
        meta.data.get(key)
    }

    /// Tells whether what a model wanted back is for this one. Older rows do not say which model it was.
    fn is_own(&self, provider: &str, model: Option<&str>) -> bool {
        provider == self.manner.provider.name()
            && model.is_none_or(|model| are_family(self.manner.provider, model, self.manner.model))
    }
}

/// Returns what the model reads of a result.
fn shown(result: &ToolResult) -> Cow<'_, str> {
    match result.text.as_str() {
        "" => Cow::Borrowed("(no output)"), // Gemini refuses an empty part
        text => shortened(text, SHOWN_RESULT_LIMIT),
    }
}
