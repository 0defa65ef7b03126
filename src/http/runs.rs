//! Runs: read, followed, cancelled.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderName, StatusCode},
    response::{IntoResponse, Response},
};

use super::{App, params::Params, principal::time_left, problem::Problem, query::Query, sse};
use crate::{
    domain::{EventId, Principal, RunId},
    runs::Followed,
    wire::RunOut,
};

/// Where a client that reconnects has stopped reading.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The name of the id in the path.
const ID: &str = "run_id";

/// Reads a run.
#[utoipa::path(
    get,
    path = "/api/{user_id}/runs/{run_id}",
    operation_id = "read_run",
    tag = "runs",
    responses((status = 200, description = "The run.", body = RunOut)),
)]
pub(super) async fn read(
    State(app): State<App>,
    principal: Principal,
    params: Params,
) -> Result<Json<RunOut>, Problem> {
    let found = app.store.find_run(&principal.user, params.id(ID)?).await?;
    found.map(RunOut::from).map(Json).ok_or(Problem::NotFound("run"))
}

/// Tells a run from its start, or from where the client stopped reading.
///
/// A run that is over is told from storage, where whole messages stand for their pieces.
#[utoipa::path(
    get,
    path = "/api/{user_id}/runs/{run_id}/events",
    operation_id = "run_events",
    tag = "runs",
    params(
        ("Last-Event-ID" = Option<i64>, Header, minimum = 0,
            description = "The last event that was seen; it wins over `after`. One that was never told is refused."),
        ("after" = Option<i64>, Query, minimum = 0, description = "The last event that was seen."),
    ),
    responses(
        (status = 200, description = "The events behind it, then those that are still to come.",
            body = String, content_type = "text/event-stream"),
        (status = 204, description = "There is nothing more: the end was seen."),
    ),
)]
pub(super) async fn events(
    State(app): State<App>,
    principal: Principal,
    params: Params,
    query: Query,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (name, seen) = seen(&headers, &query)?;
    let run: RunId = params.id(ID)?;
    match app.runs.follow(&principal.user, run, seen).await? {
        Followed::Stream(heard) => {
            let seat = app.seats.take()?;
            let heard = sse::until(heard, time_left(&principal, app.clock.now()));
            Ok(sse::native(seat.listens(heard), app.heartbeat))
        }
        Followed::Over => Ok(StatusCode::NO_CONTENT.into_response()),
        Followed::Beyond => {
            Err(Problem::InvalidHeader { name, fault: "lies beyond the last event of the run" })
        }
        Followed::NoSuchRun => Err(Problem::NotFound("run")),
    }
}

/// Cancels a run; one that is over stays as it is.
#[utoipa::path(
    post,
    path = "/api/{user_id}/runs/{run_id}/cancel",
    operation_id = "cancel_run",
    tag = "runs",
    responses((status = 200, description = "The run as it is now.", body = RunOut)),
)]
pub(super) async fn cancel(
    State(app): State<App>,
    principal: Principal,
    params: Params,
) -> Result<Json<RunOut>, Problem> {
    let found = app.runs.cancel(&principal.user, params.id(ID)?).await?;
    found.map(RunOut::from).map(Json).ok_or(Problem::NotFound("run"))
}

/// Reads where the client stopped: the header wins over the query.
fn seen(headers: &HeaderMap, query: &Query) -> Result<(&'static str, Option<EventId>), Problem> {
    let header = headers.get(LAST_EVENT_ID).map(|value| value.to_str().unwrap_or("?"));
    let (name, text) = match (header, query.find("after")) {
        (Some(text), _) => ("Last-Event-ID", text),
        (None, Some(text)) => ("after", text),
        (None, None) => return Ok(("after", None)),
    };
    match text.parse::<i64>() {
        Ok(number) if number >= 0 && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            Ok((name, Some(number.into())))
        }
        Ok(_) | Err(_) => Err(Problem::InvalidHeader { name, fault: "must be the id of an event" }),
    }
}
