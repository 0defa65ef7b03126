//! A provider of chat completions on a real socket: it says what the test wrote down, and refuses histories that the
//! hosted ones would refuse.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::script::Gate;

/// One thing that the provider does.
#[derive(Clone)]
pub enum Act {
    /// Send these bytes.
    Send(String),
    /// Wait until the test opens the gate.
    Wait(Gate),
    /// Think for a while, as models do.
    Pause(Duration),
    /// Say nothing more, ever.
    Hang,
    /// Break the connection off.
    Break,
}

/// One answer of the provider.
#[derive(Clone)]
pub struct Answer {
    status: u16,
    content_type: &'static str,
    headers: Vec<(&'static str, String)>,
    acts: Vec<Act>,
}

/// A provider that is listening.
pub struct Provider {
    pub url: String,
    state: Arc<Room>,
}

#[derive(Default)]
struct Room {
    answers: Mutex<VecDeque<Answer>>,
    otherwise: Mutex<Option<Answer>>,
    answering: Option<fn(&Value) -> Answer>,
    requests: Mutex<Vec<Value>>,
    keys: Mutex<Vec<String>>,
    hung_up: AtomicUsize,
}

/// Counts an answer whose client went away before its end.
struct Unfinished {
    room: Arc<Room>,
    has_more: bool,
}

impl Unfinished {
    fn note(&mut self, has_more: bool) {
        self.has_more = has_more;
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if self.has_more {
            self.room.hung_up.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl Provider {
    /// Starts listening.
    pub async fn start() -> Self {
        Self::listening(Room::default()).await
    }

    /// Starts listening and answers each request as the function says.
    pub async fn answering(answering: fn(&Value) -> Answer) -> Self {
        Self::listening(Room { answering: Some(answering), ..Room::default() }).await
    }

    async fn listening(room: Room) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let state = Arc::new(room);
        let router = Router::new().route("/v1/chat/completions", post(complete)).with_state(state.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, state }
    }

    /// Appends an answer.
    pub fn then(&self, answer: Answer) -> &Self {
        self.state.answers.lock().unwrap().push_back(answer);
        self
    }

    /// Sets the answer for whenever there is none left.
    pub fn otherwise(&self, answer: Answer) -> &Self {
        *self.state.otherwise.lock().unwrap() = Some(answer);
        self
    }

    /// Returns the bodies of the requests so far.
    pub fn requests(&self) -> Vec<Value> {
        self.state.requests.lock().unwrap().clone()
    }

    /// Returns how many answers were not heard to their end.
    pub fn hung_up(&self) -> usize {
        self.state.hung_up.load(Ordering::SeqCst)
    }

    /// Returns the keys that came with the requests.
    pub fn keys(&self) -> Vec<String> {
        self.state.keys.lock().unwrap().clone()
    }

    /// Returns the settings that send a service here.
    pub fn settings(&self) -> [(&str, &str); 5] {
        [
            ("LLM_RETRIES", "0"),
            ("LLM_PROVIDER", "custom"),
            ("LLM_BASE_URL", &self.url),
            ("LLM_API_KEY", "sk-canary-5f1e"),
            ("LLM_MODEL", "scripted"),
        ]
    }
}

impl Answer {
    /// Answers with text in pieces.
    pub fn text<const N: usize>(pieces: [&str; N]) -> Self {
        let mut acts: Vec<Act> = pieces.iter().map(|piece| Act::Send(said(piece))).collect();
        acts.push(Act::Send(finish("stop")));
        Self::acts(acts)
    }

    /// Answers with one call.
    pub fn call(name: &str, arguments: &Value) -> Self {
        let call = json!([{
            "index": 0, "id": format!("call_{name}"), "type": "function",
            "function": {"name": name, "arguments": arguments.to_string()}
        }]);
        Self::acts([Act::Send(chunk(&json!({"tool_calls": call}))), Act::Send(finish("tool_calls"))])
    }

    /// Answers with an HTTP error.
    pub fn error(status: u16, body: &str) -> Self {
        let content_type = if body.starts_with('<') { "text/html" } else { "application/json" };
        Self { status, content_type, ..Self::acts([Act::Send(body.into())]) }
    }

    /// Adds a header.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Answers with acts of the test's own.
    pub fn acts(acts: impl Into<Vec<Act>>) -> Self {
        Self { status: 200, content_type: "text/event-stream", headers: Vec::new(), acts: acts.into() }
    }
}

/// Returns the bytes of a piece of text.
pub fn said(piece: &str) -> String {
    chunk(&json!({"content": piece}))
}

/// Returns the bytes of a call.
pub fn call(name: &str, arguments: &Value) -> String {
    let function = json!({"name": name, "arguments": arguments.to_string()});
    let call = json!([{"index": 0, "id": format!("call_{name}"), "type": "function", "function": function}]);
    chunk(&json!({"tool_calls": call}))
}

/// Returns the bytes that end a reply.
pub fn finish(reason: &str) -> String {
    let usage = json!({"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16});
    let last =
        json!({"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": reason}], "usage": usage});
    format!("data: {last}\n\ndata: [DONE]\n\n")
}

fn chunk(delta: &Value) -> String {
    format!("data: {}\n\n", json!({"id": "c", "choices": [{"index": 0, "delta": delta}]}))
}

async fn complete(State(room): State<Arc<Room>>, headers: HeaderMap, body: Bytes) -> Response {
    let request: Value = serde_json::from_slice(&body).unwrap();
    let fault = fault(&request);
    let key = headers.get(header::AUTHORIZATION).map(|key| key.to_str().unwrap().to_owned());
    room.keys.lock().unwrap().extend(key);
    let answered = room.answering.map(|answering| answering(&request));
    room.requests.lock().unwrap().push(request);
    if let Some(fault) = fault {
        let error = json!({"error": {"message": fault, "type": "invalid_request_error"}});
        return (StatusCode::BAD_REQUEST, error.to_string()).into_response();
    }
    let next = answered.or_else(|| room.answers.lock().unwrap().pop_front());
    let Some(answer) = next.or_else(|| room.otherwise.lock().unwrap().clone()) else {
        return (StatusCode::INTERNAL_SERVER_ERROR, "the script is over").into_response();
    };
    let mut unfinished = Unfinished { room: Arc::clone(&room), has_more: true };
    let count = answer.acts.len();
    let acts = stream::iter(answer.acts.into_iter().enumerate()).map(move |(at, act)| {
        unfinished.note(at + 1 < count || matches!(act, Act::Hang));
        act
    });
    let acts = acts.then(|act| async move {
        match act {
            Act::Send(bytes) => Ok(Bytes::from(bytes)),
            Act::Wait(gate) => {
                gate.wait().await;
                Ok(Bytes::new())
            }
            Act::Pause(pause) => {
                tokio::time::sleep(pause).await;
                Ok(Bytes::new())
            }
            Act::Hang => std::future::pending().await,
            Act::Break => Err(std::io::Error::other("broken off on purpose")),
        }
    });
    let status = StatusCode::from_u16(answer.status).unwrap();
    let mut response =
        (status, [(header::CONTENT_TYPE, answer.content_type)], Body::from_stream(acts.boxed()))
            .into_response();
    for (name, value) in answer.headers {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}

/// Finds what a strict provider would refuse: calls without answers, answers without calls, empty parts, arguments that
/// are no JSON.
pub fn fault(request: &Value) -> Option<String> {
    let messages = request["messages"].as_array()?;
    let mut open: Vec<String> = Vec::new();
    for (at, message) in messages.iter().enumerate() {
        let role = message["role"].as_str().unwrap_or_default();
        if role != "tool" && !open.is_empty() {
            return Some(format!("messages[{at}]: calls {open:?} have no answer"));
        }
        match role {
            "system" if at == 0 => {}
            "user" if message["content"].as_str().is_some_and(|text| !text.is_empty()) => {}
            "assistant" => {
                let calls = message["tool_calls"].as_array().cloned().unwrap_or_default();
                if calls.is_empty() && message["content"].as_str().is_none_or(str::is_empty) {
                    return Some(format!("messages[{at}]: an empty reply"));
                }
                for call in calls {
                    let arguments = call["function"]["arguments"].as_str().unwrap_or_default();
                    if !serde_json::from_str::<Value>(arguments).is_ok_and(|value| value.is_object()) {
                        return Some(format!("messages[{at}]: arguments are no object: {arguments}"));
                    }
                    let id = call["id"].as_str().unwrap_or_default().to_owned();
                    if id.is_empty() || open.contains(&id) {
                        return Some(format!("messages[{at}]: a call id is empty or twice there: {id}"));
                    }
                    open.push(id);
                }
            }
            "tool" => {
                let id = message["tool_call_id"].as_str().unwrap_or_default();
                let Some(place) = open.iter().position(|open| open == id) else {
                    return Some(format!("messages[{at}]: no call {id} is open"));
                };
                open.remove(place);
            }
            _ => return Some(format!("messages[{at}]: an odd message: {message}")),
        }
    }
    if open.is_empty() { None } else { Some(format!("calls {open:?} have no answer")) }
}
