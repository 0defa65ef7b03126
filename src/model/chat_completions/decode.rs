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
    pub(super) fn read(&mut self, bytes: &[u8], said: &mut Vec<ModelEvent>) -> Result<Progress, ModelError> {
        let mut events = Vec::new();
        let outcome = self.events.read(bytes, &mut events);
        self.has_begun |= !events.is_empty();
        for event in events {
            if self.reply.read(&event, said)? == Progress::Over {
                self.events = sse::Reader::default(); // what came with the end is not part of the reply
                return Ok(Progress::Over);
            }
        }
        match outcome {
            Ok(()) => Ok(Progress::Open),
            Err(sse::TooLarge) => {
                Err(ModelError::new(ModelErrorKind::MalformedReply, "an event exceeds the limit"))
            }
        }
    }

    /// Tells whether an event has come; comments, which only keep the connection alive, do not count.
    pub(super) fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// Tells whether the provider has said that the reply is whole.
    pub(super) fn is_whole(&self) -> bool {
        self.reply.is_whole()
    }

    /// Ends the body and adds what is left to say: nothing and an error if the reply is not whole.
    pub(super) fn close(self, said: &mut Vec<ModelEvent>) -> Result<(), ModelError> {
        let mut reply = self.reply;
        if let Some(last) = self.events.finish().filter(has_all_its_data) {
            reply.read(&last, said)?;
        }
        said.extend(reply.close()?);
        Ok(())
    }
}

/// Tells whether an event that lacks its blank line lacks nothing else.
fn has_all_its_data(event: &sse::Event) -> bool {
    let data = event.data.trim();
    data == "[DONE]" || serde_json::from_str::<serde::de::IgnoredAny>(data).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Finish;

    #[test]
    fn what_follows_the_end_in_the_same_bytes_spoils_nothing() {
        let body = "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\ndata: [DONE]\n\ndata: {\"error\":\"late\"}";
        let (mut decoder, mut said) = (Decoder::new(Provider::Custom, Echo::Nothing, 30), Vec::new());
        assert_eq!(decoder.read(body.as_bytes(), &mut said).unwrap(), Progress::Over);
        decoder.close(&mut said).unwrap();
        assert_eq!(said.last(), Some(&ModelEvent::Finished(Finish::Stop)));
    }
}
