//! A model behind chat completions: async-openai builds, signs and sends; waiting and reading are ours.
//!
//! Its own way of reading loses the calls of some providers, spawns a task and buffers without a bound. So it is
//! asked for a plain answer, not a stream, and even that is taken out under its hands: our service keeps the
//! response and gives back a `null` for it to read.

use std::{sync::Arc, time::Duration};

use async_openai::{config::Config, error::OpenAIError, middleware::HttpRequestFactory};
use async_trait::async_trait;
use futures_util::stream::{BoxStream, StreamExt};
use http::header;
use reqwest::Response;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::{
    sync::mpsc,
    time::{Instant, timeout, timeout_at},
};

use super::{body::Body, decode::Decoder, endpoint::Endpoint, failure, request};
use crate::{
    domain::{Model, ModelError, ModelErrorKind, ModelEvent, ModelIdentity, ModelRequest},
    model::{ModelSetupError, Provider, ProviderSettings},
};

/// The most of an error's body that is read, in bytes, and how long that may take.
const ERROR_BODY_LIMIT: usize = 64 * 1024;
const ERROR_BODY_TIMEOUT: Duration = Duration::from_secs(3);

/// A model of one provider.
pub(in crate::model) struct Client {
    provider: Provider,
    model: String,
    key: SecretString,
    endpoint: Arc<dyn Config>,
    http: reqwest::Client,
    first_token_timeout: Duration,
    idle_timeout: Duration,
}

impl Client {
    /// Checks the settings and makes the HTTP client. Nothing is sent yet.
    pub(in crate::model) fn new(settings: &ProviderSettings) -> Result<Self, ModelSetupError> {
        let provider = settings.provider;
        let endpoint = Endpoint::new(provider, &settings.base_url, settings.api_key.as_ref())?;
        if settings.model.trim().is_empty() {
            return Err(ModelSetupError::NoModel { provider: provider.name() });
        }
        let http = reqwest::Client::builder()
            .connect_timeout(settings.connect_timeout)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| ModelSetupError::NoHttpClient { reason: error.to_string() })?;
        Ok(Self {
            provider,
            model: settings.model.trim().to_owned(),
            key: endpoint.api_key().clone(),
            endpoint: Arc::new(endpoint),
            http,
            first_token_timeout: settings.first_token_timeout,
            idle_timeout: settings.idle_timeout,
        })
    }

    /// Sends a request and returns the response once its head is there, whatever its status.
    async fn send(&self, body: Value, deadline: Instant) -> Result<Response, ModelError> {
        let (handover, mut response) = mpsc::channel(1); // one place, for the one response of this request
        let http = self.http.clone();
        let service =
            tower::service_fn(move |request| keep_response(http.clone(), request, handover.clone()));
        let openai = async_openai::Client::build(self.http.clone(), Arc::clone(&self.endpoint))
            .with_http_service(service);
        let sent = timeout_at(deadline, openai.chat().create_byot::<Value, ()>(body)).await;
        match response.try_recv() {
            Ok(outcome) => outcome.map_err(failure::of_transport),
            Err(_) => Err(match sent {
                Ok(Ok(())) => ModelError::new(ModelErrorKind::Upstream, "no response was kept"),
                Ok(Err(error)) => not_sent(error),
                Err(_) => ModelError::new(ModelErrorKind::Timeout, "no response in time"),
            }),
        }
    }

    /// Sends a request and returns the body of its reply, or what went wrong instead.
    async fn open(&self, body: Value) -> Result<Body, ModelError> {
        let deadline = Instant::now() + self.first_token_timeout;
        let decoder = Decoder::new(self.provider, body.to_string().len());
        let response = self.send(body, deadline).await?;
        if response.status().is_success() && may_be_a_stream(&response) {
            return Ok(Body::new(response, decoder, deadline, self.idle_timeout));
        }
        let (status, headers) = (response.status(), response.headers().clone());
        let said = read_error_body(response).await;
        Err(failure::of_answer(status, &headers, &said))
    }
}

#[async_trait]
impl Model for Client {
    fn identity(&self) -> ModelIdentity {
        ModelIdentity { provider: self.provider.name().to_owned(), model: self.model.clone() }
    }

    async fn stream(
        &self,
        request: ModelRequest<'_>,
    ) -> Result<BoxStream<'static, Result<ModelEvent, ModelError>>, ModelError> {
        let body = request::body(self.provider, &self.model, &request);
        let reading = self.open(body).await.map_err(|error| scrubbed(error, &self.key))?;
        let key = self.key.clone();
        Ok(reading.into_stream().map(move |event| event.map_err(|error| scrubbed(error, &key))).boxed())
    }
}

/// Executes a request, keeps the outcome for us, and gives async-openai a response of which it can make
/// nothing.
async fn keep_response(
    http: reqwest::Client,
    request: HttpRequestFactory,
    handover: mpsc::Sender<reqwest::Result<Response>>,
) -> Result<Response, OpenAIError> {
    let outcome = http.execute(request.build().await?).await;
    drop(handover.try_send(outcome)); // whoever waited for it may be gone
    Ok(http::Response::new("null").into())
}

fn not_sent(error: OpenAIError) -> ModelError {
    let detail = "the request could not be built";
    ModelError { source: Some(Box::new(error)), ..ModelError::new(ModelErrorKind::InvalidRequest, detail) }
}

/// Tells whether an answer can be a stream of events: not every server labels it as one, but none calls it a
/// page.
fn may_be_a_stream(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_none_or(|kind| !kind.starts_with("text/html") && !kind.starts_with("application/json"))
}

/// Reads what an error's body says, as far as that comes soon and is not too long.
async fn read_error_body(mut response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    let reading = async {
        while let Ok(Some(bytes)) = response.chunk().await {
            body.extend_from_slice(&bytes);
            if body.len() >= ERROR_BODY_LIMIT {
                break;
            }
        }
    };
    drop(timeout(ERROR_BODY_TIMEOUT, reading).await); // what came until then will do
    body.truncate(ERROR_BODY_LIMIT);
    body
}

fn scrubbed(error: ModelError, key: &SecretString) -> ModelError {
    ModelError { detail: failure::scrub(&error.detail, Some(key.expose_secret())), ..error }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
        task::JoinHandle,
    };

    use super::*;
    use crate::domain::{ConversationId, Finish, Item, ToolChoice, UserMessage};

    const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    const HELLO: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"hello\"}}]}\n\n";
    const STOP: &str = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";

    /// A provider of one request: it answers with `answer`, and then hangs up or waits for the client to do
    /// so.
    struct FakeProvider {
        url: String,
        talk: JoinHandle<String>,
    }

    #[derive(Clone, Copy, PartialEq)]
    enum Then {
        HangUp,
        Wait,
    }

    impl FakeProvider {
        async fn that_answers(answer: String, then: Then) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}/v1/", listener.local_addr().unwrap());
            let talk = tokio::spawn(async move {
                let (mut socket, _) = listener.accept().await.unwrap();
                let request = read_request(&mut socket).await;
                socket.write_all(answer.as_bytes()).await.unwrap();
                if then == Then::Wait {
                    // Ends only when the client has closed its side.
                    drop(socket.read(&mut [0; 1]).await);
                }
                request
            });
            Self { url, talk }
        }

        /// Returns the request, once the connection is closed.
        async fn request(self) -> String {
            timeout(Duration::from_secs(5), self.talk)
                .await
                .expect("the client holds the connection")
                .unwrap()
        }
    }

    async fn read_request(socket: &mut TcpStream) -> String {
        let mut request = String::new();
        while !request.contains("\"stream\":true") {
            let mut bytes = [0; 4096];
            let count = socket.read(&mut bytes).await.unwrap();
            assert_ne!(count, 0, "the client hung up");
            request.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
        }
        request
    }

    fn client(url: &str) -> Client {
        Client::new(&ProviderSettings {
            provider: Provider::Groq,
            base_url: url.to_owned(),
            api_key: Some("sk-secret".into()),
            model: "some-model".into(),
            connect_timeout: Duration::from_secs(2),
            first_token_timeout: Duration::from_millis(200),
            idle_timeout: Duration::from_millis(100),
            pause_per_delta: Duration::ZERO,
        })
        .unwrap()
    }

    async fn ask(url: &str) -> Result<BoxStream<'static, Result<ModelEvent, ModelError>>, ModelError> {
        let history = [Item::User(UserMessage { text: "hi".into(), context: String::new() })];
        let request = ModelRequest {
            instructions: "Be kind.",
            history: &history,
            tools: &[],
            tool_choice: ToolChoice::Auto,
            conversation_id: ConversationId::new(),
        };
        client(url).stream(request).await
    }

    /// Asks and returns the text and the error that came, wherever it came.
    async fn outcome(url: &str) -> (String, Option<ModelError>) {
        let mut text = String::new();
        let mut events = match ask(url).await {
            Ok(events) => events,
            Err(error) => return (text, Some(error)),
        };
        while let Some(event) = events.next().await {
            match event {
                Ok(ModelEvent::Text(more)) => text.push_str(&more),
                Ok(_) => {}
                Err(error) => {
                    assert!(events.next().await.is_none());
                    return (text, Some(error));
                }
            }
        }
        (text, None)
    }

    async fn failure_of(answer: String, then: Then) -> (String, ModelError) {
        let provider = FakeProvider::that_answers(answer, then).await;
        let (text, error) = outcome(&provider.url).await;
        provider.request().await;
        (text, error.expect("the call succeeded"))
    }

    #[tokio::test]
    async fn a_request_goes_to_the_providers_path_with_its_key_and_the_reply_comes_back() {
        let provider = FakeProvider::that_answers(format!("{HEAD}{HELLO}{STOP}"), Then::HangUp).await;
        let events: Vec<_> = ask(&provider.url).await.unwrap().map(Result::unwrap).collect().await;
        let request = provider.request().await;
        assert!(request.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"), "{request}");
        assert!(request.contains("authorization: Bearer sk-secret\r\n"), "{request}");
        assert_eq!(events.first(), Some(&ModelEvent::Text("hello".into())));
        assert_eq!(events.last(), Some(&ModelEvent::Finished(Finish::Stop)));
    }

    #[tokio::test]
    async fn a_provider_that_falls_silent_is_given_up() {
        let (text, error) = failure_of(format!("{HEAD}{HELLO}"), Then::Wait).await;
        assert_eq!((text.as_str(), error.kind), ("hello", ModelErrorKind::Timeout));
    }

    #[tokio::test]
    async fn a_provider_that_never_begins_is_given_up() {
        for answer in [String::new(), HEAD.to_owned(), format!("{HEAD}: PROCESSING\n\n")] {
            let (text, error) = failure_of(answer, Then::Wait).await;
            assert_eq!((text.as_str(), error.kind), ("", ModelErrorKind::Timeout));
        }
    }

    #[tokio::test]
    async fn a_stream_that_breaks_off_is_lost_but_its_text_is_not() {
        let chunked = HEAD.replace("connection: close", "transfer-encoding: chunked");
        let half_a_chunk = format!("{chunked}{:x}\r\n{HELLO}\r\nff\r\ndata:", HELLO.len());
        for answer in [format!("{HEAD}{HELLO}"), format!("{HEAD}{HELLO}data: {{\"choi"), half_a_chunk] {
            let (text, error) = failure_of(answer, Then::HangUp).await;
            assert_eq!((text.as_str(), error.kind), ("hello", ModelErrorKind::StreamLost));
        }
    }

    #[tokio::test]
    async fn a_reply_that_is_whole_is_not_spoilt_by_a_provider_that_stays_on_the_line() {
        let whole = format!("{HEAD}{HELLO}{}", STOP.replace("data: [DONE]\n\n", ""));
        let provider = FakeProvider::that_answers(whole, Then::Wait).await;
        assert!(matches!(outcome(&provider.url).await, (text, None) if text == "hello"));
    }

    #[tokio::test]
    async fn a_provider_that_is_too_busy_says_when_to_come_back() {
        let body = r#"{"error":{"message":"slow down"}}"#;
        let head = "HTTP/1.1 429 Too Many Requests\r\nretry-after: 7\r\nconnection: close\r\n\r\n";
        let (_, error) = failure_of(format!("{head}{body}"), Then::HangUp).await;
        assert_eq!(error.kind, ModelErrorKind::RateLimited);
        assert_eq!(error.retry_after, Some(Duration::from_secs(7)));
    }

    #[tokio::test]
    async fn a_page_is_not_a_reply_whatever_its_status() {
        let page = "content-type: text/html\r\nconnection: close\r\n\r\n<!doctype html>";
        let (_, error) = failure_of(format!("HTTP/1.1 404 Not Found\r\n{page}"), Then::HangUp).await;
        assert_eq!(error.kind, ModelErrorKind::NotFound);
        let (_, error) = failure_of(format!("HTTP/1.1 200 OK\r\n{page}"), Then::HangUp).await;
        assert_eq!(error.kind, ModelErrorKind::MalformedReply);
    }

    #[tokio::test]
    async fn a_redirect_is_not_followed() {
        let head = "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:9/\r\nconnection: close\r\n\r\n";
        let (_, error) = failure_of(head.to_owned(), Then::HangUp).await;
        assert_eq!(error.kind, ModelErrorKind::InvalidRequest);
    }

    #[tokio::test]
    async fn an_error_never_shows_the_key() {
        let head = "HTTP/1.1 401 Unauthorized\r\nconnection: close\r\n\r\n";
        let (_, error) = failure_of(format!("{head}no such key: sk-secret"), Then::HangUp).await;
        assert_eq!(error.kind, ModelErrorKind::Auth);
        assert_eq!(error.detail, "401 Unauthorized: no such key: [key]");
        let (_, error) =
            failure_of(format!("{HEAD}data: {{\"error\":\"sk-secret\"}}\n\n"), Then::HangUp).await;
        assert!(!format!("{error:?}").contains("sk-secret"));
    }

    #[tokio::test]
    async fn a_provider_that_is_not_there_is_an_error() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let (_, error) = outcome(&url).await;
        assert_eq!(error.unwrap().kind, ModelErrorKind::Upstream);
    }

    #[tokio::test]
    async fn dropping_the_stream_closes_the_connection() {
        let provider = FakeProvider::that_answers(format!("{HEAD}{HELLO}"), Then::Wait).await;
        let mut events = ask(&provider.url).await.unwrap();
        assert_eq!(events.next().await.unwrap().unwrap(), ModelEvent::Text("hello".into()));
        drop(events);
        provider.request().await;
    }
}
