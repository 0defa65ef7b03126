//! The service in this process, with a scripted model, a real database and the real task server.

use std::sync::Arc;

use parlor::{
    app::{self, Service},
    clock::Clock,
    config::{self, Config, Source},
    domain::Models,
};
use parlor_db::testing::Place;
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};

use super::{
    script::Script,
    soon,
    stream::{Event, Turn},
    task_server_command,
};

/// A running service and a client for it.
pub struct TestApp {
    pub model: Arc<Script>,
    pub base: String,
    http: Client,
    service: Option<Service>,
}

impl TestApp {
    /// Starts the service on a database.
    pub async fn start(place: &Place) -> Self {
        Self::start_with(place, &[]).await
    }

    /// Starts the service with some settings of its own.
    pub async fn start_with(place: &Place, settings: &[(&str, &str)]) -> Self {
        let model = Arc::new(Script::default());
        let config = config(place, settings);
        let models = Models::new(app::steady(model.clone(), &config.model), Vec::new());
        let service = Service::start(&config, models, Clock::system()).await.unwrap();
        let base = format!("http://{}", service.address());
        Self { model, base, http: Client::new(), service: Some(service) }
    }

    /// Stops the service as SIGTERM does.
    pub async fn stop(mut self) {
        let service = self.service.take().unwrap();
        soon("the service stops", service.stop()).await;
    }

    /// Stops the service and starts it again on the same database, with a model that has said nothing yet.
    pub async fn restart(self, place: &Place) -> Self {
        self.stop().await;
        Self::start(place).await
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base))
    }

    pub async fn get(&self, path: &str) -> Response {
        soon(path, self.request(Method::GET, path).send()).await.unwrap()
    }

    pub async fn post(&self, path: &str, body: Value) -> Response {
        soon(path, self.request(Method::POST, path).json(&body).send()).await.unwrap()
    }

    pub async fn patch(&self, path: &str, body: Value) -> Response {
        soon(path, self.request(Method::PATCH, path).json(&body).send()).await.unwrap()
    }

    pub async fn delete(&self, path: &str) -> Response {
        soon(path, self.request(Method::DELETE, path).send()).await.unwrap()
    }

    /// Sends a request with headers and bytes of the test's own.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> Response {
        let request = self.request(method, path).body(body);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        soon(path, request.send()).await.unwrap()
    }

    /// Posts a turn with headers of the test's own.
    pub async fn chat(&self, user: &str, headers: &[(&str, &str)], body: Value) -> Response {
        let headers = [&[("content-type", "application/json")], headers].concat();
        self.send(Method::POST, &format!("/api/{user}/chat"), &headers, body.to_string()).await
    }

    /// Says something and returns the whole turn as JSON.
    pub async fn chat_json(&self, user: &str, body: Value) -> Value {
        let response = self.chat(user, &[("accept", "application/json")], body).await;
        assert_eq!(response.status(), 200);
        response.json().await.unwrap()
    }

    /// Reads JSON that must be there.
    pub async fn read(&self, path: &str) -> Value {
        let response = self.get(path).await;
        assert_eq!(response.status(), 200, "{path}");
        response.json().await.unwrap()
    }

    /// Says something in a new conversation and returns the stream.
    pub async fn say(&self, user: &str, message: &str) -> Turn {
        self.turn(user, json!({"message": message})).await
    }

    /// Says something in a conversation and returns the stream.
    pub async fn say_in(&self, user: &str, conversation: &str, message: &str) -> Turn {
        self.turn(user, json!({"message": message, "conversation_id": conversation})).await
    }

    /// Posts a turn that must be accepted.
    pub async fn turn(&self, user: &str, body: Value) -> Turn {
        let response = self.post(&format!("/api/{user}/chat"), body).await;
        assert_eq!(response.status(), 200);
        Turn::of(response)
    }

    /// Says something and reads the whole turn.
    pub async fn ask(&self, user: &str, message: &str) -> Vec<Event> {
        self.say(user, message).await.rest().await
    }

    /// Lists the messages of a conversation.
    pub async fn messages(&self, user: &str, conversation: &str) -> Vec<Value> {
        let page = self.read(&format!("/api/{user}/conversations/{conversation}/messages?limit=100")).await;
        page["data"].as_array().unwrap().clone()
    }
}

/// Returns the configuration of a test: the place's database, any port, the real task server.
pub fn config(place: &Place, settings: &[(&str, &str)]) -> Config {
    let (database, tasks) = (place.url.expose(), place.url.beside("tasks.db"));
    let mut variables = vec![
        ("DATABASE_URL".to_owned(), database),
        ("TASKS_DATABASE_URL".to_owned(), tasks.expose()),
        ("DATABASE_MAX_CONNECTIONS".to_owned(), "4".to_owned()),
        ("PORT".to_owned(), "0".to_owned()),
        ("LLM_RETRIES".to_owned(), "0".to_owned()),
        ("MCP_SERVER_COMMAND".to_owned(), task_server_command()),
    ];
    variables.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    config::from_source(&Source::of(variables), place.folder()).unwrap().0
}

/// Returns the run that a stream tells of.
pub fn run_of(events: &[Event]) -> String {
    super::stream::data(events, "run.created")["run_id"].as_str().unwrap().to_owned()
}

/// Returns the conversation that a stream tells of.
pub fn conversation_of(events: &[Event]) -> String {
    super::stream::data(events, "run.created")["conversation_id"].as_str().unwrap().to_owned()
}

/// Reads a problem: its status, its code, and all of it.
pub async fn problem(response: Response) -> (u16, String, Value) {
    let status = response.status().as_u16();
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let request_id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["status"], status);
    assert_eq!(body["request_id"], request_id.as_str());
    assert_eq!(body["type"], format!("urn:parlor:{}", body["code"].as_str().unwrap()));
    (status, body["code"].as_str().unwrap().to_owned(), body)
}
