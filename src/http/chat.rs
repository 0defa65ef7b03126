//! `POST /api/{user_id}/chat`: a turn. Accept it, then follow it in the format that the client wants.

use std::{collections::BTreeMap, pin::Pin};

use axum::{
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use chrono_tz::Tz;
use futures_util::{Stream, StreamExt};
use serde_json::Value;

use super::{
    App,
    accept_header::{self, Format},
    fields::Fields,
    params::path_of,
    principal::time_left,
    problem::Problem,
    query::Query,
    request_line::RUN_ID,
    sse,
};
use crate::{
    domain::{ConversationId, Event, Notice, Principal, RunFailure, RunStatus, ToolChoice},
    runs::{Followed, Heard, NewTurn, Started},
    wire::ChatOut,
};

/// The header that makes two requests one.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The header that says that an earlier request started the run.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// The header that names the conversation of an answer.
const CONVERSATION_ID: HeaderName = HeaderName::from_static("x-conversation-id");

/// The most characters of a message.
const LONGEST_MESSAGE: usize = 32_000;
/// The most entries of `metadata`, and the most characters of a name and of a value.
const METADATA_LIMITS: (usize, usize, usize) = (16, 64, 512);

/// The body of a turn, checked.
struct ChatIn {
    message: String,
    conversation: Option<ConversationId>,
    stream: Option<bool>,
    provider: Option<String>,
    model: Option<String>,
    tool_choice: ToolChoice,
    timezone: Option<Tz>,
    metadata: BTreeMap<String, String>,
}

/// Starts a turn, or finds the one that the same key started, and tells it.
pub(super) async fn chat(
    State(app): State<App>,
    principal: Principal,
    query: Query,
    headers: HeaderMap,
    fields: Fields,
) -> Result<Response, Problem> {
    let key = idempotency_key(&headers)?;
    let body = ChatIn::parse(fields)?;
    let format = body.format(&headers);
    let is_simple = query.choice("format", &["text"])?.is_some();
    let started = app.runs.start(body.into_turn(principal.clone(), key)).await?;
    let Followed::Stream(heard) = app.runs.follow(&principal.user, started.run, None).await? else {
        return Err(Problem::NotFound("run"));
    };
    let limit = time_left(&principal, app.clock.now());
    let answer = match format {
        Format::Json => json(&app, &principal, started, heard).await.unwrap_or_else(Problem::into_response),
        Format::Plain => sse::plain(sse::until(heard, limit)),
        Format::Events if is_simple => sse::simple(sse::until(heard, limit), app.heartbeat),
        Format::Events => sse::native(sse::until(heard, limit), app.heartbeat),
    };
    Ok(with_headers(answer, &principal, started))
}

/// Waits for the end and answers with the whole turn.
async fn json(
    app: &App,
    principal: &Principal,
    started: Started,
    heard: Pin<Box<dyn Stream<Item = Heard> + Send>>,
) -> Result<Response, Problem> {
    let notices: Vec<Notice> = heard.filter_map(|(_, event)| async move { notice(&event) }).collect().await;
    let user = &principal.user;
    let Some(run) = app.store.find_run(user, started.run).await? else {
        return Err(Problem::NotFound("run"));
    };
    match run.status {
        RunStatus::Failed => {
            let failure = run.failure.unwrap_or(RunFailure::Internal);
            Err(Problem::RunFailed { failure, run: run.id, conversation: run.conversation_id })
        }
        // The stream ended without an end: the service stops, or could not store it.
        RunStatus::Running => Err(Problem::ShuttingDown),
        RunStatus::Completed | RunStatus::Cancelled | RunStatus::AwaitingApproval => {
            let items = app.store.items_of_run(user, run.id).await?;
            Ok(axum::Json(ChatOut::new(&run, items, notices)).into_response())
        }
    }
}

fn notice(event: &Event) -> Option<Notice> {
    if let Event::Notice(notice) = event { Some(notice.clone()) } else { None }
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

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
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

impl ChatIn {
    fn parse(mut fields: Fields) -> Result<Self, Problem> {
        if !fields.has("message") {
            fields.fault("message", "is required");
        }
        let body = Self {
            message: fields.words("message", LONGEST_MESSAGE).unwrap_or_default(),
            conversation: fields.parsed("conversation_id", "a UUID, lower case with hyphens"),
            stream: fields.truth("stream"),
            provider: fields.text("provider"),
            model: fields.text("model"),
            tool_choice: match fields.choice("tool_choice", &["auto", "required", "none"]) {
                Some("required") => ToolChoice::Required,
                Some("none") => ToolChoice::None,
                Some(_) | None => ToolChoice::Auto,
            },
            timezone: fields.parsed("timezone", "an IANA time zone such as Europe/Paris"),
            metadata: metadata(&mut fields),
        };
        fields.finish()?;
        Ok(body)
    }

    fn format(&self, headers: &HeaderMap) -> Format {
        match self.stream {
            Some(true) => Format::Events,
            Some(false) => Format::Json,
            None => accept_header::format(headers),
        }
    }

    fn into_turn(self, principal: Principal, key: Option<String>) -> NewTurn {
        NewTurn {
            principal,
            conversation: self.conversation,
            message: self.message,
            provider: self.provider,
            model: self.model,
            timezone: self.timezone,
            metadata: self.metadata,
            tool_choice: self.tool_choice,
            key,
        }
    }
}

fn metadata(fields: &mut Fields) -> BTreeMap<String, String> {
    let (most, longest_name, longest_value) = METADATA_LIMITS;
    let entries = match fields.value("metadata") {
        None => return BTreeMap::new(),
        Some(Value::Object(entries)) => entries,
        Some(_) => {
            fields.fault("metadata", "must be an object of strings");
            return BTreeMap::new();
        }
    };
    if entries.len() > most {
        fields.fault("metadata", format!("must have at most {most} entries"));
    }
    let mut metadata = BTreeMap::new();
    for (name, value) in entries.into_iter().take(most) {
        let field = format!("metadata.{}", name.chars().take(longest_name).collect::<String>());
        match value {
            Value::String(value)
                if name.chars().count() <= longest_name
                    && value.chars().count() <= longest_value
                    && !name.contains('\0')
                    && !value.contains('\0') =>
            {
                metadata.insert(name, value);
            }
            Value::String(_) => fields.fault(
                &field,
                format!("must be at most {longest_name} characters, its value at most {longest_value}, without NUL"),
            ),
            _ => fields.fault(&field, "must be a string"),
        }
    }
    metadata
}
