//! A run as the body of an answer: frames as they come, and a comment where nothing comes for a while.

use std::{pin::Pin, time::Duration};

use axum::{
    body::{Body, Bytes},
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};
use tokio_stream::{Stream, StreamExt, once};

use crate::{
    domain::Event,
    runs::Heard,
    wire::{self, Simple, Wrapping},
};

/// What a run sounds like.
pub(super) type Listening = Pin<Box<dyn Stream<Item = Heard> + Send>>;

/// Tells proxies not to hold frames back.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// How many frames leave in one piece at most.
const FRAMES_AT_ONCE: usize = 64;

/// How long a frame is, as a guess, in bytes: a word with its id and its names.
const FRAME: usize = 128;

/// A part of what is told in the native format.
enum Part {
    /// Its first frame.
    Beginning,
    /// Something that happened.
    Heard(Heard),
}

/// Ends what is heard after a time, whatever has been said by then. The run goes on; its client can follow it again.
pub(super) fn until(heard: Listening, limit: Option<Duration>) -> Listening {
    match limit {
        Some(limit) => Box::pin(futures_util::StreamExt::take_until(heard, sleep(limit))),
        None => heard,
    }
}

/// Answers with a run in the native format.
pub(super) fn native(heard: Listening, heartbeat: Duration) -> Response {
    let parts = once(Part::Beginning).chain(heard.map(Part::Heard));
    let pieces = futures_util::StreamExt::ready_chunks(parts, FRAMES_AT_ONCE).map(framed);
    told("text/event-stream", with_heartbeat(pieces, heartbeat))
}

fn framed(parts: Vec<Part>) -> Bytes {
    let mut frames = Vec::with_capacity(parts.len() * FRAME);
    for part in parts {
        match part {
            Part::Beginning => frames.extend_from_slice(wire::RETRY.as_bytes()),
            Part::Heard((id, event)) => {
                wire::write_frame(id, &event, &mut frames);
                if matches!(*event, Event::Ended(_)) {
                    frames.extend_from_slice(wire::DONE.as_bytes());
                }
            }
        }
    }
    Bytes::from(frames)
}

/// Answers with the text of a run in the simple events of older clients.
pub(super) fn simple(heard: Listening, heartbeat: Duration) -> Response {
    let frames = once(wire::RETRY.to_owned()).chain(in_words(heard, Wrapping::Events));
    let pieces = futures_util::StreamExt::ready_chunks(frames, FRAMES_AT_ONCE).map(joined);
    told("text/event-stream", with_heartbeat(pieces, heartbeat))
}

/// Answers with the bare text of a run as it is typed.
pub(super) fn plain(heard: Listening) -> Response {
    answer("text/plain; charset=utf-8", in_words(heard, Wrapping::Bare))
}

/// Renders what is heard as its bare words, to the end or to where nothing more is heard.
fn in_words(heard: Listening, wrapping: Wrapping) -> impl Stream<Item = String> + Send {
    let mut simple = Simple::new(wrapping);
    let heard = heard.map(Some).chain(once(None));
    let pieces = heard.map(move |heard| match heard {
        Some((_, event)) => simple.render(&event),
        None => simple.close(),
    });
    pieces.filter(|piece| !piece.is_empty())
}

/// Answers with frames as they come. Those that are there at the same time leave in one piece.
pub(super) fn answer(
    content_type: &'static str,
    frames: impl Stream<Item = String> + Send + 'static,
) -> Response {
    told(content_type, futures_util::StreamExt::ready_chunks(frames, FRAMES_AT_ONCE).map(joined))
}

fn told(content_type: &'static str, pieces: impl Stream<Item = Bytes> + Send + 'static) -> Response {
    let body = Body::from_stream(pieces.map(Ok::<_, std::convert::Infallible>));
    let mut answer = ([(header::CONTENT_TYPE, HeaderValue::from_static(content_type))], body).into_response();
    pass_through(&mut answer);
    answer
}

fn joined(frames: Vec<String>) -> Bytes {
    match <[String; 1]>::try_from(frames) {
        Ok([only]) => Bytes::from(only),
        Err(several) => Bytes::from(several.concat()),
    }
}

/// Tells whatever stands between us and the client to pass an answer on as it comes.
pub(super) fn pass_through(answer: &mut Response) {
    let headers = answer.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
    headers.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
}

/// Puts a comment into every silence of the given length. Dropping the stream drops what it listens to, and nothing
/// else.
fn with_heartbeat(
    pieces: impl Stream<Item = Bytes> + Send + 'static,
    every: Duration,
) -> impl Stream<Item = Bytes> + Send + 'static {
    let mut silence = interval_at(Instant::now() + every, every);
    // A client that reads nothing for a while gets one comment after that, not one for each silence it slept through.
    silence.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let comment = Bytes::from_static(wire::HEARTBEAT.as_bytes());
    pieces.timeout_repeating(silence).map(move |piece| piece.unwrap_or_else(|_silence| comment.clone()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::{End, EventId, NoticeCode, RunId, RunStatus, Usage};

    #[tokio::test(start_paused = true)]
    async fn a_stream_ends_with_its_time_however_silent_it_is() {
        let heard = || -> Listening {
            let notice = Arc::new(Event::Notice(NoticeCode::DemoMode.notice()));
            Box::pin(once((EventId::NONE, notice)).chain(tokio_stream::pending()))
        };
        let began = Instant::now();
        let frames: Vec<Heard> = until(heard(), Some(Duration::from_secs(90))).collect().await;
        assert_eq!((frames.len(), began.elapsed()), (1, Duration::from_secs(90)));
    }

    #[tokio::test]
    async fn what_is_there_at_the_same_time_leaves_in_one_piece() {
        let end = End {
            run_id: RunId::new(),
            status: RunStatus::Completed,
            failure: None,
            usage: Usage::default(),
            retry_after: None,
        };
        let events = [Event::Notice(NoticeCode::DemoMode.notice()), Event::Ended(end)].map(Arc::new);
        let heard = tokio_stream::iter((1_i64..).map(EventId::from).zip(events));
        let body = native(Box::pin(heard), Duration::from_secs(15)).into_body();
        let pieces: Vec<Bytes> = body.into_data_stream().map(Result::unwrap).collect().await;
        let [piece] = &pieces[..] else { panic!("{pieces:?}") };
        let frames = piece.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"event: ")).count();
        assert_eq!(frames, 2);
        assert!(piece.starts_with(wire::RETRY.as_bytes()) && piece.ends_with(wire::DONE.as_bytes()));
    }

    #[tokio::test(start_paused = true)]
    async fn every_silence_is_broken_by_a_comment_and_nothing_is_lost_by_it() {
        let frames = futures_util::stream::unfold(0_u8, |count| async move {
            sleep(Duration::from_secs(40)).await;
            (count < 2).then(|| (Bytes::from(format!("frame {count}")), count + 1))
        });
        let heard: Vec<Bytes> = with_heartbeat(frames, Duration::from_secs(15)).collect().await;
        let comment = wire::HEARTBEAT;
        assert_eq!(heard, [comment, comment, "frame 0", comment, comment, "frame 1", comment, comment]);
    }
}
