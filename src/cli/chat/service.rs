//! The service as a client sees it: requests out, answers or refusals in. Every wait has a limit.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, bail};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, Url, header, redirect::Policy};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::time::timeout;

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);

/// The service breaks every silence after 15 s, so a longer one means that the connection is dead.
pub(super) const SILENCE: Duration = Duration::from_secs(45);

/// The most that is read of an answer that is not a stream, in bytes.
const LONGEST: usize = 1024 * 1024;

/// Where the token comes from.
pub(super) enum Token {
    /// The service wants none.
    None,
    /// From the environment.
    Known(SecretString),
    /// From a file, which is read again for each request: somebody may put a fresh one there.
    File(PathBuf),
}

/// Why a request came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// The service said no, and would say so again.
    #[error("{detail}")]
    Refused {
        /// Its status.
        status: StatusCode,
        /// Its reason, for people.
        detail: String,
        /// The run that has the conversation, where that is the reason.
        active_run: Option<String>,
    },
    /// Another try may help.
    #[error("{detail}")]
    Lost {
        /// What happened.
        detail: String,
        /// How long the service wants to be left alone.
        retry_after: Duration,
    },
}

/// A service, and who speaks to it.
pub(super) struct Service {
    client: Client,
    root: Url,
    user: String,
    token: Token,
}

impl Service {
    /// Takes an address such as `http://127.0.0.1:8000`. Nothing is sent yet.
    pub(super) fn new(url: &str, user: &str, token: Token) -> anyhow::Result<Self> {
        let root: Url = url.parse().with_context(|| format!("--url {url} is no address"))?;
        if !matches!(root.scheme(), "http" | "https") || root.cannot_be_a_base() {
            bail!("--url {url} must begin with http:// or https://");
        }
        let client =
            Client::builder().connect_timeout(CONNECT).redirect(Policy::none()).no_proxy().build()?;
        Ok(Self { client, root, user: user.to_owned(), token })
    }

    /// Returns where it is.
    pub(super) fn address(&self) -> &str {
        self.root.as_str().trim_end_matches('/')
    }

    /// Posts a turn. A repetition under the same key has no second effect.
    pub(super) async fn post(&self, key: &str, turn: &Value) -> Result<Response, Fault> {
        let request = self.request(Method::POST, &["chat"])?.header("idempotency-key", key);
        let request = request
            .header(header::ACCEPT, "text/event-stream")
            .header(header::CONTENT_TYPE, "application/json");
        self.send(request.body(turn.to_string())).await
    }

    /// Asks for the events of a run behind one.
    pub(super) async fn events(&self, run: &str, last: i64) -> Result<Response, Fault> {
        let request = self.request(Method::GET, &["runs", run, "events"])?;
        self.send(request.header("last-event-id", last)).await
    }

    /// Asks a run to end.
    pub(super) async fn cancel(&self, run: &str) -> Result<(), Fault> {
        self.send(self.request(Method::POST, &["runs", run, "cancel"])?).await.map(drop)
    }

    /// Looks whether the service is there and lets this user in; and whether the conversation is theirs.
    pub(super) async fn greet(&self, conversation: Option<&str>) -> Result<(), Fault> {
        let request = match conversation {
            Some(id) => self.request(Method::GET, &["conversations", id])?,
            None => self.request(Method::GET, &["conversations"])?.query(&[("limit", "1")]),
        };
        self.send(request).await.map(drop)
    }

    fn request(&self, method: Method, path: &[&str]) -> Result<RequestBuilder, Fault> {
        let mut url = self.root.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["api", &self.user]).extend(path);
        }
        let request = self.client.request(method, url);
        match &self.token {
            Token::None => Ok(request),
            Token::Known(token) => Ok(request.bearer_auth(token.expose_secret())),
            Token::File(path) => match std::fs::read_to_string(path) {
                Ok(token) => Ok(request.bearer_auth(token.trim())),
                Err(error) => Err(lost(format!("{} cannot be read: {error}", path.display()))),
            },
        }
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, Fault> {
        let answer = match timeout(SILENCE, request.send()).await {
            Err(_) => return Err(lost(format!("{} does not answer", self.address()))),
            Ok(Err(error)) if error.is_builder() => {
                return Err(lost(format!("the request cannot be made: {error}")));
            }
            Ok(Err(error)) if error.is_connect() => {
                return Err(lost(format!("no service answers at {}", self.address())));
            }
            Ok(Err(_)) => return Err(lost(format!("the connection to {} was lost", self.address()))),
            Ok(Ok(answer)) => answer,
        };
        let status = answer.status();
        if status.is_success() { Ok(answer) } else { Err(fault(status, answer).await) }
    }
}

/// Reads why the service said no.
async fn fault(status: StatusCode, answer: Response) -> Fault {
    let retry_after =
        answer.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let problem: Value = serde_json::from_slice(&body(answer).await).unwrap_or_default();
    let text = |name: &str| problem.get(name).and_then(Value::as_str).map(str::to_owned);
    let said = text("detail").map_or_else(String::new, |said| format!(": {said}"));
    let detail = format!("the service answers {}{said}{}", status.as_u16(), fields(&problem));
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        return Fault::Lost { detail, retry_after: Duration::from_secs(retry_after.unwrap_or(0)) };
    }
    Fault::Refused { status, detail, active_run: text("active_run_id") }
}

/// Names the fields that are at fault.
fn fields(problem: &Value) -> String {
    let errors = problem.get("errors").and_then(Value::as_array).into_iter().flatten();
    let named = errors.filter_map(|error| {
        Some(format!("; {} {}", error.get("field")?.as_str()?, error.get("message")?.as_str()?))
    });
    named.collect()
}

/// Reads a small answer, as far as it comes.
async fn body(mut answer: Response) -> Vec<u8> {
    let mut read = Vec::new();
    while let Ok(Ok(Some(bytes))) = timeout(SILENCE, answer.chunk()).await {
        read.extend_from_slice(&bytes);
        if read.len() > LONGEST {
            break;
        }
    }
    read
}

/// Says that another try may help.
pub(super) const fn lost(detail: String) -> Fault {
    Fault::Lost { detail, retry_after: Duration::ZERO }
}
