//! The ledger of tool calls: `intended`, `started`, `settled`. What a crash leaves open can be told from it.

use chrono::{DateTime, Utc};
use parlor_db::Tx;
use sea_query::{Expr, ExprTrait, InsertStatement, Order, Query, SelectStatement, UpdateStatement};
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

/// Writes down that the model asked for a call, the one at this place in its reply.
pub(super) fn intention(
    user: &UserId,
    run: RunId,
    message: ItemId,
    ordinal: i32,
    call: &ToolCall,
) -> Result<InsertStatement, StoreError> {
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
        .take();
    Ok(insert)
}

/// Claims a call for this attempt. A call that was claimed or settled before is not touched.
pub(super) fn claim(call: CallId, event: EventId, now: DateTime<Utc>) -> UpdateStatement {
    Query::update()
        .table(ToolCalls::Table)
        .value(ToolCalls::State, CallState::Started.as_str())
        .value(ToolCalls::StartedEventId, event.get())
        .value(ToolCalls::StartedAt, now)
        .and_where(Expr::col(ToolCalls::Id).eq(call.uuid()))
        .and_where(Expr::col(ToolCalls::State).eq(CallState::Intended.as_str()))
        .take()
}

/// Writes down that a call has its answer. A call that has one already is not touched.
pub(super) fn settlement(call: CallId, status: CallStatus, now: DateTime<Utc>) -> UpdateStatement {
    Query::update()
        .table(ToolCalls::Table)
        .value(ToolCalls::State, CallState::Settled.as_str())
        .value(ToolCalls::Status, status.as_str())
        .value(ToolCalls::EndedAt, now)
        .and_where(Expr::col(ToolCalls::Id).eq(call.uuid()))
        .and_where(Expr::col(ToolCalls::State).ne(CallState::Settled.as_str()))
        .take()
}

/// Selects the calls of a run that have no answer.
pub(super) fn open_ones(run: RunId) -> SelectStatement {
    Query::select()
        .column(ToolCalls::Id)
        .from(ToolCalls::Table)
        .and_where(Expr::col(ToolCalls::RunId).eq(run.uuid()))
        .and_where(Expr::col(ToolCalls::State).ne(CallState::Settled.as_str()))
        .take()
}

/// Lists the calls of a run that have no answer, in the order in which they were to run.
pub(super) async fn open_calls(tx: &mut Tx<'_>, run: RunId) -> Result<Vec<OpenCall>, StoreError> {
    let select = open_ones(run)
        .columns([ToolCalls::ItemId, ToolCalls::Server, ToolCalls::Name, ToolCalls::State])
        .order_by(ToolCalls::Id, Order::Asc)
        .take();
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
