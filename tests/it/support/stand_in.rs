//! A stand-in for the service, for what the real one does only when it is in trouble: it answers each request with what
//! the test wrote down.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    response::Response,
};
use futures_util::{StreamExt, stream};
use tokio::net::TcpListener;

/// One answer.
pub enum Reply {
    /// A status and a JSON body.
    Json(u16, String),
    /// Events, then the connection breaks.
    Cut(String),
    /// Events, then a neat end.
    Events(String),
    /// Nothing, ever.
    Silence,
}

/// A stand-in that is listening.
pub struct StandIn {
    pub url: String,
    room: Arc<Room>,
}

#[derive(Default)]
struct Room {
    replies: Mutex<VecDeque<(&'static str, Reply)>>,
    requests: Mutex<Vec<Asked>>,
}

/// A request as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub line: String,
    pub key: Option<String>,
    pub last: Option<String>,
    pub body: String,
}

impl StandIn {
    /// Starts listening. Each reply is for the next request whose line begins so.
    pub async fn start(replies: impl IntoIterator<Item = (&'static str, Reply)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let room = Arc::new(Room { replies: Mutex::new(replies.into_iter().collect()), ..Room::default() });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&room));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, room }
    }

    /// Returns what was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.room.requests.lock().unwrap().clone()
    }
}

async fn answer(State(room): State<Arc<Room>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let header = |name: &str| head.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    let line = format!("{} {}", head.method, head.uri);
    let (key, last) = (header("idempotency-key"), header("last-event-id"));
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let body = String::from_utf8(body.to_vec()).unwrap();
    room.requests.lock().unwrap().push(Asked { line: line.clone(), key, last, body });
    let reply = {
        let mut replies = room.replies.lock().unwrap();
        let place = replies.iter().position(|(begins, _)| line.starts_with(begins));
        place.and_then(|place| replies.remove(place)).map(|(_, reply)| reply)
    };
    let answer = Response::builder().header("x-run-id", "r1").header("x-conversation-id", "c1");
    match reply {
        None => answer.status(500).body(Body::from(format!("{line} was not expected"))),
        Some(Reply::Json(status, body)) => answer.status(status).body(Body::from(body)),
        Some(Reply::Events(events)) => answer.body(Body::from(events)),
        Some(Reply::Cut(events)) => {
            let cut = stream::once(async { Err(std::io::Error::other("cut on purpose")) });
            let sent = stream::once(async { Ok(Bytes::from(events)) });
            // The break comes behind what was sent, not instead of it.
            let pause = stream::once(async {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                Ok(Bytes::new())
            });
            answer.body(Body::from_stream(sent.chain(pause).chain(cut)))
        }
        Some(Reply::Silence) => std::future::pending().await,
    }
    .unwrap()
}
