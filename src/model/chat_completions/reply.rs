//! Reads a reply: events of the byte stream in, model events out. Pure, so that every provider's habits are a
//! test.
//!
//! Two rules keep users safe. A call goes out only once the reply is known to be whole: half an argument can
//! delete the wrong task. And the reply is whole only if its provider said so, by a finish reason or by
//! `[DONE]`.

use super::{
    assembly::Assembly,
    chunk::{self, Chunk},
    ending::Ending,
    failure,
    meta::Meta,
    sse::Event,
    usage, usual,
};
use crate::{
    domain::{Finish, MESSAGE_LIMIT, ModelError, ModelErrorKind, ModelEvent, Usage, cut_at, without_nul},
    model::{Provider, estimate, providers::quirks::Echo},
};

/// What is known of the reply so far.
#[derive(Debug)]
pub(super) struct Reader {
    provider: Provider,
    request_bytes: usize,
    text_bytes: usize,
    reasoning_bytes: usize,
    calls: Assembly,
    meta: Meta,
    usage: Option<Usage>,
    finish: Option<Finish>,
    is_done: bool,
}

/// Whether there is more to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// The provider may say more.
    Open,
    /// Nothing of interest can follow.
    Over,
}

impl Reader {
    /// Begins a reply to a request of so many bytes; the number serves for estimates.
    pub(super) fn new(provider: Provider, echo: Echo, request_bytes: usize) -> Self {
        Self {
            provider,
            request_bytes,
            text_bytes: 0,
            reasoning_bytes: 0,
            calls: Assembly::default(),
            meta: Meta::new(echo),
            usage: None,
            finish: None,
            is_done: false,
        }
    }

    /// Takes in an event and adds what it says to `out`. After an error nothing is to be read any more.
    pub(super) fn read(
        &mut self,
        event: Event<'_>,
        out: &mut Vec<ModelEvent>,
    ) -> Result<Progress, ModelError> {
        let data = event.data.trim();
        if data.is_empty() || event.name == "keepalive" || event.name == "ping" {
            return Ok(Progress::Open);
        }
        if data == "[DONE]" {
            self.is_done = true;
            return Ok(Progress::Over);
        }
        if event.name != "error"
            && let Some(chunk) = usual::parse(data)
        {
            return self.read_chunk(chunk, out);
        }
        for chunk in chunk::parse(data).map_err(|_| not_json(event))? {
            if event.name == "error" && chunk.error.is_none() {
                return Err(failure::of_event(data));
            }
            if self.read_chunk(chunk, out)? == Progress::Over {
                return Ok(Progress::Over);
            }
        }
        Ok(Progress::Open)
    }

    /// Tells whether the provider has said that the reply is whole.
    pub(super) fn is_whole(&self) -> bool {
        self.is_done || self.finish.is_some()
    }

    /// Says what a reply that fails has cost so far: what the provider said, else an estimate of what it wrote. Nothing if
    /// it had not begun.
    pub(super) fn spent(&self) -> Option<ModelEvent> {
        let written = self.written();
        self.usage
            .or_else(|| (written > 0).then(|| estimate::usage(self.request_bytes, written)))
            .map(ModelEvent::Usage)
    }

    /// Tells how much was written by now, in bytes.
    pub(super) fn written(&self) -> usize {
        self.text_bytes.saturating_add(self.reasoning_bytes).saturating_add(self.calls.bytes())
    }

    /// Ends the reply: its calls if they may be made, what it cost, and how it ended.
    pub(super) fn close(self) -> Result<Vec<ModelEvent>, ModelError> {
        if !self.is_whole() {
            let detail = "the stream ended without a finish reason and without [DONE]";
            return Err(ModelError::new(ModelErrorKind::StreamLost, detail));
        }
        let estimated = estimate::usage(self.request_bytes, self.written());
        let finish = self.finish.unwrap_or(Finish::Stop);
        let mut events = Vec::new();
        match finish {
            Finish::Stop => {
                let calls = self.calls.into_calls(self.provider)?;
                events.extend(calls.into_iter().map(ModelEvent::Call));
            }
            Finish::Length => {}
        }
        events.extend(self.meta.into_value().map(ModelEvent::Meta));
        events.push(ModelEvent::Usage(self.usage.unwrap_or(estimated)));
        events.push(ModelEvent::Finished(finish));
        Ok(events)
    }

    fn read_chunk(&mut self, chunk: Chunk, out: &mut Vec<ModelEvent>) -> Result<Progress, ModelError> {
        if let Some(error) = &chunk.error {
            return Err(failure::of_error(error));
        }
        self.usage = chunk.usage.as_ref().and_then(usage::read).or(self.usage);
        self.meta.add(&chunk);
        let ending = Ending::of(&chunk);
        for part in chunk.calls {
            let had_begun = self.calls.bytes() > 0;
            self.calls.add(part)?;
            if !had_begun && self.calls.bytes() > 0 {
                out.push(ModelEvent::CallBegun);
            }
        }
        self.read_reasoning(chunk.reasoning, out);
        if self.read_text(chunk.text, out) == Progress::Over {
            self.finish = Some(Finish::Length);
            return Ok(Progress::Over);
        }
        let told = || format!("finish reason {:?}, natively {:?}", chunk.finish, chunk.native_finish);
        match ending {
            None => {}
            Some(Ending::Ordinary) => self.finish = self.finish.take().or(Some(Finish::Stop)),
            Some(Ending::Length) => self.finish = Some(Finish::Length),
            Some(Ending::Filtered) => return Err(ModelError::new(ModelErrorKind::ContentFiltered, told())),
            Some(Ending::MalformedCall) => {
                return Err(ModelError::new(ModelErrorKind::MalformedReply, told()));
            }
            Some(Ending::Failed) => return Err(ModelError::new(ModelErrorKind::Upstream, told())),
        }
        Ok(Progress::Open)
    }

    /// Passes on what the model thinks, up to the limit of a message; beyond that it is nobody's reading any more.
    fn read_reasoning(&mut self, reasoning: String, out: &mut Vec<ModelEvent>) {
        self.reasoning_bytes = self.reasoning_bytes.saturating_add(reasoning.len());
        if !reasoning.is_empty() && self.reasoning_bytes <= MESSAGE_LIMIT {
            out.push(ModelEvent::Reasoning(without_nul(reasoning)));
        }
    }

    /// Passes text on, up to the limit of a message.
    fn read_text(&mut self, text: String, out: &mut Vec<ModelEvent>) -> Progress {
        let mut text = without_nul(text);
        let room = MESSAGE_LIMIT - self.text_bytes;
        let is_too_much = text.len() > room;
        if is_too_much {
            text.truncate(cut_at(&text, room).len());
        }
        self.text_bytes += text.len();
        if !text.is_empty() {
            out.push(ModelEvent::Text(text));
        }
        if is_too_much { Progress::Over } else { Progress::Open }
    }
}

fn not_json(event: Event<'_>) -> ModelError {
    let beginning = cut_at(event.data, 200);
    match event.name {
        "error" => failure::of_event(event.data),
        _ => ModelError::new(ModelErrorKind::MalformedReply, format!("not JSON: {beginning}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::model::providers;

    fn read(provider: Provider, chunks: &[Value]) -> (Vec<ModelEvent>, Option<ModelErrorKind>) {
        let (mut reader, mut out) =
            (Reader::new(provider, providers::quirks::of(provider, "").echo, 30), Vec::new());
        for chunk in chunks {
            let data = chunk.as_str().map_or_else(|| chunk.to_string(), ToOwned::to_owned);
            match reader.read(Event { name: "", data: &data }, &mut out) {
                Ok(Progress::Open) => {}
                Ok(Progress::Over) => break,
                Err(error) => return (out, Some(error.kind)),
            }
        }
        match reader.close() {
            Ok(events) => out.extend(events),
            Err(error) => return (out, Some(error.kind)),
        }
        (out, None)
    }

    fn says(text: &str) -> Value {
        json!({"choices": [{"delta": {"content": text}}]})
    }

    fn calls(arguments: &str) -> Value {
        let call = json!({"index": 0, "id": "a", "function": {"name": "add_task", "arguments": arguments}});
        json!({"choices": [{"delta": {"tool_calls": [call]}}]})
    }

    fn ends(reason: &str) -> Value {
        json!({"choices": [{"delta": {}, "finish_reason": reason}]})
    }

    fn has_call(events: &[ModelEvent]) -> bool {
        events.iter().any(|event| matches!(event, ModelEvent::Call(_)))
    }

    fn finish_of(events: &[ModelEvent]) -> Option<&Finish> {
        match events.last() {
            Some(ModelEvent::Finished(finish)) => Some(finish),
            _ => None,
        }
    }

    #[test]
    fn calls_go_out_whatever_ordinary_word_the_reply_ends_with() {
        for reason in ["stop", "tool_calls", "STOP", "end_turn", "whatever"] {
            let (events, _) = read(Provider::Gemini, &[calls("{}"), ends(reason)]);
            assert!(has_call(&events), "{reason}");
            assert_eq!(finish_of(&events), Some(&Finish::Stop));
        }
    }

    #[test]
    fn calls_of_a_reply_that_was_cut_are_dropped() {
        let (events, _) = read(Provider::OpenAi, &[calls("{}"), ends("length")]);
        assert!(!has_call(&events));
        assert_eq!(finish_of(&events), Some(&Finish::Length));
        let (events, error) = read(Provider::OpenAi, &[calls("{}")]);
        assert_eq!((events, error), (vec![ModelEvent::CallBegun], Some(ModelErrorKind::StreamLost)));
    }

    #[test]
    fn the_beginning_of_a_call_is_told_once_and_a_call_of_nothing_is_none() {
        let nothing = json!({"choices": [{"delta": {"tool_calls": [{"index": 0}]}}]});
        let (events, _) = read(Provider::OpenAi, &[nothing.clone(), ends("stop")]);
        assert!(!events.contains(&ModelEvent::CallBegun), "{events:?}");
        let (events, _) = read(Provider::OpenAi, &[calls("{"), calls("}"), ends("stop")]);
        assert_eq!(events.iter().filter(|event| **event == ModelEvent::CallBegun).count(), 1);
    }

    #[test]
    fn done_alone_makes_a_reply_whole() {
        let (events, error) = read(Provider::Custom, &[says("hi"), json!("[DONE] ")]);
        assert_eq!(error, None);
        assert_eq!(events.first(), Some(&ModelEvent::Text("hi".into())));
        assert_eq!(finish_of(&events), Some(&Finish::Stop));
    }

    #[test]
    fn a_reply_of_nothing_is_passed_as_it_is() {
        let (events, error) = read(Provider::Gemini, &[ends("stop"), json!("[DONE]")]);
        assert_eq!((events.len(), error), (2, None));
    }

    #[test]
    fn trouble_that_only_the_providers_own_word_tells_is_trouble() {
        let chunk = json!({"choices": [{"delta": {"content": ""}, "finish_reason": "stop",
                           "native_finish_reason": "network_error"}]});
        assert_eq!(read(Provider::OpenRouter, &[says("Sure"), chunk]).1, Some(ModelErrorKind::Upstream));
        let chunk = json!({"choices": [{"delta": {}, "native_finish_reason": "MALFORMED_FUNCTION_CALL"}]});
        assert_eq!(read(Provider::OpenRouter, &[chunk]).1, Some(ModelErrorKind::MalformedReply));
    }

    #[test]
    fn text_beyond_the_limit_ends_the_reply_as_cut() {
        let (events, _) = read(Provider::Custom, &[says(&"é".repeat(MESSAGE_LIMIT)), says("never")]);
        let texts = events.iter().filter_map(|event| match event {
            ModelEvent::Text(text) => Some(text.len()),
            _ => None,
        });
        assert_eq!(texts.collect::<Vec<_>>(), [MESSAGE_LIMIT]);
        assert_eq!(finish_of(&events), Some(&Finish::Length));
    }

    #[test]
    fn nul_becomes_the_replacement_character_and_empty_text_no_event() {
        let (events, _) = read(Provider::Custom, &[says("a\0b"), says(""), ends("stop")]);
        assert_eq!(events.first(), Some(&ModelEvent::Text("a\u{fffd}b".into())));
        assert_eq!(events.len(), 3);
    }

    #[test]
    fn usage_is_estimated_where_the_provider_says_nothing() {
        let (events, _) = read(Provider::Custom, &[says("twelve bytes"), ends("stop")]);
        assert_eq!(events.get(1), Some(&ModelEvent::Usage(estimate::usage(30, 12))));
    }

    #[test]
    fn the_last_usage_counts() {
        let usage = |tokens: u64| json!({"choices": [], "usage": {"prompt_tokens": tokens}});
        let (events, _) = read(Provider::Gemini, &[usage(1), usage(2), ends("stop")]);
        let Some(ModelEvent::Usage(usage)) = events.first() else { panic!("{events:?}") };
        assert_eq!((usage.input_tokens, usage.model_calls, usage.estimated), (2, 1, false));
    }

    #[test]
    fn data_that_is_not_json_is_a_malformed_reply() {
        assert_eq!(read(Provider::Custom, &[json!("oops")]).1, Some(ModelErrorKind::MalformedReply));
    }
}
