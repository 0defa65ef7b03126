//! The HTTP side. This file is the table of contents: every route, and what every request passes through.

mod accept_header;
mod chat;
mod chatkit;
mod conversations;
mod cors;
mod docs;
mod etag;
mod fields;
mod guard;
mod health;
mod openapi;
mod page;
mod params;
mod principal;
mod problem;
mod query;
mod request_line;
mod retry;
mod routes;
mod runs;
mod seats;
mod serve;
mod sse;
mod tasks;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    http::{HeaderName, HeaderValue},
    middleware::from_fn_with_state,
};
use tower_http::{catch_panic::CatchPanicLayer, set_header::SetResponseHeaderLayer};

pub use chatkit::OnDisconnect;
pub use docs::Description;
pub use guard::{Allowed, ForeignOrigins, HostGuard};
pub use health::ToolHealth;
pub use routes::Route;
pub use seats::Seats;
pub use serve::serve;

use crate::{auth::Auth, clock::Clock, runs::Runs, shutdown::Shutdown, store::Store};
use problem::Problem;
use routes::Table;

/// What a browser may do with an answer that it takes for a page: nothing, in no frame.
const NOTHING_ACTIVE: &str = "default-src 'none'; frame-ancestors 'none'";

/// What handlers work with. Cloning is cheap.
#[derive(Clone)]
pub struct App(Arc<AppState>);

/// The inside, as the HTTP side sees it.
pub struct AppState {
    /// Runs.
    pub runs: Runs,
    /// What is stored.
    pub store: Store,
    /// Whether the service is about to stop.
    pub shutdown: Shutdown,
    /// How the tool servers are, by name.
    pub tool_health: Box<dyn Fn() -> Vec<ToolHealth> + Send + Sync>,
    /// How the service knows who asks.
    pub auth: Auth,
    /// The time of day.
    pub clock: Clock,
    /// Which hosts and origins may speak to the service.
    pub guard: HostGuard,
    /// How long a stream may be silent before it sends a comment.
    pub heartbeat: Duration,
    /// What hanging up on a ChatKit stream means.
    pub on_disconnect: OnDisconnect,
    /// The description of the API.
    pub description: Description,
    /// Seats for those who listen to a run.
    pub seats: Seats,
    /// The most bytes of a request's body.
    pub max_body_bytes: usize,
}

impl App {
    /// Joins the inside into what handlers work with.
    pub fn new(state: AppState) -> Self {
        Self(Arc::new(state))
    }
}

impl std::ops::Deref for App {
    type Target = AppState;

    fn deref(&self) -> &AppState {
        &self.0
    }
}

/// Lists every route that the router answers.
pub fn routes() -> Vec<Route> {
    table().into_routes()
}

/// Describes every route, as OpenAPI 3.1.
pub fn description() -> serde_json::Value {
    openapi::document()
}

/// Names every route: contract, section 1.
fn table() -> Table {
    let conversation = "/api/{user_id}/conversations/{conversation_id}";
    Table::default()
        .get("/", page::index)
        .get("/web/{file}", page::file)
        .get("/chatkit-demo", page::chatkit_demo)
        .get("/health/live", health::live)
        .get("/health/ready", health::ready)
        .get("/openapi.json", docs::description)
        .get("/docs", docs::page)
        .get("/docs/{file}", docs::file)
        .post("/api/{user_id}/chat", chat::chat)
        .get("/api/{user_id}/conversations", conversations::list)
        .post("/api/{user_id}/conversations", conversations::create)
        .get(conversation, conversations::read)
        .patch(conversation, conversations::edit)
        .delete(conversation, conversations::delete)
        .get("/api/{user_id}/conversations/{conversation_id}/messages", conversations::messages)
        .post("/api/{user_id}/conversations/{conversation_id}/retry", retry::retry)
        .get("/api/{user_id}/runs/{run_id}", runs::read)
        .get("/api/{user_id}/runs/{run_id}/events", runs::events)
        .post("/api/{user_id}/runs/{run_id}/cancel", runs::cancel)
        .get("/api/{user_id}/tasks", tasks::list)
        .post("/api/{user_id}/tasks", tasks::create)
        .get("/api/{user_id}/tasks/{number}", tasks::read)
        .patch("/api/{user_id}/tasks/{number}", tasks::edit)
        .delete("/api/{user_id}/tasks/{number}", tasks::delete)
        .post("/chatkit", chatkit::chatkit)
        .post("/api/{user_id}/chatkit", chatkit::of_user)
}

/// Builds the router, and what every request passes through.
pub fn router(app: App) -> Router {
    let routes =
        table().into_router().fallback(no_such_route).method_not_allowed_fallback(method_not_allowed);
    routes
        .layer(CatchPanicLayer::custom(problem::of_panic))
        .layer(from_fn_with_state(app.clone(), cors::around))
        .layer(from_fn_with_state(app.clone(), guard::check))
        .layer((
            unless_set("x-content-type-options", "nosniff"),
            unless_set("content-security-policy", NOTHING_ACTIVE),
            unless_set("referrer-policy", "no-referrer"),
            unless_set("cross-origin-resource-policy", "same-origin"),
            unless_set("cache-control", "no-store"),
        ))
        .layer(from_fn_with_state(app.shutdown.clone(), request_line::around))
        .with_state(app)
}

/// Puts a header on every answer that has none of that name. `strict-transport-security` is not among them: whoever
/// ends TLS before us knows whether it holds.
fn unless_set(name: &'static str, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    let (name, value) = (HeaderName::from_static(name), HeaderValue::from_static(value));
    SetResponseHeaderLayer::if_not_present(name, value)
}

async fn no_such_route() -> Problem {
    Problem::NoSuchRoute
}

async fn method_not_allowed() -> Problem {
    Problem::MethodNotAllowed
}
