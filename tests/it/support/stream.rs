//! A client of the native stream: reads frames as they come and keeps them.

use std::pin::Pin;

use futures_util::{Stream, StreamExt};
use reqwest::Response;
use serde_json::Value;

use super::soon;

/// One event as a client sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub id: i64,
    pub name: String,
    pub data: Value,
}

/// A stream that is being read.
pub struct Turn {
    bytes: Pin<Box<dyn Stream<Item = reqwest::Result<bytes::Bytes>> + Send>>,
    raw: String,
    /// The beginning of a character whose end has not arrived.
    begun: Vec<u8>,
    unread: usize,
}

impl Turn {
    pub fn of(response: Response) -> Self {
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { bytes: Box::pin(response.bytes_stream()), raw: String::new(), begun: Vec::new(), unread: 0 }
    }

    /// Reads the next event; nothing after the last one.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            while let Some(end) = self.raw[self.unread..].find("\n\n") {
                let frame = self.raw[self.unread..self.unread + end].to_owned();
                self.unread += end + 2;
                if let Some(event) = parse(&frame) {
                    return Some(event);
                }
            }
            if !self.read_more().await {
                return None;
            }
        }
    }

    /// Reads whatever comes next, events or not. Returns whether anything came.
    pub async fn read_more(&mut self) -> bool {
        match soon("the next bytes", self.bytes.next()).await {
            Some(Ok(bytes)) => {
                self.take(&bytes);
                true
            }
            Some(Err(_)) | None => false,
        }
    }

    /// Takes bytes as the network cuts them, be it in the middle of a character.
    fn take(&mut self, bytes: &[u8]) {
        self.begun.extend(bytes);
        let whole = match std::str::from_utf8(&self.begun) {
            Ok(text) => text.len(),
            Err(error) => {
                assert!(error.error_len().is_none(), "the stream is UTF-8");
                error.valid_up_to()
            }
        };
        let rest = self.begun.split_off(whole);
        self.raw.push_str(std::str::from_utf8(&self.begun).expect("whole characters"));
        self.begun = rest;
    }

    /// Reads until an event of this name.
    pub async fn until(&mut self, name: &str) -> Event {
        loop {
            let event =
                self.next().await.unwrap_or_else(|| panic!("the stream ended before {name}:\n{}", self.raw));
            if event.name == name {
                return event;
            }
        }
    }

    /// Reads to the end.
    pub async fn rest(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }

    /// Returns the bytes as they came.
    pub fn raw(&self) -> &str {
        &self.raw
    }
}

fn parse(frame: &str) -> Option<Event> {
    let field = |name: &str| frame.lines().find_map(|line| line.strip_prefix(name));
    let id = field("id: ")?.parse().expect("an id is a number");
    let data = serde_json::from_str(field("data: ")?).expect("data is one line of JSON");
    Some(Event { id, name: field("event: ")?.into(), data })
}

/// Finds the events in bytes as a socket gave them, between whatever else stands there.
pub fn events_of(raw: &str) -> Vec<Event> {
    let begins = |line: &&str| line.starts_with("id: ");
    let frames = raw.split("\n\n").map(|frame| {
        let lines: Vec<&str> = frame.lines().skip_while(|line| !begins(line)).collect();
        lines.join("\n")
    });
    frames.filter_map(|frame| parse(&frame)).collect()
}

/// Joins the deltas of all messages.
pub fn text(events: &[Event]) -> String {
    let deltas = events.iter().filter(|event| event.name == "message.delta");
    deltas.filter_map(|event| event.data["delta"].as_str()).collect()
}

/// Lists the names of events, runs of deltas as one.
pub fn names(events: &[Event]) -> Vec<&str> {
    let mut names: Vec<&str> = events.iter().map(|event| event.name.as_str()).collect();
    names.dedup_by(|next, last| *next == "message.delta" && *last == "message.delta");
    names
}

/// Finds the data of the first event of a name.
pub fn data<'a>(events: &'a [Event], name: &str) -> &'a Value {
    let found = events.iter().find(|event| event.name == name);
    &found.unwrap_or_else(|| panic!("there is no {name} in {:?}", names(events))).data
}
