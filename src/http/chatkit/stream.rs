//! A turn as the body of an answer in ChatKit's frames. Dropping it before the end lets go of the leash, and with it of
//! the turn.

use std::{pin::Pin, time::Duration};

use axum::response::Response;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_stream::{Stream, StreamExt, once};
use tokio_util::sync::DropGuard;

use crate::{
    http::sse::{self, Listening},
    runs::Heard,
    wire::chatkit::Render,
};

/// How long a silence may be before the user is told that we wait, at most.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is heard, and each silence in between.
type Beats = Pin<Box<dyn Stream<Item = Option<Heard>> + Send>>;

/// A turn that is being told.
struct Telling {
    beats: Beats,
    render: Render,
    leash: Option<DropGuard>,
    is_over: bool,
}

/// Answers with what is heard of a turn.
pub(super) fn told(
    heard: Listening,
    render: Render,
    first: String,
    leash: Option<DropGuard>,
    heartbeat: Duration,
) -> Response {
    let every = heartbeat.min(PATIENCE);
    let mut silence = interval_at(Instant::now() + every, every);
    silence.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let beats = Box::pin(heard.timeout_repeating(silence).map(Result::ok));
    let telling = Telling { beats, render, leash, is_over: false };
    let frames = futures_util::stream::unfold(telling, |mut telling| async move {
        if telling.is_over {
            return None;
        }
        Some((telling.next().await, telling))
    });
    sse::answer("text/event-stream", once(first).chain(frames).filter(|frames| !frames.is_empty()))
}

/// Answers with frames that are there already.
pub(super) fn frames(frames: String) -> Response {
    sse::answer("text/event-stream", once(frames))
}

impl Telling {
    async fn next(&mut self) -> String {
        match self.beats.next().await {
            Some(Some((_, event))) => self.render.render(&event),
            Some(None) => self.render.silence(),
            None => {
                self.is_over = true;
                // It is we who end here: with the turn, with the token's time or with the service.
                drop(self.leash.take().map(DropGuard::disarm));
                self.render.close()
            }
        }
    }
}
