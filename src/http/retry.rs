//! `POST /api/{user_id}/conversations/{conversation_id}/retry`: the last message is answered anew, in the format that
//! the client wants.

use std::collections::BTreeMap;

use axum::{extract::State, http::HeaderMap, response::Response};
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use super::{App, chat, fields::Fields, params::Params, problem::Problem, query::Query};
use crate::{
    domain::{Principal, ToolChoice},
    runs::{NewTurn, Prompt},
    wire::ChatOut,
};

/// Another answer that a client asks for.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Retry)]
pub(super) struct RetryIn {
    /// `true`: events. `false`: one JSON object at the end. It stands over `Accept`.
    stream: Option<bool>,
    /// A provider that is on the list of allowed ones.
    #[schema(pattern = r"^[^\u0000]*$")]
    provider: Option<String>,
    /// A model that is on the list of allowed ones.
    #[schema(pattern = r"^[^\u0000]*$")]
    model: Option<String>,
}

/// Takes the last answer back and starts another one.
///
/// What followed the user's last message is deleted, and a new run answers the message. What its tools have changed
/// stays changed. It is told as a turn is. The key of a request whose answer is taken back is from then on one of the
/// new run's.
#[utoipa::path(
    post,
    path = "/api/{user_id}/conversations/{conversation_id}/retry",
    operation_id = "retry",
    tag = "chat",
    params(
        ("format" = Option<String>, Query, pattern = "^text$",
            description = "`text`: of the events only the text, for older clients. Cannot be resumed."),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[ -~]+$",
            description = "A request with the same key joins or replays the run that the first one started; 24 hours."),
    ),
    request_body(content = RetryIn, examples(
        ("as it was" = (value = json!({}))),
        ("one object at the end" = (value = json!({"stream": false}))),
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
    )),
)]
pub(super) async fn retry(
    State(app): State<App>,
    principal: Principal,
    params: Params,
    query: Query,
    headers: HeaderMap,
    fields: Fields,
) -> Result<Response, Problem> {
    let key = chat::idempotency_key(&headers)?;
    let RetryIn { stream, provider, model } = RetryIn::parse(fields)?;
    let manner = chat::manner(stream, &headers, &query)?;
    let turn = NewTurn {
        principal: principal.clone(),
        prompt: Prompt::Again(params.id("conversation_id")?, None),
        provider,
        model,
        timezone: None,
        metadata: BTreeMap::new(),
        tool_choice: ToolChoice::Auto,
        key,
        cancel: CancellationToken::new(),
    };
    let seat = app.seats.take()?;
    let started = app.runs.start(turn).await?;
    chat::tell(&app, &principal, started, manner, seat).await
}

impl RetryIn {
    fn parse(mut fields: Fields) -> Result<Self, Problem> {
        let body = Self {
            stream: fields.truth("stream"),
            provider: fields.text("provider"),
            model: fields.text("model"),
        };
        fields.finish()?;
        Ok(body)
    }
}
