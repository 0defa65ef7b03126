//! Around every request: an id that is in the answer, in every problem and in the log, and one wide line at the end.

use std::sync::{Arc, OnceLock};

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use tokio::time::Instant;
use tracing::Instrument;
use uuid::Uuid;

use crate::{
    domain::{RunId, UserId},
    shutdown::Shutdown,
    telemetry::{RequestLine, request_ended},
};

/// The header that carries a request's id, both ways.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The header that names the run of an answer.
pub(super) const RUN_ID: HeaderName = HeaderName::from_static("x-run-id");

tokio::task_local! {
    static SCOPE: Arc<RequestScope>;
}

/// What is known of the request that is being answered.
#[derive(Debug)]
pub(super) struct RequestScope {
    id: String,
    user: OnceLock<UserId>,
}

impl RequestScope {
    /// Returns the scope of the request that this task answers.
    pub(super) fn current() -> Option<Arc<Self>> {
        SCOPE.try_with(Arc::clone).ok()
    }

    /// Returns the request's id.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Remembers who asks, for the log.
    pub(super) fn note_user(user: &UserId) {
        if let Some(scope) = Self::current() {
            let _ = scope.user.set(user.clone());
        }
    }
}

/// Gives the request an id, answers it, and writes its line.
pub(super) async fn around(State(shutdown): State<Shutdown>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let scope = Arc::new(RequestScope { id: request_id(request.headers()), user: OnceLock::new() });
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let span = tracing::info_span!("request", request.id = %scope.id);
    let mut response = SCOPE.scope(Arc::clone(&scope), next.run(request)).instrument(span).await;
    if let Ok(id) = HeaderValue::from_str(&scope.id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    let run_id = response
        .headers()
        .get(RUN_ID)
        .and_then(|id| id.to_str().ok())
        .and_then(|id| id.parse::<RunId>().ok());
    let (status, duration) = (response.status().as_u16(), started.elapsed());
    // The answer does not wait for its line.
    shutdown.spawn(async move {
        request_ended(&RequestLine {
            method: method.as_str(),
            route: route.as_deref(),
            status,
            duration,
            request_id: &scope.id,
            user: scope.user.get(),
            run_id,
        });
    });
    response
}

/// Keeps an id that a client sent, if it is `[A-Za-z0-9_-]{1,64}`; makes one otherwise.
fn request_id(headers: &HeaderMap) -> String {
    let sent = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let is_good = |id: &&str| {
        (1..=64).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
    };
    sent.filter(is_good).map_or_else(|| Uuid::now_v7().to_string(), str::to_owned)
}
