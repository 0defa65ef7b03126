//! Accepting a turn: one transaction that makes the message durable and starts its run, or refuses both.

use chrono::{DateTime, Utc};
use parlor_db::{DbError, SequenceError, Tx};
use sea_query::{Expr, ExprTrait, Func, InsertStatement, Query, UpdateStatement};

use super::{
    NewRun, Store, StoreError, begin, conversations,
    items::{self, NewItem},
    keys::{self, IdempotencyKey},
    schema::{Conversations, Items},
};
use crate::domain::{ConversationId, EventId, Item, ItemId, RunId, Title, UserId, UserMessage};

/// A turn that asks to be accepted.
#[derive(Clone, Debug)]
pub struct Accept {
    /// Who asks.
    pub user: UserId,
    /// The conversation that goes on or begins.
    pub conversation: Place,
    /// What the user said.
    pub message: UserMessage,
    /// The id of that message, made by the caller.
    pub message_id: ItemId,
    /// The run that answers it.
    pub run: NewRun,
    /// The client's key, if it sent one.
    pub key: Option<IdempotencyKey>,
}

/// Where a turn is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// At the end of a conversation of the user.
    In(ConversationId),
    /// In a new conversation, with an id that the caller made.
    New(ConversationId),
}

impl Place {
    /// Returns the conversation.
    pub const fn conversation(self) -> ConversationId {
        match self {
            Self::In(conversation) | Self::New(conversation) => conversation,
        }
    }
}

/// A turn that was accepted. It is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The conversation.
    pub conversation: ConversationId,
    /// The user's message.
    pub user_message: ItemId,
    /// Where the message stands, for those who read the conversation before it was accepted.
    pub position: i64,
}

/// Why a turn was not accepted. Nothing was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The user has no such conversation.
    NoSuchConversation,
    /// Another run of the conversation is under way.
    Busy {
        /// That run.
        active: RunId,
    },
    /// The key was used for the same request; this is its run.
    Repeated {
        /// The run that the first request started.
        run: RunId,
        /// Its conversation.
        conversation: ConversationId,
    },
    /// The key was used for another request.
    KeyReused,
    /// The conversation has no message that could be answered again.
    NoSuchMessage,
}

/// A turn was refused, or the store failed.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// Refused; nothing was stored.
    #[error("the turn was refused: {0:?}")]
    Refused(Refusal),
    /// The store failed; if it is transient the turn may still have been stored, and then ends interrupted.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Refusal> for AcceptError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<DbError> for AcceptError {
    fn from(error: DbError) -> Self {
        Self::Store(error.into())
    }
}

impl Store {
    /// Accepts a turn. When this returns, the message and the run are durable.
    pub async fn accept(&self, turn: Accept) -> Result<Accepted, AcceptError> {
        let now = self.clock.now();
        self.db.write(move |tx| Box::pin(async move { accept(tx, &turn, now).await })).await
    }

    /// Finds out whether a turn was accepted after all, when the answer to its commit was lost.
    pub async fn find_accepted(&self, user: &UserId, run: RunId) -> Result<Option<Accepted>, StoreError> {
        let Some(found) = self.find_run(user, run).await? else { return Ok(None) };
        let first = self.items_of_run(user, run).await?.into_iter().next();
        let conversation = found.conversation_id;
        Ok(first.map(|item| Accepted { conversation, user_message: item.id, position: item.position }))
    }
}

async fn accept(tx: &mut Tx<'_>, turn: &Accept, now: DateTime<Utc>) -> Result<Accepted, AcceptError> {
    if let Some(key) = &turn.key {
        keys::claim(tx, &turn.user, turn.run.id, key, now).await?;
    }
    let conversation = turn.conversation.conversation();
    let title = Title::from_message(&turn.message.text).map(|title| title.as_str().to_owned());
    let run = begin::insertion(&turn.run, &turn.user, conversation, now)?;
    let written = match turn.conversation {
        // Nobody else knows the conversation, so nothing in it can be in the way.
        Place::New(_) => {
            let insertion = conversations::insertion(&turn.user, conversation, title, false, 1, now);
            let writes = tx.sequence().then(&insertion).then(&message(turn, 1_i64.into(), now)?);
            writes.one(&run).last().await.map(|_| 1)
        }
        Place::In(_) => {
            let place = next_place(&turn.user, conversation, title, now);
            let mut message = message(turn, items::last_place(conversation), now)?;
            let writes = tx.sequence().one(&place).then(message.returning_col(Items::Position)).one(&run);
            writes.last().await.map(|positions| positions.first().copied().unwrap_or_default())
        }
    };
    match written {
        Ok(position) => Ok(Accepted { conversation, user_message: turn.message_id, position }),
        Err(SequenceError::Missed(0)) => Err(Refusal::NoSuchConversation.into()),
        Err(SequenceError::Missed(_)) => Err(begin::busy(tx, conversation).await),
        Err(SequenceError::Database(error)) => Err(error.into()),
    }
}

/// Puts the message at the place that was taken for it.
fn message(turn: &Accept, place: Expr, now: DateTime<Utc>) -> Result<InsertStatement, StoreError> {
    let conversation = turn.conversation.conversation();
    let new = NewItem {
        user: &turn.user,
        conversation,
        run: turn.run.id,
        id: turn.message_id,
        event: EventId::first_of(1),
        item: &Item::User(turn.message.clone()),
        now,
    };
    items::insertion(&new, place)
}

/// Takes the next place in a conversation of the user. From here on no other turn of it can be accepted before this
/// transaction ends. If it is not the user's, no row is touched.
fn next_place(
    user: &UserId,
    conversation: ConversationId,
    title: Option<String>,
    now: DateTime<Utc>,
) -> UpdateStatement {
    Query::update()
        .table(Conversations::Table)
        .value(Conversations::LastPosition, Expr::col(Conversations::LastPosition).add(1))
        .value(Conversations::UpdatedAt, now)
        .value(Conversations::Title, Func::coalesce([Expr::col(Conversations::Title), Expr::value(title)]))
        .and_where(Expr::col(Conversations::Id).eq(conversation.uuid()))
        .and_where(Expr::col(Conversations::UserId).eq(user.as_str()))
        .take()
}
