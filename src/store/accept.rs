//! Accepting a turn: one transaction that makes the message durable and starts its run, or refuses both.

use chrono::{DateTime, Utc};
use parlor_db::{DbError, Tx};
use sea_query::{Expr, ExprTrait, Func, OnConflict, Query};

use super::{
    Store, StoreError,
    items::{self, NewItem},
    keys::{self, IdempotencyKey},
    schema::{Conversations, Runs},
    to_json,
};
use crate::domain::{
    ConversationId, EventId, Item, ItemId, ModelIdentity, RunId, RunStatus, Title, Usage, UserId, UserMessage,
};

/// A turn that asks to be accepted.
#[derive(Clone, Debug)]
pub struct Accept {
    /// Who asks.
    pub user: UserId,
    /// The conversation that goes on or begins.
    pub conversation: Place,
    /// What the user said.
    pub message: UserMessage,
    /// The run's id, made by the caller so that it can listen before anything is said.
    pub run: RunId,
    /// The model that will be asked.
    pub model: ModelIdentity,
    /// The process that runs it.
    pub owner: String,
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
        Ok(first.map(|item| Accepted { conversation: found.conversation_id, user_message: item.id }))
    }
}

async fn accept(tx: &mut Tx<'_>, turn: &Accept, now: DateTime<Utc>) -> Result<Accepted, AcceptError> {
    if let Some(key) = &turn.key {
        keys::claim(tx, &turn.user, turn.run, key, now).await?;
    }
    let (conversation, position) = take_place(tx, turn, now).await?;
    let run = NewRun { id: turn.run, user: &turn.user, model: &turn.model, owner: &turn.owner };
    start_run(tx, &run, conversation, now).await?;
    let user_message = ItemId::new();
    let item = Item::User(turn.message.clone());
    let event = EventId::first_of(1);
    let new =
        NewItem { user: &turn.user, conversation, run: turn.run, id: user_message, event, item: &item, now };
    items::insert(tx, new, position).await?;
    Ok(Accepted { conversation, user_message })
}

/// Takes the next place in the conversation, or makes a new one. From here on no other turn of the conversation can be
/// accepted before this transaction ends.
async fn take_place(
    tx: &mut Tx<'_>,
    turn: &Accept,
    now: DateTime<Utc>,
) -> Result<(ConversationId, i64), AcceptError> {
    let title = Title::from_message(&turn.message.text).map(|title| title.as_str().to_owned());
    let conversation = match turn.conversation {
        Place::In(conversation) => conversation,
        Place::New(conversation) => {
            super::conversations::insert(tx, &turn.user, conversation, title, false, 1, now).await?;
            return Ok((conversation, 1));
        }
    };
    let next_place = Query::update()
        .table(Conversations::Table)
        .value(Conversations::LastPosition, Expr::col(Conversations::LastPosition).add(1))
        .value(Conversations::UpdatedAt, now)
        .value(Conversations::Title, Func::coalesce([Expr::col(Conversations::Title), Expr::value(title)]))
        .and_where(Expr::col(Conversations::Id).eq(conversation.uuid()))
        .and_where(Expr::col(Conversations::UserId).eq(turn.user.as_str()))
        .returning_col(Conversations::LastPosition)
        .to_owned();
    match tx.find::<(i64,)>(&next_place).await? {
        Some((position,)) => Ok((conversation, position)),
        None => Err(AcceptError::Refused(Refusal::NoSuchConversation)),
    }
}

/// A run that is to begin.
pub(super) struct NewRun<'a> {
    pub(super) id: RunId,
    pub(super) user: &'a UserId,
    pub(super) model: &'a ModelIdentity,
    pub(super) owner: &'a str,
}

/// Inserts the run. That the conversation is busy shows as a conflict with the index of running runs.
pub(super) async fn start_run(
    tx: &mut Tx<'_>,
    run: &NewRun<'_>,
    conversation: ConversationId,
    now: DateTime<Utc>,
) -> Result<(), AcceptError> {
    let columns = [
        Runs::Id,
        Runs::UserId,
        Runs::ConversationId,
        Runs::Status,
        Runs::Provider,
        Runs::Model,
        Runs::Owner,
        Runs::Attempt,
        Runs::LastEventId,
        Runs::Usage,
        Runs::CreatedAt,
    ];
    let values = [
        run.id.uuid().into(),
        run.user.as_str().into(),
        conversation.uuid().into(),
        RunStatus::Running.as_str().into(),
        run.model.provider.as_str().into(),
        run.model.model.as_str().into(),
        run.owner.into(),
        1.into(),
        EventId::first_of(1).get().into(),
        to_json("usage", &Usage::default())?.into(),
        now.into(),
    ];
    let insert = Query::insert()
        .into_table(Runs::Table)
        .columns(columns)
        .values_panic(values)
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .to_owned();
    if tx.execute(&insert).await? == 1 {
        return Ok(());
    }
    match super::runs::find_running(tx, conversation).await? {
        Some(active) => Err(AcceptError::Refused(Refusal::Busy { active })),
        None => Err(StoreError::corrupt("running run").into()),
    }
}
