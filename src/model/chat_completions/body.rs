//! Reads the body of one answer, with a limit on every wait. It holds the connection: dropping it closes
//! that.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use futures_util::{
    Stream, StreamExt,
    stream::{self, BoxStream},
};
use reqwest::Response;
use tokio::time::{Instant, timeout_at};

use super::{decode::Decoder, failure, reply::Progress};
use crate::{
    domain::{ModelError, ModelErrorKind, ModelEvent},
    model::tab::Tab,
};

/// How long the usage may take that some providers send after the finish reason.
const AFTERTHOUGHT_LIMIT: Duration = Duration::from_secs(5);

/// A body that is being read. Only what one read from the socket brought waits in `ready`: a reader that does
/// not ask stops the provider, and memory stays bounded.
pub(super) struct Body {
    source: Option<(BoxStream<'static, reqwest::Result<Bytes>>, Decoder)>,
    tab: Tab,
    ready: VecDeque<Result<ModelEvent, ModelError>>,
    first_event: Instant,
    idle_timeout: Duration,
}

impl Body {
    /// Begins to read. The first event must come before `first_event`, later bytes within `idle_timeout` of
    /// being asked for. The head of the response is let go: it would hold the buffer that it was read into, 8 KB, for
    /// as long as the reply takes.
    pub(super) fn new(
        response: Response,
        decoder: Decoder,
        tab: Tab,
        first_event: Instant,
        idle_timeout: Duration,
    ) -> Self {
        let source = Some((response.bytes_stream().boxed(), decoder));
        Self { source, tab, ready: VecDeque::new(), first_event, idle_timeout }
    }

    /// Returns the events as a stream that ends after `Finished` or an error.
    pub(super) fn into_stream(self) -> impl Stream<Item = Result<ModelEvent, ModelError>> + Send + 'static {
        stream::unfold(self, |mut body| async move {
            loop {
                if let Some(event) = body.ready.pop_front() {
                    if matches!(event, Ok(ModelEvent::Usage(_))) {
                        body.tab.close();
                    }
                    return Some((event, body));
                }
                let (bytes, decoder) = body.source.as_mut()?;
                let deadline = deadline(decoder, body.first_event, body.idle_timeout);
                match timeout_at(deadline, bytes.next()).await {
                    Ok(Some(Ok(bytes))) => body.read(&bytes),
                    Ok(None) => body.end(None),
                    Ok(Some(Err(error))) => body.end(Some(failure::of_transport(error))),
                    Err(_) => body.end(Some(silence())),
                }
            }
        })
    }

    fn read(&mut self, bytes: &Bytes) {
        let Some((_, decoder)) = &mut self.source else {
            return;
        };
        let mut said = Vec::new();
        let progress = decoder.read(bytes, &mut said);
        self.tab.has_written(decoder.written());
        let is_told = self.tab.read(&said);
        if said.is_empty() && decoder.has_begun() {
            said.push(ModelEvent::Alive);
        }
        self.ready.extend(said.into_iter().map(Ok));
        match progress {
            Ok(Progress::Open) => {}
            Ok(Progress::Over) => self.end(None),
            Err(error) => {
                if !is_told {
                    self.tab.close(); // the provider said that it failed, and nothing else
                }
                self.source = None;
                self.ready.push_back(Err(error));
            }
        }
    }

    /// Ends the reply and lets go of the connection. A reply that is whole is not spoilt by what came after
    /// it.
    fn end(&mut self, trouble: Option<ModelError>) {
        let Some((_, decoder)) = self.source.take() else {
            return;
        };
        let mut said = Vec::new();
        let outcome = decoder.close(&mut said);
        let is_told = self.tab.read(&said);
        self.ready.extend(said.into_iter().map(Ok));
        if let Err(error) = outcome {
            if !is_told && error.kind != ModelErrorKind::StreamLost {
                self.tab.close();
            }
            self.ready.push_back(Err(trouble.unwrap_or(error)));
        }
    }
}

/// Returns until when the next bytes must be there. Counted from when they are asked for: a reader of ours that
/// was busy is not the provider's silence.
fn deadline(decoder: &Decoder, first_event: Instant, idle_timeout: Duration) -> Instant {
    if decoder.is_whole() {
        Instant::now() + idle_timeout.min(AFTERTHOUGHT_LIMIT)
    } else if decoder.has_begun() {
        Instant::now() + idle_timeout
    } else {
        first_event
    }
}

fn silence() -> ModelError {
    ModelError::new(ModelErrorKind::Timeout, "the provider fell silent")
}
