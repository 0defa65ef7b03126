//! `POST /api/{user_id}/conversations/{conversation_id}/retry`: the last message is answered anew, in the format that
//! the client wants.

use std::collections::BTreeMap;

use axum::{extract::State, http::HeaderMap, response::Response};
use tokio_util::sync::CancellationToken;

use super::{App, chat, fields::Fields, params::Params, problem::Problem, query::Query};
use crate::{
    domain::{Principal, ToolChoice},
    runs::{NewTurn, Prompt},
};

/// Takes the last answer back and starts another one.
pub(super) async fn retry(
    State(app): State<App>,
    principal: Principal,
    params: Params,
    query: Query,
    headers: HeaderMap,
    mut fields: Fields,
) -> Result<Response, Problem> {
    let (stream, provider, model) = (fields.truth("stream"), fields.text("provider"), fields.text("model"));
    fields.finish()?;
    let manner = chat::manner(stream, &headers, &query)?;
    let turn = NewTurn {
        principal: principal.clone(),
        prompt: Prompt::Again(params.id("conversation_id")?, None),
        provider,
        model,
        timezone: None,
        metadata: BTreeMap::new(),
        tool_choice: ToolChoice::Auto,
        key: None,
        cancel: CancellationToken::new(),
    };
    let started = app.runs.start(turn).await?;
    chat::tell(&app, &principal, started, manner).await
}
