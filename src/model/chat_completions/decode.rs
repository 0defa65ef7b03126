//! Joins the two readers: bytes of a body in, model events out. Pure; `body` adds the socket and the waiting.

use super::{
    reply::{self, Progress},
    sse,
};
use crate::{
    domain::{ModelError, ModelErrorKind, ModelEvent},
    model::{Provider, providers::quirks::Echo},
};

/// A body that is being read.
#[derive(Debug)]
pub(super) struct Decoder {
    events: sse::Reader,
    reply: reply::Reader,
    has_begun: bool,
}

impl Decoder {
    /// Begins the body that answers a request of so many bytes.
    pub(super) fn new(provider: Provider, echo: Echo, request_bytes: usize) -> Self {
        let reply = reply::Reader::new(provider, echo, request_bytes);
        Self { events: sse::Reader::default(), reply, has_begun: false }
    }

    /// Takes in bytes and adds what they say to `said`. After an error nothing is to be read any more.
    /// What a reply that fails has cost is said as well.
    pub(super) fn read(&mut self, bytes: &[u8], said: &mut Vec<ModelEvent>) -> Result<Progress, ModelError> {
        let outcome = self.read_events(bytes, said);
        if outcome.is_err() {
            said.extend(self.reply.spent());
        }
        outcome
    }

    fn read_events(&mut self, mut bytes: &[u8], said: &mut Vec<ModelEvent>) -> Result<Progress, ModelError> {
        while let Some(event) = self.events.next(&mut bytes).map_err(|sse::TooLarge| too_large())? {
            self.has_begun = true;
            if self.reply.read(event, said)? == Progress::Over {
                self.events = sse::Reader::default(); // what came with the end is not part of the reply
                return Ok(Progress::Over);
            }
        }
        Ok(Progress::Open)
    }

    /// Tells whether an event has come; comments, which only keep the connection alive, do not count.
    pub(super) fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// Tells how much of the reply was written by now, in bytes.
    pub(super) fn written(&self) -> usize {
        self.reply.written()
    }

    /// Tells whether the provider has said that the reply is whole.
    pub(super) fn is_whole(&self) -> bool {
        self.reply.is_whole()
    }

    /// Ends the body and adds what is left to say: nothing and an error if the reply is not whole.
    pub(super) fn close(self, said: &mut Vec<ModelEvent>) -> Result<(), ModelError> {
        let Self { mut events, mut reply, has_begun: _ } = self;
        let last = events.finish().filter(has_all_its_data);
        let read = last.map_or(Ok(Progress::Open), |last| reply.read(last, said));
        let spent = reply.spent();
        match read.and_then(|_progress| reply.close()) {
            Ok(events) => said.extend(events),
            Err(error) => {
                said.extend(spent);
                return Err(error);
            }
        }
        Ok(())
    }
}

/// Tells whether an event that lacks its blank line lacks nothing else.
fn has_all_its_data(event: &sse::Event<'_>) -> bool {
    let data = event.data.trim();
    data == "[DONE]" || serde_json::from_str::<serde::de::IgnoredAny>(data).is_ok()
}

fn too_large() -> ModelError {
    ModelError::new(ModelErrorKind::MalformedReply, "an event exceeds the limit")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Finish;

    #[test]
    fn a_reply_that_fails_says_what_it_cost() {
        let text = "data: {\"choices\":[{\"delta\":{\"content\":\"twelve bytes\"}}]}\n\n";
        let told = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7}}\n\n";
        let error = "data: {\"error\":\"overloaded\"}\n\n";
        for (body, input) in
            [(format!("{text}{error}"), 10), (text.to_owned(), 10), (format!("{told}{error}"), 7)]
        {
            let (mut decoder, mut said) = (Decoder::new(Provider::Custom, Echo::Nothing, 30), Vec::new());
            if decoder.read(body.as_bytes(), &mut said).is_ok() {
                assert!(decoder.close(&mut said).is_err(), "{body}");
            }
            let Some(ModelEvent::Usage(usage)) = said.last() else { panic!("{body}: {said:?}") };
            assert_eq!((usage.input_tokens, usage.model_calls), (input, 1), "{body}");
        }
    }

    #[test]
    fn what_follows_the_end_in_the_same_bytes_spoils_nothing() {
        let body = "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\ndata: [DONE]\n\ndata: {\"error\":\"late\"}";
        let (mut decoder, mut said) = (Decoder::new(Provider::Custom, Echo::Nothing, 30), Vec::new());
        assert_eq!(decoder.read(body.as_bytes(), &mut said).unwrap(), Progress::Over);
        decoder.close(&mut said).unwrap();
        assert_eq!(said.last(), Some(&ModelEvent::Finished(Finish::Stop)));
    }
}
