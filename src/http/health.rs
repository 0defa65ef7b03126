//! Health: whether the process lives, and whether it can do its work. Neither asks a provider.

use std::{collections::BTreeMap, time::Duration};

use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use tokio::time::timeout;
use utoipa::ToSchema;

use super::App;
use crate::{domain::Models, store::StoreError};

/// How long the database may take to say that it is there.
const DATABASE_LIMIT: Duration = Duration::from_secs(2);

/// How a tool server is.
#[derive(Clone, Debug)]
pub struct ToolHealth {
    /// Its name.
    pub name: String,
    /// Whether it answers.
    pub is_up: bool,
}

/// How one part of the service is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Part {
    /// `ok`, `down` or `draining`.
    status: &'static str,
    detail: String,
}

/// How the service is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Ready)]
pub(super) struct ReadyOut {
    /// `ready`, `degraded` or `not_ready`.
    status: &'static str,
    /// `database`, `migrations`, `model`, and `mcp:` with the name of each tool server.
    parts: BTreeMap<String, Part>,
}

/// That the process lives.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Live)]
pub(super) struct LiveOut {
    /// `live`.
    status: &'static str,
}

/// Says that the process lives. Touches nothing.
#[utoipa::path(
    get,
    path = "/health/live",
    operation_id = "live",
    tag = "health",
    responses((status = 200, description = "It lives.", body = LiveOut)),
)]
pub(super) async fn live() -> Json<LiveOut> {
    Json(LiveOut { status: "live" })
}

/// Says whether the service can do its work: 503 without a database or while it drains, `degraded` without a tool
/// server.
#[utoipa::path(
    get,
    path = "/health/ready",
    operation_id = "ready",
    tag = "health",
    responses(
        (status = 200, description = "It can work, perhaps without a tool server.", body = ReadyOut),
        (status = 503, description = "It cannot.", body = ReadyOut),
    ),
)]
pub(super) async fn ready(State(app): State<App>) -> (StatusCode, Json<ReadyOut>) {
    let current = timeout(DATABASE_LIMIT, app.store.is_current()).await;
    let mut parts = database_parts(current.ok().as_ref());
    let is_broken = parts.values().any(|part| part.status != "ok");
    if app.shutdown.is_draining() {
        parts.insert("service".into(), Part::new("draining", "the service is shutting down"));
    }
    let mut is_degraded = false;
    for server in (app.tool_health)() {
        is_degraded |= !server.is_up;
        let part =
            if server.is_up { Part::new("ok", "up") } else { Part::new("down", "it is being started again") };
        parts.insert(format!("mcp:{}", server.name), part);
    }
    let model = model_part(app.runs.models());
    is_degraded |= model.status != "ok";
    parts.insert("model".into(), model);
    let (code, status) = match (is_broken || app.shutdown.is_draining(), is_degraded) {
        (true, _) => (StatusCode::SERVICE_UNAVAILABLE, "not_ready"),
        (false, true) => (StatusCode::OK, "degraded"),
        (false, false) => (StatusCode::OK, "ready"),
    };
    (code, Json(ReadyOut { status, parts }))
}

/// Says which model answers, and whether too many of its latest calls have failed.
fn model_part(models: &Models) -> Part {
    let identity = models.usual().identity();
    let name = format!("{} {}", identity.provider, identity.model);
    // By its name it is the model itself, without what stands in for it.
    let usual = models.find(Some(&identity.provider), Some(&identity.model)).unwrap_or(models.usual());
    match usual.closed_for() {
        None => Part::new("ok", &name),
        Some(_) => Part::new("down", &format!("{name}: too many of the latest calls failed")),
    }
}

fn database_parts(current: Option<&Result<bool, StoreError>>) -> BTreeMap<String, Part> {
    let (database, migrations) = match current {
        Some(Ok(true)) => (Part::new("ok", "reachable"), Part::new("ok", "current")),
        Some(Ok(false)) => (Part::new("ok", "reachable"), Part::new("down", "some are missing")),
        Some(Err(_)) | None => (Part::new("down", "it does not answer"), Part::new("down", "not known")),
    };
    [("database".to_owned(), database), ("migrations".to_owned(), migrations)].into()
}

impl Part {
    fn new(status: &'static str, detail: &str) -> Self {
        Self { status, detail: detail.into() }
    }
}
