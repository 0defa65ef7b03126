//! The steps of a run, each one transaction, each fenced: it is written only while the run is still this attempt's.
//!
//! Every step locks the conversation first, as accepting a turn does before it touches a run. So no two of them are ever
//! under way at once in a conversation, and Postgres never finds two waiting for each other. Only the saved text of a
//! message needs no lock: it touches one row.

use chrono::{DateTime, Utc};
use sea_query::{Expr, ExprTrait, InsertStatement, Query, UpdateStatement};

use super::{
    Partial, Store, StoreError, calls,
    items::{self, NewItem},
    runs,
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
    /// Stores a reply that asks for calls, the calls with it, and the id of the message that will be written after them.
    pub async fn record_reply(
        &self,
        hold: &Hold,
        event: EventId,
        message: ItemId,
        reply: Reply,
        usage: Usage,
        next_message: ItemId,
    ) -> Result<(), StoreError> {
        let (hold, now) = (hold.clone(), self.clock.now());
        self.db
            .write(move |tx| {
                Box::pin(async move {
                    let mut step = tx.sequence().one(&items::locking(hold.conversation, 1, now));
                    step = step.one(&fence(&hold, event, Some((usage, next_message)))?);
                    for (ordinal, call) in (0_i32..).zip(&reply.calls) {
                        step = step.then(&calls::intention(&hold.user, hold.run, message, ordinal, call)?);
                    }
                    let item = Item::Assistant(reply);
                    step.then(&hold.insertion(event, message, &item, now)?).last().await?;
                    Ok(())
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
                    let step = tx.sequence().one(&items::locking(hold.conversation, 0, now));
                    let step = step.one(&fence(&hold, event, None)?).one(&calls::claim(call, event, now));
                    step.last().await?;
                    Ok(())
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
                    let settlement = calls::settlement(result.call_id, result.status, now);
                    let step = tx.sequence().one(&items::locking(hold.conversation, 1, now));
                    let step = step.one(&fence(&hold, event, None)?).one(&settlement);
                    let item = Item::Tool(result);
                    step.then(&hold.insertion(event, ItemId::new(), &item, now)?).last().await?;
                    Ok(())
                })
            })
            .await
    }

    /// Saves the text of the message being written, for the case that this process dies. It counts only while
    /// `last_stored` is still the newest stored event: a save that is late must not undo a step.
    pub async fn checkpoint(
        &self,
        hold: &Hold,
        last_stored: EventId,
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
                        .value(Runs::FirstDeltaAt, runs::first_delta(first_delta_at))
                        .and_where(Expr::col(Runs::Id).eq(hold.run.uuid()))
                        .and_where(Expr::col(Runs::Status).eq(RunStatus::Running.as_str()))
                        .and_where(Expr::col(Runs::Attempt).eq(hold.attempt))
                        .and_where(Expr::col(Runs::LastEventId).eq(last_stored.get()))
                        .take();
                    tx.sequence().then(&update).last().await?;
                    Ok(())
                })
            })
            .await
    }
}

/// Notes a step of the run, if it is still running in this attempt; else no row is touched. A stored step stands over the
/// saved partial text, so that is cleared.
fn fence(
    hold: &Hold,
    event: EventId,
    replied: Option<(Usage, ItemId)>,
) -> Result<UpdateStatement, StoreError> {
    let mut update = Query::update();
    update
        .table(Runs::Table)
        .value(Runs::LastEventId, event.get())
        .value(Runs::PartialText, Option::<String>::None)
        .and_where(Expr::col(Runs::Id).eq(hold.run.uuid()))
        .and_where(Expr::col(Runs::Status).eq(RunStatus::Running.as_str()))
        .and_where(Expr::col(Runs::Attempt).eq(hold.attempt));
    if let Some((usage, next_message)) = replied {
        update
            .value(Runs::Usage, to_json("usage", &usage)?)
            .value(Runs::PartialMessageId, next_message.uuid());
    }
    Ok(update)
}

impl Hold {
    fn insertion(
        &self,
        event: EventId,
        id: ItemId,
        item: &Item,
        now: DateTime<Utc>,
    ) -> Result<InsertStatement, StoreError> {
        let (user, conversation, run) = (&self.user, self.conversation, self.run);
        let new = NewItem { user, conversation, run, id, event, item, now };
        items::insertion(&new, items::last_place(conversation))
    }
}
