//! A stream that outlives its token, with the real service and a clock that the test moves.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use parlor::clock::Clock;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::*;
use crate::support::{
    script::{Gate, Step},
    soon,
    stream::{Event, Turn, events_of, names, text},
};

/// When the tests begin, in seconds since 1970. Their tokens are good for five minutes.
const NOW: i64 = 1_800_000_000;

/// A time of day that stands still until the test moves it.
#[derive(Clone)]
struct Hands(Arc<AtomicI64>);

impl Hands {
    fn at(milliseconds: i64) -> Self {
        Self(Arc::new(AtomicI64::new(milliseconds)))
    }

    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0.load(Ordering::SeqCst)).unwrap()
    }

    fn move_to(&self, milliseconds: i64) {
        self.0.store(milliseconds, Ordering::SeqCst);
    }

    fn clock(&self) -> Clock {
        let hands = self.clone();
        Clock::of(move || hands.now())
    }
}

/// A request whose token has been accepted and whose body is still to come.
struct Accepted(TcpStream);

impl Accepted {
    async fn of(app: &TestApp, token: &str, length: usize) -> Self {
        let host = app.base.strip_prefix("http://").unwrap();
        let mut connection = TcpStream::connect(host).await.unwrap();
        let head = format!(
            "POST /api/ada/chat HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\
             expect: 100-continue\r\nconnection: close\r\n\r\n"
        );
        connection.write_all(head.as_bytes()).await.unwrap();
        let go_on = b"HTTP/1.1 100 Continue\r\n\r\n";
        let mut said = vec![0; go_on.len()];
        soon("the body is asked for", connection.read_exact(&mut said)).await.unwrap();
        assert_eq!(said, go_on, "{}", String::from_utf8_lossy(&said));
        Self(connection)
    }

    /// Sends the body and reads the answer until the service ends it.
    async fn answer(mut self, body: &str) -> String {
        self.0.write_all(body.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        soon("the stream ends", self.0.read_to_end(&mut answer)).await.unwrap();
        String::from_utf8(answer).unwrap()
    }
}

on_both! { migrations();
    async fn a_stream_ends_a_minute_after_its_token_and_a_new_one_goes_on_where_it_was(place: Place) {
        let hands = Hands::at(NOW * 1_000);
        let settings = [("AUTH_MODE", "jwt"), ("JWT_SECRET", SECRET)];
        let app = TestApp::start_at(&place, &settings, hands.clock()).await;
        let gate = Gate::closed();
        app.model.then([Step::Say("one ".into()), Step::Wait(gate.clone()), Step::Say("two".into())]);
        let (body, old) = (json!({"message": "count"}).to_string(), token_from("ada", hands.now()));

        let request = Accepted::of(&app, &old, body.len()).await;
        let one_second_is_left = (NOW + 5 * 60 + 59) * 1_000;
        hands.move_to(one_second_is_left);
        let began = Instant::now();
        let answer = request.answer(&body).await;
        assert!(began.elapsed() >= Duration::from_millis(900), "it ended early: {:?}", began.elapsed());
        let head: Vec<Event> = events_of(&answer);
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n0\r\n\r\n"), "{answer}");
        assert!(!answer.contains("[DONE]"), "{answer}");

        let run = format!("/api/ada/runs/{}", head[0].data["run_id"].as_str().unwrap());
        let (old, new) = (format!("Bearer {old}"), format!("Bearer {}", token_from("ada", hands.now())));
        let seen = head.last().unwrap().id.to_string();
        let with = |token| [("authorization", token), ("last-event-id", seen.as_str())];
        let late = app.send(Method::GET, &format!("{run}/events"), &with(&old), "").await;
        assert_eq!(late.status(), 401);
        let state: Value = app.send(Method::GET, &run, &with(&new), "").await.json().await.unwrap();
        assert_eq!(state["status"], "running", "the run does not end with a token");
        let mut tail = Turn::of(app.send(Method::GET, &format!("{run}/events"), &with(&new), "").await);
        gate.open();
        let all = [head, tail.rest().await].concat();
        assert_eq!(all.iter().map(|event| event.id).collect::<Vec<_>>(), (1..=5).collect::<Vec<i64>>());
        assert_eq!(names(&all), ["run.created", "message.delta", "message.completed", "run.completed"]);
        assert_eq!(text(&all), "one two");
    }
}
