//! `POST /api/{user_id}/chat`: a turn. Accept it, then follow it in the format that the client wants.

pub(super) mod body;

use std::pin::Pin;

use axum::{
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use futures_util::{Stream, StreamExt};

use super::{
    App,
    accept_header::{self, Format},
    fields::Fields,
    params::path_of,
    principal::time_left,
    problem::Problem,
    query::Query,
    request_line::RUN_ID,
    seats::Seat,
    sse,
};
use crate::{
    domain::{Event, Notice, Principal, RunFailure, RunStatus},
    runs::{Followed, Heard, Started},
    wire::ChatOut,
};
use body::ChatIn;

/// The header that makes two requests one.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The header that says that an earlier request started the run.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// The header that names the conversation of an answer.
const CONVERSATION_ID: HeaderName = HeaderName::from_static("x-conversation-id");

/// Starts a turn, or finds the one that the same key started, and tells it.
///
/// The message is stored before the first byte of the answer. The turn goes on when the client hangs up; `Location` is
/// where to follow it. The format is what `stream` says in the body, else what `Accept` prefers, else events.
#[utoipa::path(
    post,
    path = "/api/{user_id}/chat",
    operation_id = "chat",
    tag = "chat",
    params(
        ("format" = Option<String>, Query, pattern = "^text$",
            description = "`text`: of the events only the text, for older clients. Cannot be resumed."),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[ -~]+$",
            description = "A request with the same key joins or replays the turn that the first one started; 24 hours."),
    ),
    request_body(content = ChatIn, examples(
        ("a new conversation" = (value = json!({"message": "add buy milk and call mom"}))),
        ("one object at the end" = (value = json!({"message": "what is on my list", "stream": false}))),
        ("all there is" = (value = json!({
            "message": "what is on my list", "conversation_id": null, "stream": true, "tool_choice": "auto",
            "timezone": "Europe/Paris", "metadata": {"client": "docs"},
        }))),
    )),
    responses((
        status = 200,
        description = "The turn: events as they happen, one object at its end, or the bare words as they are written.",
        content(
            (String = "text/event-stream"),
            (ChatOut = "application/json"),
            (String = "text/plain"),
        ),
        headers(
            ("X-Run-Id" = crate::domain::RunId, description = "The run."),
            ("X-Conversation-Id" = crate::domain::ConversationId, description = "The conversation."),
            ("Location" = String, description = "Where the run can be followed."),
            ("Idempotent-Replayed" = Option<String>, description = "`true` where an earlier request started the run."),
        ),
        links(
            ("run" = (operation_id = "read_run", parameters(
                ("user_id" = "$request.path.user_id"), ("run_id" = "$response.header.X-Run-Id")))),
            ("events" = (operation_id = "run_events", parameters(
                ("user_id" = "$request.path.user_id"), ("run_id" = "$response.header.X-Run-Id")))),
            ("cancel" = (operation_id = "cancel_run", parameters(
                ("user_id" = "$request.path.user_id"), ("run_id" = "$response.header.X-Run-Id")))),
            ("conversation" = (operation_id = "read_conversation", parameters(
                ("user_id" = "$request.path.user_id"),
                ("conversation_id" = "$response.header.X-Conversation-Id")))),
            ("messages" = (operation_id = "list_messages", parameters(
                ("user_id" = "$request.path.user_id"),
                ("conversation_id" = "$response.header.X-Conversation-Id")))),
        ),
    )),
)]
pub(super) async fn chat(
    State(app): State<App>,
    principal: Principal,
    query: Query,
    headers: HeaderMap,
    fields: Fields,
) -> Result<Response, Problem> {
    let key = idempotency_key(&headers)?;
    let body = ChatIn::parse(fields)?;
    let manner = manner(body.stream(), &headers, &query)?;
    let seat = app.seats.take()?;
    let started = app.runs.start(body.into_turn(principal.clone(), key)).await?;
    tell(&app, &principal, started, manner, seat).await
}

/// How a turn is told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    format: Format,
    is_simple: bool,
}

/// Reads how a turn is to be told: the body's word counts before the header's.
pub(super) fn manner(stream: Option<bool>, headers: &HeaderMap, query: &Query) -> Result<Manner, Problem> {
    let format = match stream {
        Some(true) => Format::Events,
        Some(false) => Format::Json,
        None => accept_header::format(headers),
    };
    Ok(Manner { format, is_simple: query.choice("format", &["text"])?.is_some() })
}

/// Tells a turn from its start.
pub(super) async fn tell(
    app: &App,
    principal: &Principal,
    started: Started,
    manner: Manner,
    seat: Seat,
) -> Result<Response, Problem> {
    let Followed::Stream(heard) = app.runs.follow(&principal.user, started.run, None).await? else {
        return Err(Problem::NotFound("run"));
    };
    let (heard, limit) = (seat.listens(heard), time_left(principal, app.clock.now()));
    let answer = match manner.format {
        Format::Json => json(app, principal, started, heard).await.unwrap_or_else(Problem::into_response),
        Format::Plain => sse::plain(sse::until(heard, limit)),
        Format::Events if manner.is_simple => sse::simple(sse::until(heard, limit), app.heartbeat),
        Format::Events => sse::native(sse::until(heard, limit), app.heartbeat),
    };
    Ok(with_headers(answer, principal, started))
}

/// Waits for the end and answers with the whole turn.
async fn json(
    app: &App,
    principal: &Principal,
    started: Started,
    heard: Pin<Box<dyn Stream<Item = Heard> + Send>>,
) -> Result<Response, Problem> {
    let (notices, retry_after_seconds) = what_is_not_stored(heard).await;
    let user = &principal.user;
    let Some(run) = app.store.find_run(user, started.run).await? else {
        return Err(Problem::NotFound("run"));
    };
    match run.status {
        RunStatus::Failed => {
            let failure = run.failure.unwrap_or(RunFailure::Internal);
            let (run, conversation) = (run.id, run.conversation_id);
            Err(Problem::RunFailed { failure, run, conversation, retry_after_seconds })
        }
        // The stream ended without an end: the service stops, or could not store it. The turn was accepted all the same.
        RunStatus::Running => Err(Problem::CutShort { run: run.id, conversation: run.conversation_id }),
        RunStatus::Completed | RunStatus::Cancelled | RunStatus::AwaitingApproval => {
            let items = app.store.items_of_run(user, run.id).await?;
            Ok(axum::Json(ChatOut::new(&run, items, notices)).into_response())
        }
    }
}

/// Hears a run to its end and keeps what no table holds: its notices, and when to come back after a failure.
async fn what_is_not_stored(
    mut heard: Pin<Box<dyn Stream<Item = Heard> + Send>>,
) -> (Vec<Notice>, Option<u64>) {
    let (mut notices, mut retry_after_seconds) = (Vec::new(), None);
    while let Some((_, event)) = heard.next().await {
        if let Event::Notice(notice) = event.as_ref() {
            notices.push(notice.clone());
        } else if let Event::Ended(end) = event.as_ref() {
            retry_after_seconds = end.retry_after_seconds();
        }
    }
    (notices, retry_after_seconds)
}

fn with_headers(mut answer: Response, principal: &Principal, started: Started) -> Response {
    let Started { run, conversation, is_replay } = started;
    let location = format!("{}/runs/{run}/events", path_of(&principal.user));
    sse::pass_through(&mut answer);
    let headers = answer.headers_mut();
    for (name, value) in
        [(RUN_ID, run.to_string()), (CONVERSATION_ID, conversation.to_string()), (header::LOCATION, location)]
    {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    if is_replay {
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
    }
    answer
}

/// Reads the client's word that two requests are one.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let is_good =
        |key: &&str| (1..=255).contains(&key.len()) && key.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    match value.to_str().ok().filter(is_good) {
        Some(key) => Ok(Some(key.to_owned())),
        None => Err(Problem::InvalidHeader {
            name: "Idempotency-Key",
            fault: "must be 1 to 255 printable ASCII characters",
        }),
    }
}
