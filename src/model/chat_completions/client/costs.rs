//! What a call costs that comes to no reply: nothing where the provider says that it did nothing, else an estimate.

use std::time::Duration;

use futures_util::StreamExt;
use tokio::net::TcpListener;

use super::tests::{FakeProvider, HEAD, HELLO, STOP, Then, ask_on};
use crate::domain::{Meter, ModelEvent, Usage};

/// Reads what a provider answers, up to the first word or to the end, and returns what is on the meter then.
async fn left_on_the_meter(url: &str, is_heard_out: bool) -> Usage {
    let meter = Meter::default();
    if let Ok(mut events) = ask_on(&meter, url).await {
        while let Some(Ok(event)) = events.next().await {
            if matches!(event, ModelEvent::Text(_)) && !is_heard_out {
                break;
            }
        }
    }
    meter.take()
}

async fn left_after(answer: String, then: Then, is_heard_out: bool) -> (u64, bool, bool, u64) {
    let provider = FakeProvider::that_answers(answer, then).await;
    let usage = left_on_the_meter(&provider.url, is_heard_out).await;
    (usage.model_calls, usage.estimated, usage.input_tokens > 0, usage.output_tokens)
}

const NOTHING: (u64, bool, bool, u64) = (0, false, false, 0);

#[tokio::test]
async fn what_a_provider_refuses_or_says_that_it_failed_at_costs_nothing() {
    let status = |line: &str| format!("HTTP/1.1 {line}\r\nconnection: close\r\n\r\n{{}}");
    for line in ["401 Unauthorized", "404 Not Found", "429 Too Many Requests", "503 Service Unavailable"] {
        assert_eq!(left_after(status(line), Then::HangUp, true).await, NOTHING, "{line}");
    }
    let error = format!("{HEAD}data: {{\"error\":{{\"code\":503}}}}\n\n");
    assert_eq!(left_after(error, Then::HangUp, true).await, NOTHING);
}

#[tokio::test]
async fn what_was_never_sent_costs_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    assert_eq!(left_on_the_meter(&url, true).await, Usage::default());
}

#[tokio::test]
async fn what_was_sent_and_never_answered_costs_what_was_sent() {
    let sent = (1, true, true, 0);
    assert_eq!(left_after(String::new(), Then::Wait, true).await, sent, "no head in time");
    assert_eq!(left_after(HEAD.into(), Then::Wait, true).await, sent, "no event in time");
    assert_eq!(left_after(HEAD.into(), Then::HangUp, true).await, sent, "the stream broke off");
}

#[tokio::test]
async fn whoever_stops_listening_leaves_an_estimate_of_what_was_written_until_then() {
    let heard = left_after(format!("{HEAD}{HELLO}"), Then::Wait, false).await;
    assert_eq!(heard, (1, true, true, 2), "`hello` is two tokens");
}

#[tokio::test]
async fn a_call_that_nobody_waits_for_any_more_costs_what_was_sent() {
    let provider = FakeProvider::that_answers(String::new(), Then::Wait).await;
    let meter = Meter::default();
    let waiting = tokio::time::timeout(Duration::from_millis(100), ask_on(&meter, &provider.url)).await;
    assert!(waiting.is_err());
    let usage = meter.take();
    assert_eq!((usage.model_calls, usage.estimated, usage.output_tokens), (1, true, 0));
}

#[tokio::test]
async fn a_reply_that_is_heard_says_itself_what_it_cost() {
    assert_eq!(left_after(format!("{HEAD}{HELLO}{STOP}"), Then::HangUp, true).await, NOTHING);
    let broken = left_after(format!("{HEAD}{HELLO}"), Then::HangUp, true).await;
    assert_eq!(broken, NOTHING, "it broke off, and said so with its usage");
}
