//! Runs that nobody runs: left by a process that died or stopped, or by a task that is gone. Found, and taken over.

use chrono::{DateTime, Utc};
use parlor_db::Tx;
use sea_query::{Expr, ExprTrait, Order, Query, SelectStatement};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Hold, Partial, Store, StoreError, calls, from_json, items, schema::Runs, to_json};
use crate::domain::{
    CallId, ConversationId, EventId, ItemId, ModelIdentity, RunId, RunStatus, ToolChoice, Usage, UserId,
};

/// A run that is stored as running.
#[derive(Clone, Debug)]
pub struct OpenRun {
    /// The run.
    pub id: RunId,
    /// Its user.
    pub user: UserId,
    /// Its conversation.
    pub conversation: ConversationId,
    /// The model that it was accepted for.
    pub model: ModelIdentity,
    /// Whether its first reply may, must or must not call a tool.
    pub tool_choice: ToolChoice,
    /// The attempt that was under way.
    pub attempt: i32,
    /// The newest event that is stored.
    pub last_event: EventId,
    /// The message that was being written or would have been next, if that is known.
    pub message: Option<ItemId>,
    /// Its text, as far as it was saved.
    pub text: Option<String>,
    /// Whether the user wants no more of it.
    pub is_cancelled: bool,
    /// What it had cost, as far as it was saved.
    pub usage: Usage,
    /// When it was accepted.
    pub created_at: DateTime<Utc>,
    discarded: Vec<Discarded>,
}

impl OpenRun {
    /// Returns the text of the message that was being written, if any was saved.
    pub fn partial(&self) -> Option<Partial> {
        let (message, text) = (self.message?, self.text.clone()?);
        Some(Partial { message, text })
    }
}

/// A message that was withdrawn, and the event that tells so.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Discarded {
    pub(super) event: EventId,
    pub(super) message: ItemId,
}

/// A run that was taken over.
#[derive(Clone, Debug)]
pub struct TakenOver {
    /// The right to write to it from now on.
    pub hold: Hold,
    /// The newest event that is stored.
    pub last_event: EventId,
    /// The message that is written next.
    pub message: ItemId,
    /// The message that asked for the calls that are still open; none if there are none.
    pub asked_by: Option<ItemId>,
    /// The calls that were made, or begun, and have no answer.
    pub in_doubt: Vec<CallId>,
}

#[derive(sqlx::FromRow)]
struct OpenRunRow {
    id: Uuid,
    user_id: String,
    conversation_id: Uuid,
    provider: String,
    model: String,
    tool_choice: Option<String>,
    attempt: i32,
    last_event_id: i64,
    partial_message_id: Option<Uuid>,
    partial_text: Option<String>,
    discarded: Option<String>,
    cancel_requested_at: Option<DateTime<Utc>>,
    usage: String,
    created_at: DateTime<Utc>,
}

impl Store {
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

    /// Lists running runs behind `after`, at most `limit`, whoever's they are: for those that nobody runs.
    pub async fn open_runs(&self, after: Option<RunId>, limit: u64) -> Result<Vec<OpenRun>, StoreError> {
        let mut select = open_runs();
        select.order_by(Runs::Id, Order::Asc).limit(limit);
        if let Some(after) = after {
            select.and_where(Expr::col(Runs::Id).gt(after.uuid()));
        }
        self.db.all::<OpenRunRow>(&select).await?.into_iter().map(OpenRun::try_from).collect()
    }

    /// Finds a run if it is still running, whoever's it is: for one that nobody runs.
    pub async fn find_open_run(&self, id: RunId) -> Result<Option<OpenRun>, StoreError> {
        let select = open_runs().and_where(Expr::col(Runs::Id).eq(id.uuid())).take();
        self.db.find::<OpenRunRow>(&select).await?.map(OpenRun::try_from).transpose()
    }

    /// Takes a run over in the name of its next attempt. If the dead attempt may have been writing a message, that message
    /// is withdrawn, under the attempt's first event.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] if the run is final or somebody else took it over: nothing was changed.
    pub async fn take_over(&self, run: OpenRun, owner: String) -> Result<TakenOver, StoreError> {
        let now = self.clock.now();
        self.db
            .write(move |tx| {
                Box::pin(async move {
                    items::take_places(tx, run.conversation, 0, now).await?;
                    take_over(tx, &run, &owner).await
                })
            })
            .await
    }

    /// Writes down that the user wants no more of a run, so that it is not taken up again.
    pub async fn request_cancel(&self, user: &UserId, run: RunId) -> Result<(), StoreError> {
        let (user, now) = (user.clone(), self.clock.now());
        self.db
            .write(move |tx| {
                Box::pin(async move {
                    let update = Query::update()
                        .table(Runs::Table)
                        .value(Runs::CancelRequestedAt, now)
                        .and_where(Expr::col(Runs::Id).eq(run.uuid()))
                        .and_where(Expr::col(Runs::UserId).eq(user.as_str()))
                        .and_where(Expr::col(Runs::Status).eq(RunStatus::Running.as_str()))
                        .take();
                    tx.execute(&update).await?;
                    Ok(())
                })
            })
            .await
    }

    /// Lists the messages of a run that were withdrawn.
    pub(super) async fn discarded(&self, user: &UserId, run: RunId) -> Result<Vec<Discarded>, StoreError> {
        let select = Query::select()
            .column(Runs::Discarded)
            .from(Runs::Table)
            .and_where(Expr::col(Runs::Id).eq(run.uuid()))
            .and_where(Expr::col(Runs::UserId).eq(user.as_str()))
            .take();
        let found = self.db.find::<(Option<String>,)>(&select).await?;
        read_discarded(found.and_then(|(text,)| text).as_deref())
    }
}

async fn take_over(tx: &mut Tx<'_>, run: &OpenRun, owner: &str) -> Result<TakenOver, StoreError> {
    let open = calls::open_calls(tx, run.id).await?;
    let attempt = run.attempt.saturating_add(1);
    let (mut last_event, mut discarded) = (run.last_event, run.discarded.clone());
    // While a call is open the model was not asked again.
    if let (Some(message), true) = (run.message, open.is_empty()) {
        last_event = EventId::first_of(attempt);
        discarded.push(Discarded { event: last_event, message });
    }
    let message = match run.message {
        Some(message) if !open.is_empty() => message,
        Some(_) | None => ItemId::new(),
    };
    let update = Query::update()
        .table(Runs::Table)
        .value(Runs::Owner, owner)
        .value(Runs::Attempt, attempt)
        .value(Runs::LastEventId, last_event.get())
        .value(Runs::PartialMessageId, message.uuid())
        .value(Runs::PartialText, Option::<String>::None)
        .value(Runs::Discarded, to_json("discarded messages", &discarded)?)
        .and_where(Expr::col(Runs::Id).eq(run.id.uuid()))
        .and_where(Expr::col(Runs::Status).eq(RunStatus::Running.as_str()))
        .and_where(Expr::col(Runs::Attempt).eq(run.attempt))
        .take();
    if tx.execute(&update).await? != 1 {
        return Err(StoreError::Fenced);
    }
    let hold = Hold { run: run.id, user: run.user.clone(), conversation: run.conversation, attempt };
    let in_doubt = open.iter().filter(|call| call.was_started).map(|call| call.id).collect();
    Ok(TakenOver { hold, last_event, message, asked_by: open.first().map(|call| call.message), in_doubt })
}

fn open_runs() -> SelectStatement {
    Query::select()
        .columns([
            Runs::Id,
            Runs::UserId,
            Runs::ConversationId,
            Runs::Provider,
            Runs::Model,
            Runs::ToolChoice,
            Runs::Attempt,
            Runs::LastEventId,
            Runs::PartialMessageId,
            Runs::PartialText,
            Runs::Discarded,
            Runs::CancelRequestedAt,
            Runs::Usage,
            Runs::CreatedAt,
        ])
        .from(Runs::Table)
        .and_where(Expr::col(Runs::Status).eq(RunStatus::Running.as_str()))
        .take()
}

fn read_discarded(text: Option<&str>) -> Result<Vec<Discarded>, StoreError> {
    text.map_or(Ok(Vec::new()), |text| from_json("discarded messages", text))
}

impl TryFrom<OpenRunRow> for OpenRun {
    type Error = StoreError;

    fn try_from(row: OpenRunRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id.into(),
            user: UserId::parse(&row.user_id).map_err(|_| StoreError::corrupt("user id"))?,
            conversation: row.conversation_id.into(),
            model: ModelIdentity { provider: row.provider, model: row.model },
            tool_choice: row.tool_choice.as_deref().and_then(ToolChoice::find).unwrap_or_default(),
            attempt: row.attempt,
            last_event: row.last_event_id.into(),
            message: row.partial_message_id.map(ItemId::from),
            text: row.partial_text,
            discarded: read_discarded(row.discarded.as_deref())?,
            is_cancelled: row.cancel_requested_at.is_some(),
            usage: from_json("usage", &row.usage)?,
            created_at: row.created_at,
        })
    }
}
