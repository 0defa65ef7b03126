//! The ledger of tool calls: `intended`, `started`, `settled`. What a crash leaves open can be told from it.

use chrono::{DateTime, Utc};
use parlor_db::Tx;
use sea_query::{Expr, ExprTrait, Order, Query};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{StoreError, schema::ToolCalls, to_json};
use crate::domain::{CallId, CallStatus, EventId, ItemId, RunId, ToolCall, UserId};

/// Where a call stands in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallState {
    /// The model asked for it; nothing was done.
    Intended,
    /// It may have reached its server.
    Started,
    /// It has its answer.
    Settled,
}

impl CallState {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Intended => "intended",
            Self::Started => "started",
            Self::Settled => "settled",
        }
    }
}

/// A call that has no answer yet.
pub(super) struct OpenCall {
    pub(super) id: CallId,
    pub(super) message: ItemId,
    pub(super) server: String,
    pub(super) name: String,
    pub(super) was_started: bool,
}

#[derive(sqlx::FromRow)]
struct OpenCallRow {
    id: Uuid,
    item_id: Uuid,
    server: String,
    name: String,
    state: String,
}

/// Writes down that the model asked for these calls.
pub(super) async fn intend(
    tx: &mut Tx<'_>,
    user: &UserId,
    run: RunId,
    message: ItemId,
    calls: &[ToolCall],
) -> Result<(), StoreError> {
    for (ordinal, call) in (0_i32..).zip(calls) {
        let arguments = to_json("arguments", &call.arguments)?;
        let hash = hex(&Sha256::digest(arguments.as_bytes()));
        let insert = Query::insert()
            .into_table(ToolCalls::Table)
            .columns([
                ToolCalls::Id,
                ToolCalls::UserId,
                ToolCalls::RunId,
                ToolCalls::ItemId,
                ToolCalls::Ordinal,
                ToolCalls::Server,
                ToolCalls::Name,
                ToolCalls::Arguments,
                ToolCalls::ArgumentsHash,
                ToolCalls::State,
            ])
            .values_panic([
                call.id.uuid().into(),
                user.as_str().into(),
                run.uuid().into(),
                message.uuid().into(),
                ordinal.into(),
                call.server.as_str().into(),
                call.name.as_str().into(),
                arguments.into(),
                hash.into(),
                CallState::Intended.as_str().into(),
            ])
            .to_owned();
        tx.execute(&insert).await?;
    }
    Ok(())
}

/// Claims a call for this attempt. A call that was claimed or settled before is not claimed again.
pub(super) async fn start(
    tx: &mut Tx<'_>,
    call: CallId,
    event: EventId,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let update = Query::update()
        .table(ToolCalls::Table)
        .value(ToolCalls::State, CallState::Started.as_str())
        .value(ToolCalls::StartedEventId, event.get())
        .value(ToolCalls::StartedAt, now)
        .and_where(Expr::col(ToolCalls::Id).eq(call.uuid()))
        .and_where(Expr::col(ToolCalls::State).eq(CallState::Intended.as_str()))
        .to_owned();
    if tx.execute(&update).await? == 1 { Ok(()) } else { Err(StoreError::Fenced) }
}

/// Writes down that a call has its answer.
pub(super) async fn settle(
    tx: &mut Tx<'_>,
    call: CallId,
    status: CallStatus,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let update = Query::update()
        .table(ToolCalls::Table)
        .value(ToolCalls::State, CallState::Settled.as_str())
        .value(ToolCalls::Status, status.as_str())
        .value(ToolCalls::EndedAt, now)
        .and_where(Expr::col(ToolCalls::Id).eq(call.uuid()))
        .and_where(Expr::col(ToolCalls::State).ne(CallState::Settled.as_str()))
        .to_owned();
    if tx.execute(&update).await? == 1 { Ok(()) } else { Err(StoreError::Fenced) }
}

/// Lists the calls of a run that have no answer, in the order in which they were to run.
pub(super) async fn open_calls(tx: &mut Tx<'_>, run: RunId) -> Result<Vec<OpenCall>, StoreError> {
    let select = Query::select()
        .columns([ToolCalls::Id, ToolCalls::ItemId, ToolCalls::Server, ToolCalls::Name, ToolCalls::State])
        .from(ToolCalls::Table)
        .and_where(Expr::col(ToolCalls::RunId).eq(run.uuid()))
        .and_where(Expr::col(ToolCalls::State).ne(CallState::Settled.as_str()))
        .order_by(ToolCalls::Id, Order::Asc)
        .to_owned();
    let rows: Vec<OpenCallRow> = tx.all(&select).await?;
    let open = rows.into_iter().map(|row| OpenCall {
        id: row.id.into(),
        message: row.item_id.into(),
        server: row.server,
        name: row.name,
        was_started: row.state == CallState::Started.as_str(),
    });
    Ok(open.collect())
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}
