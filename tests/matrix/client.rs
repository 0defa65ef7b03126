//! A client as `docs/clients.md` wants one: it posts with a key, follows by `Last-Event-ID`, tries again after every loss,
//! and keeps all that it heard for the checker.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use reqwest::{Client as Http, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};

use super::support::stream::{Event, Turn};

/// How long a client waits before it tries again.
const PAUSE: Duration = Duration::from_millis(20);

/// What came over one connection.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// The id that the client named.
    pub after: Option<i64>,
    /// Whether this is the stream of a turn that began with this very request.
    pub is_first: bool,
    /// The events.
    pub events: Vec<Event>,
    /// Whether the stream was ended as it should be, not cut.
    pub is_whole: bool,
}

/// A turn as its user lived through it.
#[derive(Clone, Debug, Default)]
pub struct Told {
    pub user: String,
    pub message: String,
    /// The run, from the moment when the service acknowledged the message.
    pub run: Option<String>,
    /// The conversation that the client named; none if the service is to make one.
    pub named: Option<String>,
    /// The conversation that the service said it is.
    pub conversation: Option<String>,
    pub connections: Vec<Heard>,
    /// What a second device hears that follows the run from its start, long after.
    pub again: Vec<Event>,
    /// The run that the key stands for, long after.
    pub under_its_key: Option<String>,
    /// How often the service was asked to take the message and said no.
    pub refused: Vec<String>,
}

impl Told {
    /// Returns the last id that was heard.
    fn last_id(&self) -> Option<i64> {
        self.connections.iter().rev().find_map(|heard| heard.events.last()).map(|event| event.id)
    }

    /// Returns the user and the conversation, once it is known.
    pub fn place(&self) -> Option<(String, String)> {
        Some((self.user.clone(), self.conversation.clone()?))
    }

    /// Tells whether the end was heard.
    pub fn is_over(&self) -> bool {
        self.connections.iter().flat_map(|heard| &heard.events).any(|event| is_end(&event.name))
    }
}

/// Tells whether an event ends a run.
pub fn is_end(name: &str) -> bool {
    name.starts_with("run.") && name != "run.created"
}

/// A client of one turn.
#[derive(Clone)]
pub struct Client {
    http: Http,
    base: watch::Receiver<Option<String>>,
    key: String,
    told: Arc<Mutex<Told>>,
    hang_up: Arc<Notify>,
    /// How often it has hung up.
    hung_up: Arc<AtomicU32>,
}

impl Client {
    /// Prepares a turn; the key is of its own.
    pub fn new(
        base: watch::Receiver<Option<String>>,
        user: &str,
        named: Option<String>,
        message: &str,
    ) -> Self {
        let told = Told { user: user.into(), message: message.into(), named, ..Told::default() };
        Self {
            // A connection that is kept for later would look like one that the service has lost sight of.
            http: Http::builder().pool_max_idle_per_host(0).build().unwrap(),
            base,
            key: format!("key of {message}"),
            told: Arc::new(Mutex::new(told)),
            hang_up: Arc::default(),
            hung_up: Arc::default(),
        }
    }

    /// Hangs up, whatever it is doing, and returns once that has happened, or once there is nothing left to hear.
    pub async fn hang_up(&self) {
        let before = self.hung_up.load(Ordering::SeqCst);
        self.hang_up.notify_one();
        while self.hung_up.load(Ordering::SeqCst) == before && !self.told().is_over() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Returns what it was told so far.
    pub fn told(&self) -> Told {
        self.told.lock().unwrap().clone()
    }

    /// Returns the run, once it is known.
    pub fn run(&self) -> Option<String> {
        self.told.lock().unwrap().run.clone()
    }

    /// Has the turn taken and hears it to its end, however often it must begin again.
    pub async fn talk(&self) -> Told {
        loop {
            let told = self.told();
            if told.is_over() {
                return told;
            }
            let answered = tokio::select! {
                answered = self.ask(&told) => answered,
                () = self.hang_up.notified() => {
                    self.hung_up.fetch_add(1, Ordering::SeqCst);
                    continue;
                }
            };
            if let Some(response) = answered {
                self.listen(response, told.last_id()).await;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Hears the run from its start, as a second device would, and asks for it under the same key once more.
    pub async fn hear_again(&self) -> Told {
        let run = self.run().expect("the run is known");
        let events = format!("/api/{}/runs/{run}/events", self.told().user);
        let response = self.get(&events).await.send().await.unwrap();
        assert_eq!(response.status(), 200);
        let again = Turn::of(response).rest().await;
        self.told.lock().unwrap().again = again;
        let replayed = self.post().await.send().await.unwrap();
        if replayed.status() != 200 {
            panic!("{}: {:?}", replayed.status(), replayed.text().await);
        }
        let run = replayed.headers()["x-run-id"].to_str().unwrap().to_owned();
        self.told.lock().unwrap().under_its_key = Some(run);
        self.told()
    }

    async fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(format!("{}{path}", self.base().await))
    }

    async fn post(&self) -> RequestBuilder {
        let told = self.told();
        let request = self.http.post(format!("{}/api/{}/chat", self.base().await, told.user));
        let body = json!({"message": told.message, "conversation_id": told.named});
        request.header("idempotency-key", &self.key).json(&body)
    }

    /// Asks for the turn, or for what follows of it. Nothing if there is no service or it takes nothing now.
    async fn ask(&self, told: &Told) -> Option<Response> {
        let request = match (&told.run, told.last_id()) {
            (None, _) => self.post().await,
            (Some(run), seen) => {
                let request = self.get(&format!("/api/{}/runs/{run}/events", told.user)).await;
                seen.into_iter().fold(request, |request, seen| request.header("last-event-id", seen))
            }
        };
        let response = request.send().await.ok()?;
        match response.status().as_u16() {
            200 => Some(response),
            409 | 500..=599 => {
                let body: Value = response.json().await.ok()?;
                self.told.lock().unwrap().refused.push(body["code"].as_str()?.to_owned());
                None
            }
            other => panic!("{other} to {told:?}: {:?}", response.text().await),
        }
    }

    async fn listen(&self, response: Response, after: Option<i64>) {
        let is_first = after.is_none()
            && response.url().path().ends_with("/chat")
            && !response.headers().contains_key("idempotent-replayed");
        let header =
            |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let (run, conversation) = (header("x-run-id"), header("x-conversation-id"));
        {
            let mut told = self.told.lock().unwrap();
            told.run = told.run.take().or(run);
            told.conversation = told.conversation.take().or(conversation);
            told.connections.push(Heard { after, is_first, ..Heard::default() });
        }
        let mut turn = Turn::of(response);
        loop {
            let event = tokio::select! {
                event = turn.next() => event,
                () = self.hang_up.notified() => {
                    self.hung_up.fetch_add(1, Ordering::SeqCst);
                    return;
                }
            };
            let mut told = self.told.lock().unwrap();
            let heard = told.connections.last_mut().unwrap();
            heard.is_whole = turn.raw().ends_with("data: [DONE]\n\n");
            let Some(event) = event else { return };
            heard.events.push(event);
        }
    }

    async fn base(&self) -> String {
        let mut base = self.base.clone();
        base.wait_for(Option::is_some).await.unwrap().clone().unwrap()
    }
}
