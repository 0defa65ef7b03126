//! The HTTP side. This file is the table of contents: every route, and what every request passes through.

mod accept_header;
mod chat;
mod conversations;
mod fields;
mod guard;
mod health;
mod params;
mod principal;
mod problem;
mod query;
mod request_line;
mod runs;
mod serve;
mod sse;
mod tasks;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    http::{HeaderName, HeaderValue, header},
    middleware::{from_fn, from_fn_with_state},
    routing::{get, post},
};
use tower_http::{catch_panic::CatchPanicLayer, set_header::SetResponseHeaderLayer};

pub use guard::HostGuard;
pub use health::ToolHealth;
pub use serve::serve;

use crate::{runs::Runs, shutdown::Shutdown, store::Store};
use problem::Problem;

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
    /// Which model answers, for the ready route.
    pub model: String,
    /// Which hosts and origins may speak to a service that knows no users.
    pub guard: HostGuard,
    /// How long a stream may be silent before it sends a comment.
    pub heartbeat: Duration,
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

/// Builds the router: contract, section 1.
pub fn router(app: App) -> Router {
    let routes = Router::new()
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/api/{user_id}/chat", post(chat::chat))
        .route("/api/{user_id}/conversations", get(conversations::list).post(conversations::create))
        .route(
            "/api/{user_id}/conversations/{conversation_id}",
            get(conversations::read).patch(conversations::edit).delete(conversations::delete),
        )
        .route("/api/{user_id}/conversations/{conversation_id}/messages", get(conversations::messages))
        .route("/api/{user_id}/runs/{run_id}", get(runs::read))
        .route("/api/{user_id}/runs/{run_id}/events", get(runs::events))
        .route("/api/{user_id}/runs/{run_id}/cancel", post(runs::cancel))
        .route("/api/{user_id}/tasks", get(tasks::list).post(tasks::create))
        .route("/api/{user_id}/tasks/{number}", get(tasks::read).patch(tasks::edit).delete(tasks::delete))
        .fallback(no_such_route)
        .method_not_allowed_fallback(method_not_allowed);
    let no_sniffing = SetResponseHeaderLayer::if_not_present(
        HeaderName::from_static("x-content-type-options"),
        HeaderValue::from_static("nosniff"),
    );
    let no_caching =
        SetResponseHeaderLayer::if_not_present(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    routes
        .layer(CatchPanicLayer::custom(problem::of_panic))
        .layer(from_fn_with_state(app.clone(), guard::check))
        .layer((no_sniffing, no_caching))
        .layer(from_fn(request_line::around))
        .with_state(app)
}

async fn no_such_route() -> Problem {
    Problem::NoSuchRoute
}

async fn method_not_allowed() -> Problem {
    Problem::MethodNotAllowed
}
