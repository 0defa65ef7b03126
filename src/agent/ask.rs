//! One question to the model: its stream becomes deltas for the listeners and, at the end, one reply.

use futures_util::{StreamExt, stream::BoxStream};
use serde_json::{Map, Value};
use tokio::time::timeout;

use super::{
    Agent, Stop, Turn,
    asking::Asking,
    window::{self, Room, Shown},
};
use crate::domain::{
    CallId, Finish, ItemId, MESSAGE_LIMIT, ModelError, ModelErrorKind, ModelEvent, ModelIdentity,
    ModelRequest, NoticeCode, ProviderMeta, Reply, RequestedCall, RunFailure, Tool, ToolCall, ToolChoice,
    cut_at, without_nul,
};

/// The most calls that one reply may hold; what goes beyond is not made.
const MOST_CALLS: usize = 32;

/// The longest name of a tool or of a call, in bytes; what goes beyond was made up.
const LONGEST_NAME: usize = 256;

/// The longest arguments of a call, in bytes; longer ones are not understood.
const LONGEST_ARGUMENTS: usize = 64 * 1024;

/// The deepest arguments of a call, in levels; deeper ones are not understood.
const DEEPEST_ARGUMENTS: usize = 32;

/// What stands for a last word that the model did not give.
const NO_LAST_WORD: &str = "I did what I could within the allowed number of steps.";

/// What stands for a reply that was cut off before its first word.
const CUT_OFF: &str = "(The reply was cut off before it began.)";

/// A reply while it is being read.
struct Draft {
    message: ItemId,
    /// Whether any of it came that must not come twice.
    is_heard: bool,
    text: String,
    calls: Vec<RequestedCall>,
    meta: Option<Value>,
    /// The model that writes it.
    by: ModelIdentity,
}

impl Agent {
    /// Asks the model once. `with_tools` says whether it may still ask for tools.
    pub(super) async fn ask(&self, turn: &mut Turn<'_>, with_tools: bool) -> Result<(ItemId, Reply), Stop> {
        let cancel = turn.cancel;
        tokio::select! {
            answered = self.answer(turn, with_tools) => answered,
            () = cancel.cancelled() => Err(Stop::Cancelled),
        }
    }

    async fn answer(&self, turn: &mut Turn<'_>, with_tools: bool) -> Result<(ItemId, Reply), Stop> {
        let listed = self.hands.tools(turn.principal).await;
        let tools: &[Tool] = if with_tools { &listed } else { &[] };
        self.tell_circumstances(turn, with_tools);
        let mut draft = Draft::of(turn);
        let finish =
            self.read_what_fits(turn, tools, &mut draft).await.map_err(|error| failed(turn, &error))?;
        if finish == Finish::Length {
            turn.notice(NoticeCode::ReplyTruncated);
        }
        let message = draft.message;
        let may_call = with_tools && turn.tool_choice != ToolChoice::None;
        let Some(written) = draft.into_reply(tools, &finish, may_call) else {
            return Err(failed(turn, &ModelError::new(ModelErrorKind::MalformedReply, "an empty reply")));
        };
        if written.text_was_made_up {
            turn.scribe.delta(message, &written.reply.text);
        }
        Ok((message, written.reply))
    }

    fn tell_circumstances(&self, turn: &Turn<'_>, with_tools: bool) {
        if self.hands.is_degraded() {
            turn.notice(NoticeCode::ToolsUnavailable);
        }
        if !with_tools {
            turn.notice(NoticeCode::MaxTurnsReached);
        }
    }

    /// Asks with as much of the history as fits, and reads the reply. If that is too much for the model, it is asked once
    /// more with less, unless nothing can be left out or a word was heard already.
    async fn read_what_fits(
        &self,
        turn: &mut Turn<'_>,
        tools: &[Tool],
        draft: &mut Draft,
    ) -> Result<Finish, ModelError> {
        let constant = window::constant_tokens(&self.instructions, tools);
        let room = self.room(turn.model, constant);
        let left = turn.make_room(room);
        let fitting = window::shown(turn.history.items(), left, room);
        let sent = fitting.tokens;
        let overflow = match self.read(turn, &fitting, tools, constant, draft).await {
            Err(error) if error.kind == ModelErrorKind::ContextOverflow && !draft.is_heard => error,
            outcome => return outcome,
        };
        // A model that refuses may have said how much it takes. If it did not, or took more by its own account, half is tried.
        let known = self.room(turn.model, constant);
        let room = if known.is_less_than(sent) { known } else { Room::half_of(sent) };
        let left = turn.make_room(room);
        let fitting = window::shown(turn.history.items(), left, room);
        if fitting.tokens >= sent {
            return Err(overflow);
        }
        tracing::warn!(
            error = &overflow as &dyn std::error::Error,
            "the model was sent too much and is asked once more with less"
        );
        *draft = Draft::of(turn);
        self.read(turn, &fitting, tools, constant, draft).await
    }

    /// Asks with what fits beside the `constant` tokens of every request, and reads the stream to its end. What was read so far
    /// stays in the draft, whatever happens.
    async fn read(
        &self,
        turn: &Turn<'_>,
        fitting: &Shown<'_>,
        tools: &[Tool],
        constant: usize,
        draft: &mut Draft,
    ) -> Result<Finish, ModelError> {
        let asking = Asking::of(self, turn, constant, fitting.tokens);
        let request = ModelRequest {
            instructions: &self.instructions,
            history: &fitting.items,
            transcript: fitting.is_all_of_it().then(|| turn.history.transcript()),
            tools,
            tool_choice: turn.tool_choice,
            conversation_id: turn.conversation_id,
            meter: &asking.meter,
            asker: &asking,
        };
        let mut stream = turn.model.stream(request).await?;
        loop {
            let event = next_event(&mut stream, self.limits.idle).await?;
            if let Some(finish) = self.take_in(event, turn, &asking, draft) {
                return Ok(finish);
            }
        }
    }

    /// Takes in a piece of a reply, and tells what is for others to hear. Returns how the reply ends, if it does.
    fn take_in(
        &self,
        event: ModelEvent,
        turn: &Turn<'_>,
        asking: &Asking<'_>,
        draft: &mut Draft,
    ) -> Option<Finish> {
        match event {
            ModelEvent::Replaced { by, notice } => {
                turn.scribe.replaced(&by, notice);
                draft.by = by;
            }
            ModelEvent::Reasoning(text) if self.limits.tells_reasoning => {
                draft.is_heard = true;
                turn.scribe.reasoning(draft.message, &text);
            }
            ModelEvent::Alive | ModelEvent::Reasoning(_) => {}
            ModelEvent::Text(text) => {
                let text = without_nul(text);
                let fits = draft.add(&text);
                turn.scribe.delta(draft.message, fits);
                return (fits.len() < text.len()).then_some(Finish::Length);
            }
            ModelEvent::CallBegun => draft.is_heard = true,
            ModelEvent::Call(call) => draft.calls.push(call),
            ModelEvent::Meta(meta) => draft.meta = Some(meta),
            ModelEvent::Usage(usage) => {
                if !usage.estimated {
                    self.calibration.learn(&draft.by, asking.sent(), usage.input_tokens);
                }
                turn.scribe.spent(usage);
            }
            ModelEvent::Finished(finish) => return Some(finish),
        }
        None
    }
}

async fn next_event(
    stream: &mut BoxStream<'static, Result<ModelEvent, ModelError>>,
    limit: std::time::Duration,
) -> Result<ModelEvent, ModelError> {
    match timeout(limit, stream.next()).await {
        Ok(Some(event)) => event,
        Ok(None) => Err(ModelError::new(ModelErrorKind::StreamLost, "the stream ended without a finish")),
        Err(_elapsed) => Err(ModelError::new(ModelErrorKind::Timeout, "silence in the middle of the answer")),
    }
}

/// Turns a model's failure into the run's; its detail goes to the log, and nowhere else.
fn failed(turn: &Turn<'_>, error: &ModelError) -> Stop {
    if let Some(wait) = error.retry_after {
        turn.scribe.asked_to_wait(wait);
    }
    tracing::warn!(error = error as &dyn std::error::Error, "a model call failed");
    Stop::Failed(RunFailure::from(error.kind))
}

struct Written {
    reply: Reply,
    text_was_made_up: bool,
}

impl Draft {
    fn of(turn: &Turn<'_>) -> Self {
        Self {
            message: turn.scribe.next_message(),
            is_heard: false,
            text: String::new(),
            calls: Vec::new(),
            meta: None,
            by: turn.model.identity(),
        }
    }

    /// Adds a piece of text as far as there is room for it, and returns what was added.
    fn add<'t>(&mut self, text: &'t str) -> &'t str {
        let fits = cut_at(text, MESSAGE_LIMIT - self.text.len());
        self.is_heard = true;
        self.text.push_str(fits);
        fits
    }

    /// Makes the reply, or nothing if the model said nothing although it might have.
    fn into_reply(self, tools: &[Tool], finish: &Finish, with_tools: bool) -> Option<Written> {
        let incomplete = *finish == Finish::Length;
        let calls = if incomplete || !with_tools { Vec::new() } else { resolve(self.calls, tools) };
        let ModelIdentity { provider, model } = self.by;
        let provider_meta = self.meta.map(|data| ProviderMeta { provider, model: Some(model), data });
        let stand_in = match (self.text.is_empty() && calls.is_empty(), incomplete, with_tools) {
            (false, _, _) => None,
            (true, true, _) => Some(CUT_OFF),
            (true, false, false) => Some(NO_LAST_WORD),
            (true, false, true) => return None,
        };
        let (text_was_made_up, text) = (stand_in.is_some(), stand_in.map_or(self.text, str::to_owned));
        Some(Written { reply: Reply { text, calls, provider_meta, incomplete }, text_was_made_up })
    }
}

fn resolve(requested: Vec<RequestedCall>, tools: &[Tool]) -> Vec<ToolCall> {
    if requested.len() > MOST_CALLS {
        tracing::warn!(asked = requested.len(), limit = MOST_CALLS, "a reply asks for too many calls");
    }
    requested.into_iter().take(MOST_CALLS).map(|call| resolve_one(call, tools)).collect()
}

fn resolve_one(requested: RequestedCall, tools: &[Tool]) -> ToolCall {
    let offered = tools.iter().find(|tool| tool.name == requested.name);
    let (arguments, unparsed) = parse_arguments(requested.arguments);
    ToolCall {
        id: CallId::new(),
        provider_id: cut_at(&requested.provider_id, LONGEST_NAME).to_owned(),
        server: offered.map_or_else(String::new, |tool| tool.server.to_string()),
        name: cut_at(&without_nul(requested.name), LONGEST_NAME).to_owned(),
        arguments,
        unparsed,
        provider_meta: requested.provider_meta,
    }
}

/// Tells whether a value has at most so many levels. What has more could be stored and never be read again.
fn is_shallow(value: &Value, levels: usize) -> bool {
    let Some(below) = levels.checked_sub(1) else { return false };
    match value {
        Value::Array(values) => values.iter().all(|value| is_shallow(value, below)),
        Value::Object(fields) => fields.values().all(|value| is_shallow(value, below)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

/// Reads arguments; what is no JSON object is kept beside an empty one, so that the history stays valid.
fn parse_arguments(text: String) -> (Map<String, Value>, Option<String>) {
    match text.trim() {
        "" | "null" => (Map::new(), None),
        long if long.len() > LONGEST_ARGUMENTS => {
            (Map::new(), Some(without_nul(cut_at(long, 1_000).to_owned())))
        }
        trimmed => match serde_json::from_str::<Map<String, Value>>(trimmed) {
            Ok(arguments) if arguments.values().all(|value| is_shallow(value, DEEPEST_ARGUMENTS)) => {
                (arguments, None)
            }
            Ok(_) | Err(_) => (Map::new(), Some(without_nul(text))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requested(arguments: &str) -> RequestedCall {
        RequestedCall {
            provider_id: "call_1".into(),
            name: "add_task".into(),
            arguments: arguments.into(),
            provider_meta: None,
        }
    }

    fn draft(text: &str, calls: Vec<RequestedCall>) -> Draft {
        Draft {
            message: ItemId::new(),
            is_heard: false,
            text: text.into(),
            calls,
            meta: None,
            by: ModelIdentity { provider: String::new(), model: String::new() },
        }
    }

    fn written(draft: Draft, finish: &Finish, with_tools: bool) -> Option<Reply> {
        draft.into_reply(&[], finish, with_tools).map(|written| written.reply)
    }

    #[test]
    fn arguments_that_are_no_object_are_kept_beside_an_empty_one() {
        assert_eq!(parse_arguments(" null".into()), (Map::new(), None));
        assert_eq!(parse_arguments(String::new()), (Map::new(), None));
        assert_eq!(parse_arguments("[1]".into()), (Map::new(), Some("[1]".into())));
        assert_eq!(parse_arguments("{\"title\":".into()), (Map::new(), Some("{\"title\":".into())));
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100), "]".repeat(100));
        assert_eq!(parse_arguments(deep.clone()), (Map::new(), Some(deep)));
        assert_eq!(parse_arguments("{\"n\":1}".into()).0.get("n"), Some(&Value::from(1)));
    }

    #[test]
    fn the_calls_of_a_reply_that_was_cut_are_dropped() {
        let reply = written(draft("half", vec![requested("{}")]), &Finish::Length, true).unwrap();
        assert_eq!(reply, Reply::cut_short("half"));
    }

    #[test]
    fn calls_that_were_not_offered_are_dropped_and_a_sentence_stands_for_them() {
        let reply = written(draft("", vec![requested("{}")]), &Finish::Stop, false).unwrap();
        assert_eq!(reply, Reply::of_text(NO_LAST_WORD));
    }

    #[test]
    fn an_empty_reply_is_no_reply() {
        assert_eq!(written(draft("", Vec::new()), &Finish::Stop, true), None);
        assert_eq!(written(draft("", Vec::new()), &Finish::Length, true), Some(Reply::cut_short(CUT_OFF)));
    }

    #[test]
    fn no_reply_holds_more_calls_than_the_limit() {
        let reply = written(draft("", vec![requested("{}"); MOST_CALLS + 5]), &Finish::Stop, true).unwrap();
        assert_eq!(reply.calls.len(), MOST_CALLS);
    }
}
