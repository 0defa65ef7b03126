//! Runs as they are stored: found by their owner, and found again after a crash.

use chrono::{DateTime, Utc};
use parlor_db::Tx;
use sea_query::{Expr, ExprTrait, Order, Query, SelectStatement};
use uuid::Uuid;

use super::{Store, StoreError, from_json, schema::Runs};
use crate::domain::{ConversationId, ItemId, Run, RunFailure, RunId, RunStatus, Usage, UserId};

/// A run that its process left behind.
#[derive(Clone, Debug)]
pub struct OpenRun {
    /// The run.
    pub id: RunId,
    /// Its user.
    pub user: UserId,
    /// Its conversation.
    pub conversation: ConversationId,
    /// The attempt that was under way.
    pub attempt: i32,
    /// The text that was being written, as far as it was saved.
    pub partial: Option<Partial>,
    /// What it had cost, as far as it was saved.
    pub usage: Usage,
}

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

#[derive(sqlx::FromRow)]
struct OpenRunRow {
    id: Uuid,
    user_id: String,
    conversation_id: Uuid,
    attempt: i32,
    partial_message_id: Option<Uuid>,
    partial_text: Option<String>,
    usage: String,
}

impl Store {
    /// Finds a run of the user.
    pub async fn find_run(&self, user: &UserId, id: RunId) -> Result<Option<Run>, StoreError> {
        let select = runs()
            .and_where(Expr::col(Runs::Id).eq(id.uuid()))
            .and_where(Expr::col(Runs::UserId).eq(user.as_str()))
            .to_owned();
        self.db.find::<RunRow>(&select).await?.map(Run::try_from).transpose()
    }

    /// Lists the ids of running runs of a process behind `after`, at most `limit`.
    pub async fn running_ids(
        &self,
        owner: &str,
        after: Option<RunId>,
        limit: u64,
    ) -> Result<Vec<RunId>, StoreError> {
        let mut select = Query::select();
        select
            .column(Runs::Id)
            .from(Runs::Table)
            .and_where(Expr::col(Runs::Status).eq(RunStatus::Running.as_str()))
            .and_where(Expr::col(Runs::Owner).eq(owner))
            .order_by(Runs::Id, Order::Asc)
            .limit(limit);
        if let Some(after) = after {
            select.and_where(Expr::col(Runs::Id).gt(after.uuid()));
        }
        Ok(self.db.all::<(Uuid,)>(&select).await?.into_iter().map(|(id,)| id.into()).collect())
    }

    /// Lists running runs behind `after`, at most `limit`, whoever's they are: for ending those that nobody runs.
    pub async fn open_runs(&self, after: Option<RunId>, limit: u64) -> Result<Vec<OpenRun>, StoreError> {
        let mut select = open_runs();
        select.order_by(Runs::Id, Order::Asc).limit(limit);
        if let Some(after) = after {
            select.and_where(Expr::col(Runs::Id).gt(after.uuid()));
        }
        self.db.all::<OpenRunRow>(&select).await?.into_iter().map(OpenRun::try_from).collect()
    }

    /// Finds a run if it is still running, whoever's it is: for ending one that nobody runs.
    pub async fn find_open_run(&self, id: RunId) -> Result<Option<OpenRun>, StoreError> {
        let select = open_runs().and_where(Expr::col(Runs::Id).eq(id.uuid())).to_owned();
        self.db.find::<OpenRunRow>(&select).await?.map(OpenRun::try_from).transpose()
    }
}

fn open_runs() -> SelectStatement {
    Query::select()
        .columns([
            Runs::Id,
            Runs::UserId,
            Runs::ConversationId,
            Runs::Attempt,
            Runs::PartialMessageId,
            Runs::PartialText,
            Runs::Usage,
        ])
        .from(Runs::Table)
        .and_where(Expr::col(Runs::Status).eq(RunStatus::Running.as_str()))
        .to_owned()
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
        .to_owned();
    Ok(tx.find::<(Uuid,)>(&select).await?.map(|(id,)| id.into()))
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
        .to_owned()
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

impl TryFrom<OpenRunRow> for OpenRun {
    type Error = StoreError;

    fn try_from(row: OpenRunRow) -> Result<Self, StoreError> {
        let partial = row.partial_message_id.zip(row.partial_text);
        Ok(Self {
            id: row.id.into(),
            user: UserId::parse(&row.user_id).map_err(|_| StoreError::corrupt("user id"))?,
            conversation: row.conversation_id.into(),
            attempt: row.attempt,
            partial: partial.map(|(message, text)| Partial { message: message.into(), text }),
            usage: from_json("usage", &row.usage)?,
        })
    }
}
