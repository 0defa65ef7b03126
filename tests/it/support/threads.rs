//! A client of ChatKit, as the component is one: one operation per request, events or one answer.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use super::app::TestApp;

/// A client of one user.
pub struct Threads<'a> {
    pub app: &'a TestApp,
    pub path: String,
}

impl<'a> Threads<'a> {
    pub fn of(app: &'a TestApp, user: &str) -> Self {
        Self { app, path: format!("/api/{user}/chatkit") }
    }

    /// Sends an operation.
    pub async fn send(&self, operation: &str, params: Value) -> Response {
        self.send_with(operation, params, &[]).await
    }

    /// Sends an operation with headers of the test's own.
    pub async fn send_with(&self, operation: &str, params: Value, headers: &[(&str, &str)]) -> Response {
        let headers = [&[("content-type", "application/json")], headers].concat();
        let body = json!({"type": operation, "params": params}).to_string();
        self.app.send(Method::POST, &self.path, &headers, body).await
    }

    /// Sends an operation that has one answer.
    pub async fn ask(&self, operation: &str, params: Value) -> Value {
        let response = self.send(operation, params).await;
        assert_eq!(response.status(), 200, "{operation}");
        assert_eq!(response.headers()["content-type"], "application/json");
        response.json().await.unwrap()
    }

    /// Sends an operation that is answered with events, and reads them to the end.
    pub async fn stream(&self, operation: &str, params: Value) -> Vec<Value> {
        events(self.send(operation, params).await).await
    }

    /// Says something in a new thread; returns the events.
    pub async fn create(&self, text: &str) -> Vec<Value> {
        self.stream("threads.create", json!({"input": input(text)})).await
    }

    /// Says something in a thread.
    pub async fn add(&self, thread: &str, text: &str) -> Vec<Value> {
        self.stream("threads.add_user_message", json!({"thread_id": thread, "input": input(text)})).await
    }

    /// Reads the items of a thread.
    pub async fn items(&self, thread: &str) -> Vec<Value> {
        let thread = self.ask("threads.get_by_id", json!({"thread_id": thread})).await;
        thread["items"]["data"].as_array().unwrap().clone()
    }
}

/// What the component sends for a text.
pub fn input(text: &str) -> Value {
    json!({
        "content": [{"type": "input_text", "text": text}],
        "quoted_text": "", "attachments": [], "inference_options": {},
    })
}

/// Reads a stream of events to its end.
pub async fn events(response: Response) -> Vec<Value> {
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    parse(&super::soon("the stream ends", response.text()).await.unwrap())
}

/// Reads the events of a stream; comments are passed over.
pub fn parse(stream: &str) -> Vec<Value> {
    let frames = stream.split_terminator("\n\n").filter(|frame| !frame.starts_with(':'));
    frames.map(|frame| serde_json::from_str(frame.strip_prefix("data: ").unwrap()).unwrap()).collect()
}

/// Returns the types of events, each run of the same one once.
pub fn kinds(events: &[Value]) -> Vec<String> {
    let kind = |event: &Value| match &event["update"]["type"] {
        Value::String(update) => update.clone(),
        _ => event["type"].as_str().unwrap().to_owned(),
    };
    let mut kinds: Vec<String> = events.iter().map(kind).collect();
    kinds.dedup();
    kinds
}

/// Returns the items that a stream has finished.
pub fn done(events: &[Value]) -> Vec<Value> {
    let done = events.iter().filter(|event| event["type"] == "thread.item.done");
    done.map(|event| event["item"].clone()).collect()
}

/// Returns the id of the thread that a stream has made.
pub fn thread_of(events: &[Value]) -> String {
    events[0]["thread"]["id"].as_str().unwrap().to_owned()
}

/// Returns the conversation that a thread is a view of.
pub fn conversation_of(thread: &str) -> String {
    let hex = thread.strip_prefix("thr_").unwrap();
    uuid::Uuid::parse_str(hex).unwrap().hyphenated().to_string()
}
