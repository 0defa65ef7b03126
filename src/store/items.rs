//! Items: the history of a conversation, in an order that no clock can upset.

use chrono::{DateTime, Utc};
use parlor_db::Tx;
use sea_query::{Expr, ExprTrait, InsertStatement, Order, Query, SelectStatement, UpdateStatement};
use uuid::Uuid;

use super::{
    Store, StoreError, from_json,
    schema::{Conversations, Items},
    to_json,
};
use crate::domain::{ConversationId, EventId, Item, ItemId, Recorded, Role, RunId, UserId};

/// Which items of a conversation to read.
#[derive(Clone, Debug)]
pub struct ItemPage {
    /// Only items of these roles; all if empty.
    pub roles: Vec<Role>,
    /// Start behind this position, in the direction of reading.
    pub after: Option<i64>,
    /// Read from the newest.
    pub newest_first: bool,
    /// How many at most.
    pub limit: u64,
}

#[derive(sqlx::FromRow)]
struct ItemRow {
    id: Uuid,
    position: i64,
    run_id: Uuid,
    event_id: i64,
    body: String,
    created_at: DateTime<Utc>,
}

/// The columns of [`ItemRow`].
const ITEM_COLUMNS: [Items; 6] =
    [Items::Id, Items::Position, Items::RunId, Items::EventId, Items::Body, Items::CreatedAt];

/// A new item, with its place in the run's events.
pub(super) struct NewItem<'a> {
    pub(super) user: &'a UserId,
    pub(super) conversation: ConversationId,
    pub(super) run: RunId,
    pub(super) id: ItemId,
    pub(super) event: EventId,
    pub(super) item: &'a Item,
    pub(super) now: DateTime<Utc>,
}

impl Store {
    /// Reads a page of a conversation's items, in the order of their positions. A conversation that is not the
    /// user's has none.
    pub async fn items(
        &self,
        user: &UserId,
        conversation: ConversationId,
        page: &ItemPage,
    ) -> Result<Vec<Recorded>, StoreError> {
        let rows: Vec<ItemRow> = self.db.all(&page_of_items(user, conversation, page)).await?;
        rows.into_iter().map(Recorded::try_from).collect()
    }

    /// Finds where an item stands in a conversation of the user.
    pub async fn find_place(
        &self,
        user: &UserId,
        conversation: ConversationId,
        item: ItemId,
    ) -> Result<Option<i64>, StoreError> {
        let select = Query::select()
            .column(Items::Position)
            .from(Items::Table)
            .and_where(Expr::col(Items::Id).eq(item.uuid()))
            .and_where(Expr::col(Items::ConversationId).eq(conversation.uuid()))
            .and_where(Expr::col(Items::UserId).eq(user.as_str()))
            .take();
        Ok(self.db.find::<(i64,)>(&select).await?.map(|(position,)| position))
    }

    /// Reads all items that a run wrote, oldest first. A run is bounded by its turns, so this is too.
    pub async fn items_of_run(&self, user: &UserId, run: RunId) -> Result<Vec<Recorded>, StoreError> {
        let of_run = items()
            .and_where(Expr::col(Items::UserId).eq(user.as_str()))
            .and_where(Expr::col(Items::RunId).eq(run.uuid()))
            .order_by(Items::Position, Order::Asc)
            .take();
        let rows: Vec<ItemRow> = self.db.all(&of_run).await?;
        rows.into_iter().map(Recorded::try_from).collect()
    }
}

fn items() -> SelectStatement {
    Query::select().columns(ITEM_COLUMNS).from(Items::Table).to_owned()
}

/// Selects the items of a conversation of the user.
fn items_in(user: &UserId, conversation: ConversationId) -> SelectStatement {
    items()
        .and_where(Expr::col(Items::ConversationId).eq(conversation.uuid()))
        .and_where(Expr::col(Items::UserId).eq(user.as_str()))
        .take()
}

fn page_of_items(user: &UserId, conversation: ConversationId, page: &ItemPage) -> SelectStatement {
    let mut select = items_in(user, conversation);
    select
        .order_by(Items::Position, if page.newest_first { Order::Desc } else { Order::Asc })
        .limit(page.limit);
    if !page.roles.is_empty() {
        select.and_where(Expr::col(Items::Kind).is_in(page.roles.iter().map(|role| role.as_str())));
    }
    if let Some(after) = page.after {
        let position = Expr::col(Items::Position);
        select.and_where(if page.newest_first { position.lt(after) } else { position.gt(after) });
    }
    select
}

impl TryFrom<ItemRow> for Recorded {
    type Error = StoreError;

    fn try_from(row: ItemRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id.into(),
            position: row.position,
            run_id: row.run_id.into(),
            event_id: row.event_id.into(),
            created_at: row.created_at,
            item: from_json("item", &row.body)?,
        })
    }
}

/// Takes the next places of a conversation and returns the last of them, and keeps all other writers of the conversation
/// out until the commit.
pub(super) async fn take_places(
    tx: &mut Tx<'_>,
    conversation: ConversationId,
    places: i64,
    now: DateTime<Utc>,
) -> Result<i64, StoreError> {
    let update = locking(conversation, places, now).returning_col(Conversations::LastPosition).to_owned();
    match tx.find::<(i64,)>(&update).await? {
        Some((position,)) => Ok(position),
        // It was deleted, and the run with it.
        None => Err(StoreError::Fenced),
    }
}

/// Takes so many places of a conversation and keeps all other writers of it out until the commit. If it was deleted, no
/// row is touched.
pub(super) fn locking(conversation: ConversationId, places: i64, now: DateTime<Utc>) -> UpdateStatement {
    Query::update()
        .table(Conversations::Table)
        .value(Conversations::LastPosition, Expr::col(Conversations::LastPosition).add(places))
        .value(Conversations::UpdatedAt, now)
        .and_where(Expr::col(Conversations::Id).eq(conversation.uuid()))
        .take()
}

/// Selects the item with an id.
pub(super) fn with_id(id: ItemId) -> SelectStatement {
    Query::select()
        .column(Items::Position)
        .from(Items::Table)
        .and_where(Expr::col(Items::Id).eq(id.uuid()))
        .take()
}

/// The place in a conversation that was taken last, within a statement.
pub(super) fn last_place(conversation: ConversationId) -> Expr {
    let last = Query::select()
        .column(Conversations::LastPosition)
        .from(Conversations::Table)
        .and_where(Expr::col(Conversations::Id).eq(conversation.uuid()))
        .take();
    Expr::SubQuery(None, Box::new(last.into()))
}

/// Puts an item at a place that was taken for it.
pub(super) fn insertion(new: &NewItem<'_>, position: Expr) -> Result<InsertStatement, StoreError> {
    let body = to_json("item", new.item)?;
    let insert = Query::insert()
        .into_table(Items::Table)
        .columns([
            Items::ConversationId,
            Items::Position,
            Items::Id,
            Items::UserId,
            Items::RunId,
            Items::EventId,
            Items::Kind,
            Items::Body,
            Items::CreatedAt,
        ])
        .values_panic([
            new.conversation.uuid().into(),
            position,
            new.id.uuid().into(),
            new.user.as_str().into(),
            new.run.uuid().into(),
            new.event.get().into(),
            new.item.role().as_str().into(),
            body.into(),
            new.now.into(),
        ])
        .take();
    Ok(insert)
}
