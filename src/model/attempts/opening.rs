//! The beginning of a reply: everything up to the first sign that a client can see. Until then a call can be made again
//! without anybody noticing.

use std::time::Duration;

use futures_util::{StreamExt, stream, stream::BoxStream};
use tokio::time::{Instant, timeout_at};

use crate::domain::{Finish, Meter, Model, ModelError, ModelErrorKind, ModelEvent, ModelRequest};

/// A reply as it comes.
pub(super) type Reply = BoxStream<'static, Result<ModelEvent, ModelError>>;

/// A reply that has begun, or one that has ended before it began.
pub(super) enum Opening {
    /// There is something to see; the reply is told from its first event.
    Begun(Reply),
    /// The model ended the reply without a word and without a call.
    Empty(Vec<ModelEvent>),
    /// It failed before there was anything to see.
    Failed {
        /// How.
        error: ModelError,
        /// What it said until then; it may say what it cost.
        unheard: Vec<ModelEvent>,
    },
}

/// How long a model is waited for.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Until its first sign of life.
    pub first_token: Duration,
    /// Between two signs of life.
    pub idle: Duration,
}

/// Asks, and waits until there is something to see.
pub(super) async fn open(model: &dyn Model, request: ModelRequest<'_>, patience: Patience) -> Opening {
    let mut deadline = Instant::now() + patience.first_token;
    let opened = timeout_at(deadline, model.stream(request)).await.unwrap_or_else(|_elapsed| Err(silence()));
    let mut reply = match opened {
        Ok(reply) => reply,
        Err(error) => return Opening::Failed { error, unheard: Vec::new() },
    };
    let mut unseen = Vec::new();
    loop {
        let next = timeout_at(deadline, reply.next()).await.unwrap_or_else(|_elapsed| Some(Err(silence())));
        let event = match next.unwrap_or_else(|| Err(lost())) {
            Ok(event) => event,
            Err(error) => return Opening::Failed { error, unheard: unseen },
        };
        deadline = Instant::now() + patience.idle;
        let sight = sight(&event);
        if event != ModelEvent::Alive {
            unseen.push(event);
        }
        match sight {
            Sight::Nothing => {}
            Sight::Something => {
                return Opening::Begun(stream::iter(unseen.into_iter().map(Ok)).chain(reply).boxed());
            }
            Sight::EndOfNothing => return Opening::Empty(unseen),
        }
    }
}

/// Counts what was spent on events that nobody hears.
pub(super) fn count(meter: &Meter, unheard: Vec<ModelEvent>) {
    for event in unheard {
        if let ModelEvent::Usage(usage) = event {
            meter.add(usage);
        }
    }
}

fn silence() -> ModelError {
    ModelError::new(ModelErrorKind::Timeout, "no sign of a reply in time")
}

fn lost() -> ModelError {
    ModelError::new(ModelErrorKind::StreamLost, "the stream ended before it began")
}

/// What an event shows.
enum Sight {
    Nothing,
    Something,
    EndOfNothing,
}

const fn sight(event: &ModelEvent) -> Sight {
    match event {
        ModelEvent::Alive | ModelEvent::Meta(_) | ModelEvent::Usage(_) => Sight::Nothing,
        ModelEvent::Text(_)
        | ModelEvent::Reasoning(_)
        | ModelEvent::CallBegun
        | ModelEvent::Call(_)
        | ModelEvent::Replaced { .. }
        | ModelEvent::Finished(Finish::Length) => Sight::Something,
        ModelEvent::Finished(Finish::Stop) => Sight::EndOfNothing,
    }
}
