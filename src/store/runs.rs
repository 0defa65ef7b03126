//! Runs as they are stored, found by their user.

use chrono::{DateTime, Utc};
use parlor_db::Tx;
use sea_query::{Expr, ExprTrait, Func, FunctionCall, Query, SelectStatement};
use uuid::Uuid;

use super::{Store, StoreError, from_json, schema::Runs};
use crate::domain::{ConversationId, ItemId, Run, RunFailure, RunId, RunStatus, UserId};

/// The text of a message that is being written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partial {
    /// The message.
    pub message: ItemId,
    /// Its text so far.
    pub text: String,
}

#[derive(sqlx::FromRow)]
struct RunRow {
    id: Uuid,
    conversation_id: Uuid,
    status: String,
    resumes: Option<Uuid>,
    provider: String,
    model: String,
    attempt: i32,
    last_event_id: i64,
    usage: String,
    error_code: Option<String>,
    created_at: DateTime<Utc>,
    first_delta_at: Option<DateTime<Utc>>,
    ended_at: Option<DateTime<Utc>>,
}

impl Store {
    /// Finds a run of the user.
    pub async fn find_run(&self, user: &UserId, id: RunId) -> Result<Option<Run>, StoreError> {
        let select = runs()
            .and_where(Expr::col(Runs::Id).eq(id.uuid()))
            .and_where(Expr::col(Runs::UserId).eq(user.as_str()))
            .take();
        self.db.find::<RunRow>(&select).await?.map(Run::try_from).transpose()
    }
}

/// Finds the running run of a conversation.
pub(super) async fn find_running(
    tx: &mut Tx<'_>,
    conversation: ConversationId,
) -> Result<Option<RunId>, StoreError> {
    let select = Query::select()
        .column(Runs::Id)
        .from(Runs::Table)
        .and_where(Expr::col(Runs::ConversationId).eq(conversation.uuid()))
        .and_where(Expr::col(Runs::Status).eq(RunStatus::Running.as_str()))
        .take();
    Ok(tx.find::<(Uuid,)>(&select).await?.map(|(id,)| id.into()))
}

/// Says when the first text of a run came: what is stored stands, an earlier attempt may have been first.
pub(super) fn first_delta(at: Option<DateTime<Utc>>) -> FunctionCall {
    Func::coalesce([Expr::col(Runs::FirstDeltaAt), Expr::value(at)])
}

fn runs() -> SelectStatement {
    Query::select()
        .columns([
            Runs::Id,
            Runs::ConversationId,
            Runs::Status,
            Runs::Resumes,
            Runs::Provider,
            Runs::Model,
            Runs::Attempt,
            Runs::LastEventId,
            Runs::Usage,
            Runs::ErrorCode,
            Runs::CreatedAt,
            Runs::FirstDeltaAt,
            Runs::EndedAt,
        ])
        .from(Runs::Table)
        .take()
}

impl TryFrom<RunRow> for Run {
    type Error = StoreError;

    fn try_from(row: RunRow) -> Result<Self, StoreError> {
        let failure =
            row.error_code.as_deref().map(|code| RunFailure::find(code).unwrap_or(RunFailure::Internal));
        Ok(Self {
            id: row.id.into(),
            conversation_id: row.conversation_id.into(),
            status: RunStatus::find(&row.status).ok_or(StoreError::corrupt("run status"))?,
            resumes: row.resumes.map(RunId::from),
            provider: row.provider,
            model: row.model,
            attempt: row.attempt,
            last_event_id: row.last_event_id.into(),
            usage: from_json("usage", &row.usage)?,
            failure,
            created_at: row.created_at,
            first_delta_at: row.first_delta_at,
            ended_at: row.ended_at,
        })
    }
}
