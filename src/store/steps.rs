//! The steps of a run, each one transaction, each fenced: it is written only while the run is still this attempt's.
//!
//! Every transaction locks the conversation before the run, as accepting a turn does; otherwise Postgres would find
//! the two waiting for each other.

use chrono::{DateTime, Utc};
use parlor_db::Tx;
use sea_query::{Expr, ExprTrait, Query};

use super::{
    Partial, Store, StoreError, calls,
    items::{self, NewItem},
    schema::Runs,
    to_json,
};
use crate::domain::{
    CallId, ConversationId, EventId, Item, ItemId, Reply, RunId, RunStatus, ToolResult, Usage, UserId,
};

/// The right of one attempt to write to its run.
#[derive(Clone, Debug)]
pub struct Hold {
    /// The run.
    pub run: RunId,
    /// Its user.
    pub user: UserId,
    /// Its conversation.
    pub conversation: ConversationId,
    /// The attempt.
    pub attempt: i32,
}

impl Store {
    /// Stores a reply that asks for calls, and the calls with it.
    pub async fn record_reply(
        &self,
        hold: &Hold,
        event: EventId,
        message: ItemId,
        reply: Reply,
        usage: Usage,
    ) -> Result<(), StoreError> {
        let (hold, now) = (hold.clone(), self.clock.now());
        self.db
            .write(move |tx| {
                Box::pin(async move {
                    let calls = reply.calls.clone();
                    append(tx, &hold, event, message, &Item::Assistant(reply), now).await?;
                    calls::intend(tx, &hold.user, hold.run, message, &calls).await?;
                    fence(tx, &hold, event, Some(usage)).await
                })
            })
            .await
    }

    /// Claims a call in the ledger: from here on it may have an effect.
    pub async fn start_call(&self, hold: &Hold, event: EventId, call: CallId) -> Result<(), StoreError> {
        let (hold, now) = (hold.clone(), self.clock.now());
        self.db
            .write(move |tx| {
                Box::pin(async move {
                    fence(tx, &hold, event, None).await?;
                    calls::start(tx, call, event, now).await
                })
            })
            .await
    }

    /// Stores the answer to a call and settles it in the ledger.
    pub async fn settle_call(
        &self,
        hold: &Hold,
        event: EventId,
        result: ToolResult,
    ) -> Result<(), StoreError> {
        let (hold, now) = (hold.clone(), self.clock.now());
        self.db
            .write(move |tx| {
                Box::pin(async move {
                    let (call, status) = (result.call_id, result.status);
                    append(tx, &hold, event, ItemId::new(), &Item::Tool(result), now).await?;
                    calls::settle(tx, call, status, now).await?;
                    fence(tx, &hold, event, None).await
                })
            })
            .await
    }

    /// Saves the text of the message being written, for the case that this process dies.
    pub async fn checkpoint(
        &self,
        hold: &Hold,
        partial: Partial,
        first_delta_at: Option<DateTime<Utc>>,
    ) -> Result<(), StoreError> {
        let hold = hold.clone();
        self.db
            .write(move |tx| {
                Box::pin(async move {
                    let update = Query::update()
                        .table(Runs::Table)
                        .value(Runs::PartialMessageId, partial.message.uuid())
                        .value(Runs::PartialText, partial.text)
                        .value(Runs::FirstDeltaAt, first_delta_at)
                        .and_where(Expr::col(Runs::Id).eq(hold.run.uuid()))
                        .and_where(Expr::col(Runs::Status).eq(RunStatus::Running.as_str()))
                        .and_where(Expr::col(Runs::Attempt).eq(hold.attempt))
                        .to_owned();
                    if tx.execute(&update).await? == 1 { Ok(()) } else { Err(StoreError::Fenced) }
                })
            })
            .await
    }
}

/// Goes on only if the run is still running in this attempt; on Postgres it also keeps others out until the commit.
/// A stored step stands over the saved partial text, so that is cleared.
async fn fence(tx: &mut Tx<'_>, hold: &Hold, event: EventId, usage: Option<Usage>) -> Result<(), StoreError> {
    let mut update = Query::update();
    update
        .table(Runs::Table)
        .value(Runs::LastEventId, event.get())
        .value(Runs::PartialMessageId, Option::<uuid::Uuid>::None)
        .value(Runs::PartialText, Option::<String>::None)
        .and_where(Expr::col(Runs::Id).eq(hold.run.uuid()))
        .and_where(Expr::col(Runs::Status).eq(RunStatus::Running.as_str()))
        .and_where(Expr::col(Runs::Attempt).eq(hold.attempt));
    if let Some(usage) = usage {
        update.value(Runs::Usage, to_json("usage", &usage)?);
    }
    if tx.execute(&update).await? == 1 { Ok(()) } else { Err(StoreError::Fenced) }
}

async fn append(
    tx: &mut Tx<'_>,
    hold: &Hold,
    event: EventId,
    id: ItemId,
    item: &Item,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let new =
        NewItem { user: &hold.user, conversation: hold.conversation, run: hold.run, id, event, item, now };
    items::append(tx, new).await
}
