//! Reads the body of one answer, with a limit on every wait. It holds the connection: dropping it closes that.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use futures_util::{Stream, stream};
use reqwest::Response;
use tokio::time::{Instant, timeout_at};

use super::{
    failure,
    reply::{self, Progress},
    sse,
};
use crate::domain::{ModelError, ModelErrorKind, ModelEvent};

/// How long the usage may take that some providers send after the finish reason.
const AFTERTHOUGHT_LIMIT: Duration = Duration::from_secs(5);

/// A body that is being read. Only what one read from the socket brought waits in `ready`: a reader that does not
/// ask stops the provider, and memory stays bounded.
pub(super) struct Body {
    source: Option<Source>,
    ready: VecDeque<Result<ModelEvent, ModelError>>,
    deadline: Instant,
    idle_timeout: Duration,
}

/// What a body is read from, until it is over.
struct Source {
    response: Response,
    events: sse::Reader,
    reply: reply::Reader,
    has_begun: bool,
}

impl Body {
    /// Begins to read. The first event must come before `first_event`, all later bytes within `idle_timeout`.
    pub(super) fn new(
        response: Response,
        reply: reply::Reader,
        first_event: Instant,
        idle_timeout: Duration,
    ) -> Self {
        let source = Source { response, events: sse::Reader::default(), reply, has_begun: false };
        Self { source: Some(source), ready: VecDeque::new(), deadline: first_event, idle_timeout }
    }

    /// Returns the events as a stream that ends after `Finished` or an error.
    pub(super) fn into_stream(self) -> impl Stream<Item = Result<ModelEvent, ModelError>> + Send + 'static {
        stream::unfold(self, |mut body| async move {
            loop {
                if let Some(event) = body.ready.pop_front() {
                    return Some((event, body));
                }
                let source = body.source.as_mut()?;
                match timeout_at(body.deadline, source.response.chunk()).await {
                    Ok(Ok(Some(bytes))) => body.read(&bytes),
                    Ok(Ok(None)) => body.end(None),
                    Ok(Err(error)) => body.end(Some(failure::of_transport(error))),
                    Err(_) => body.end(Some(silence())),
                }
            }
        })
    }

    fn read(&mut self, bytes: &Bytes) {
        let Some(source) = &mut self.source else {
            return;
        };
        let mut said = Vec::new();
        let progress = source.read(bytes, &mut said);
        self.ready.extend(said.into_iter().map(Ok));
        if source.has_begun {
            let is_whole = source.reply.is_whole();
            let limit = if is_whole { self.idle_timeout.min(AFTERTHOUGHT_LIMIT) } else { self.idle_timeout };
            self.deadline = Instant::now() + limit;
        }
        match progress {
            Ok(Progress::Open) => {}
            Ok(Progress::Over) => self.end(None),
            Err(error) => {
                self.source = None;
                self.ready.push_back(Err(error));
            }
        }
    }

    /// Ends the reply and lets go of the connection. A reply that is whole is not spoilt by what came after it.
    fn end(&mut self, trouble: Option<ModelError>) {
        let Some(mut source) = self.source.take() else {
            return;
        };
        let mut said = Vec::new();
        let last = std::mem::take(&mut source.events).finish().filter(|_| trouble.is_none());
        let outcome = match last.filter(is_complete).map(|event| source.reply.read(&event, &mut said)) {
            Some(Err(error)) => Err(error),
            Some(Ok(Progress::Open | Progress::Over)) | None => source.reply.close(),
        };
        self.ready.extend(said.into_iter().map(Ok));
        match outcome {
            Ok(events) => self.ready.extend(events.into_iter().map(Ok)),
            Err(error) => self.ready.push_back(Err(trouble.unwrap_or(error))),
        }
    }
}

impl Source {
    fn read(&mut self, bytes: &[u8], said: &mut Vec<ModelEvent>) -> Result<Progress, ModelError> {
        let mut events = Vec::new();
        let outcome = self.events.read(bytes, &mut events);
        self.has_begun |= !events.is_empty();
        for event in events {
            if self.reply.read(&event, said)? == Progress::Over {
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
}

/// Tells whether an event that lacks its blank line at least has all of its data.
fn is_complete(event: &sse::Event) -> bool {
    let data = event.data.trim();
    data == "[DONE]" || serde_json::from_str::<serde::de::IgnoredAny>(data).is_ok()
}

fn silence() -> ModelError {
    ModelError::new(ModelErrorKind::Timeout, "the provider fell silent")
}
