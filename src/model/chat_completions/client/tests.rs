//! The client against a provider on a socket: what goes out, and every way in which an answer fails.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::timeout,
};

use super::*;
use crate::{
    domain::{ConversationId, Finish, Item, ToolChoice, UserMessage},
    model::fake::ALONE,
};

pub(super) const HEAD: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
pub(super) const HELLO: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"hello\"}}]}\n\n";
pub(super) const STOP: &str =
    "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";

/// A provider of one request: it answers with `answer`, and then hangs up or waits for the client to do
/// so.
pub(super) struct FakeProvider {
    pub(super) url: String,
    talk: JoinHandle<String>,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Then {
    HangUp,
    Wait,
}

impl FakeProvider {
    pub(super) async fn that_answers(answer: String, then: Then) -> Self {
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
    pub(super) async fn request(self) -> String {
        timeout(Duration::from_secs(5), self.talk).await.expect("the client holds the connection").unwrap()
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
        quirks: crate::model::providers::quirks::of(Provider::Groq, "some-model"),
        price: None,
        extras: Default::default(),
    })
    .unwrap()
}

async fn ask(url: &str) -> Result<BoxStream<'static, Result<ModelEvent, ModelError>>, ModelError> {
    ask_on(&Meter::default(), url).await
}

pub(super) async fn ask_on(
    meter: &Meter,
    url: &str,
) -> Result<BoxStream<'static, Result<ModelEvent, ModelError>>, ModelError> {
    let history = [Item::User(UserMessage { text: "hi".into(), context: String::new() })];
    let request = ModelRequest {
        instructions: "Be kind.",
        history: &history,
        transcript: None,
        tools: &[],
        tool_choice: ToolChoice::Auto,
        conversation_id: ConversationId::new(),
        meter,
        asker: &ALONE,
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
    assert!(
        error.detail.ends_with("; set GROQ_DEFAULT_MODEL to a model that the provider offers"),
        "{error}"
    );
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
    let (_, error) = failure_of(format!("{HEAD}data: {{\"error\":\"sk-secret\"}}\n\n"), Then::HangUp).await;
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
