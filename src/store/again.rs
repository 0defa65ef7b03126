//! Accepting another answer: one transaction that takes back what followed a message and starts a run that answers it
//! anew, or refuses both.

use chrono::{DateTime, Utc};
use parlor_db::Tx;
use sea_query::{Expr, ExprTrait, Order, Query};
use uuid::Uuid;

use super::{
    NewRun, Store, StoreError,
    accept::{AcceptError, Accepted, Refusal},
    begin, context,
    keys::{self, IdempotencyKey},
    schema::{Conversations, Items},
};
use crate::domain::{ConversationId, EventId, ItemId, Role, UserId};

/// A wish for another answer.
#[derive(Clone, Debug)]
pub struct Again {
    /// Who asks.
    pub user: UserId,
    /// The conversation.
    pub conversation: ConversationId,
    /// The message that is answered anew, or an item that follows it; none means the last message.
    pub after: Option<ItemId>,
    /// The run that answers it.
    pub run: NewRun,
    /// The client's key, if it sent one.
    pub key: Option<IdempotencyKey>,
}

impl Store {
    /// Accepts a wish for another answer. When this returns, the run is durable and what followed the message is gone.
    pub async fn accept_again(&self, again: Again) -> Result<Accepted, AcceptError> {
        let now = self.clock.now();
        self.db.write(move |tx| Box::pin(async move { accept(tx, &again, now).await })).await
    }
}

async fn accept(tx: &mut Tx<'_>, again: &Again, now: DateTime<Utc>) -> Result<Accepted, AcceptError> {
    if let Some(key) = &again.key {
        keys::claim(tx, &again.user, again.run.id, key, now).await?;
    }
    hold(tx, again, now).await?;
    let insertion = begin::insertion(&again.run, &again.user, again.conversation, now)?;
    if tx.execute(&insertion).await? != 1 {
        return Err(begin::busy(tx, again.conversation).await);
    }
    let Some((message, position)) = message(tx, again).await? else {
        return Err(Refusal::NoSuchMessage.into());
    };
    keys::hand_over(tx, again.conversation, position, again.run.id).await?;
    let answer = Query::delete()
        .from_table(Items::Table)
        .and_where(Expr::col(Items::ConversationId).eq(again.conversation.uuid()))
        .and_where(Expr::col(Items::Position).gt(position))
        .take();
    tx.execute(&answer).await?;
    context::begin_no_later_than(tx, again.conversation, position).await?;
    // The message belongs to the run that answers it.
    let moved = Query::update()
        .table(Items::Table)
        .value(Items::RunId, again.run.id.uuid())
        .value(Items::EventId, EventId::first_of(1).get())
        .and_where(Expr::col(Items::Id).eq(message))
        .take();
    tx.execute(&moved).await?;
    Ok(Accepted { conversation: again.conversation, user_message: message.into(), position })
}

/// Keeps all other writers of the conversation out until the commit, if it is the user's. It takes a place that stays
/// empty: who read the conversation before finds that it is not the same any more.
async fn hold(tx: &mut Tx<'_>, again: &Again, now: DateTime<Utc>) -> Result<(), AcceptError> {
    let update = Query::update()
        .table(Conversations::Table)
        .value(Conversations::LastPosition, Expr::col(Conversations::LastPosition).add(1))
        .value(Conversations::UpdatedAt, now)
        .and_where(Expr::col(Conversations::Id).eq(again.conversation.uuid()))
        .and_where(Expr::col(Conversations::UserId).eq(again.user.as_str()))
        .take();
    if tx.execute(&update).await? == 1 { Ok(()) } else { Err(Refusal::NoSuchConversation.into()) }
}

/// Finds the user's message that is meant: the last one up to the item that was named.
async fn message(tx: &mut Tx<'_>, again: &Again) -> Result<Option<(Uuid, i64)>, StoreError> {
    let mut select = Query::select();
    select
        .columns([Items::Id, Items::Position])
        .from(Items::Table)
        .and_where(Expr::col(Items::ConversationId).eq(again.conversation.uuid()))
        .and_where(Expr::col(Items::Kind).eq(Role::User.as_str()))
        .order_by(Items::Position, Order::Desc)
        .limit(1);
    if let Some(after) = again.after {
        let place = Query::select()
            .column(Items::Position)
            .from(Items::Table)
            .and_where(Expr::col(Items::ConversationId).eq(again.conversation.uuid()))
            .and_where(Expr::col(Items::Id).eq(after.uuid()))
            .take();
        select.and_where(Expr::col(Items::Position).lte(Expr::SubQuery(None, Box::new(place.into()))));
    }
    Ok(tx.find::<(Uuid, i64)>(&select).await?)
}
