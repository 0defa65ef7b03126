//! Conversations: made, read, renamed and deleted by their owner.

use chrono::{DateTime, Utc};
use parlor_db::Tx;
use sea_query::{Expr, ExprTrait, InsertStatement, Order, Query, SelectStatement};
use uuid::Uuid;

use super::{
    Store, StoreError,
    schema::{Conversations, IdempotencyKeys, Runs},
};
use crate::domain::{Conversation, ConversationId, RunId, RunStatus, Title, UserId};

/// What deleting a conversation came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// It is gone, with all it held.
    Gone,
    /// There was none.
    Absent,
    /// A run is under way, so it stays.
    Busy {
        /// That run.
        active: RunId,
    },
}

/// A change to a conversation.
#[derive(Clone, Debug)]
pub struct ConversationEdit {
    /// The new title.
    pub title: Title,
}

/// Which conversations of a user to read, in the order in which they were made.
#[derive(Clone, Copy, Debug)]
pub struct ConversationPage {
    /// Start behind this one, in the direction of reading.
    pub after: Option<ConversationId>,
    /// Read from the newest.
    pub newest_first: bool,
    /// How many at most.
    pub limit: u64,
}

#[derive(sqlx::FromRow)]
struct ConversationRow {
    id: Uuid,
    title: Option<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    active_run_id: Option<Uuid>,
}

impl From<ConversationRow> for Conversation {
    fn from(row: ConversationRow) -> Self {
        Self {
            id: row.id.into(),
            title: row.title,
            active_run_id: row.active_run_id.map(RunId::from),
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

impl Store {
    /// Makes an empty conversation.
    pub async fn create_conversation(
        &self,
        user: &UserId,
        title: Option<Title>,
    ) -> Result<Conversation, StoreError> {
        let (id, now, user) = (ConversationId::new(), self.clock.now(), user.clone());
        let title = title.map(|title| title.as_str().to_owned());
        let made =
            Conversation { id, title: title.clone(), active_run_id: None, created_at: now, updated_at: now };
        self.db
            .write(move |tx| {
                Box::pin(async move {
                    let by_user = title.is_some();
                    tx.execute(&insertion(&user, id, title, by_user, 0, now)).await?;
                    Ok::<_, StoreError>(())
                })
            })
            .await?;
        Ok(made)
    }

    /// Finds a conversation of the user.
    pub async fn find_conversation(
        &self,
        user: &UserId,
        id: ConversationId,
    ) -> Result<Option<Conversation>, StoreError> {
        let select = of_user(user).and_where(column(Conversations::Id).eq(id.uuid())).take();
        Ok(self.db.find::<ConversationRow>(&select).await?.map(Conversation::from))
    }

    /// Reads a page of the user's conversations.
    pub async fn conversations(
        &self,
        user: &UserId,
        page: ConversationPage,
    ) -> Result<Vec<Conversation>, StoreError> {
        let mut select = of_user(user);
        let order = if page.newest_first { Order::Desc } else { Order::Asc };
        select.order_by((Conversations::Table, Conversations::Id), order).limit(page.limit);
        if let Some(after) = page.after {
            let (id, after) = (column(Conversations::Id), after.uuid());
            select.and_where(if page.newest_first { id.lt(after) } else { id.gt(after) });
        }
        Ok(self.db.all::<ConversationRow>(&select).await?.into_iter().map(Conversation::from).collect())
    }

    /// Changes a conversation of the user and returns it as it is then.
    pub async fn edit_conversation(
        &self,
        user: &UserId,
        id: ConversationId,
        edit: ConversationEdit,
    ) -> Result<Option<Conversation>, StoreError> {
        let (owner, now) = (user.clone(), self.clock.now());
        self.db
            .write(move |tx| {
                Box::pin(async move {
                    let update = Query::update()
                        .table(Conversations::Table)
                        .value(Conversations::Title, edit.title.as_str())
                        .value(Conversations::TitleByUser, true)
                        .value(Conversations::UpdatedAt, now)
                        .and_where(Expr::col(Conversations::Id).eq(id.uuid()))
                        .and_where(Expr::col(Conversations::UserId).eq(owner.as_str()))
                        .take();
                    tx.execute(&update).await.map_err(StoreError::from)?;
                    let select = of_user(&owner).and_where(column(Conversations::Id).eq(id.uuid())).take();
                    Ok(tx.find::<ConversationRow>(&select).await?.map(Conversation::from))
                })
            })
            .await
    }

    /// Deletes a conversation of the user with all it holds, unless a run is under way.
    pub async fn delete_conversation(
        &self,
        user: &UserId,
        id: ConversationId,
    ) -> Result<Deleted, StoreError> {
        let (owner, now) = (user.clone(), self.clock.now());
        let done = self.db.write(move |tx| Box::pin(async move { delete(tx, &owner, id, now).await })).await;
        match done {
            Ok(deleted) => Ok(deleted),
            Err(Refused::Busy(active)) => Ok(Deleted::Busy { active }),
            Err(Refused::Store(error)) => Err(error),
        }
    }
}

/// Why a deletion was rolled back.
enum Refused {
    Busy(RunId),
    Store(StoreError),
}

impl<E: Into<StoreError>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self::Store(error.into())
    }
}

async fn delete(
    tx: &mut Tx<'_>,
    owner: &UserId,
    id: ConversationId,
    now: DateTime<Utc>,
) -> Result<Deleted, Refused> {
    // The keys go first: a turn that is being accepted takes its key before its conversation, too.
    let its_runs = Query::select()
        .column(Runs::Id)
        .from(Runs::Table)
        .and_where(Expr::col(Runs::ConversationId).eq(id.uuid()))
        .and_where(Expr::col(Runs::UserId).eq(owner.as_str()))
        .take();
    let keys = Query::delete()
        .from_table(IdempotencyKeys::Table)
        .and_where(Expr::col(IdempotencyKeys::RunId).in_subquery(its_runs))
        .take();
    tx.execute(&keys).await?;
    // Touching the row keeps a turn from being accepted between the look and the deletion.
    let hold = Query::update()
        .table(Conversations::Table)
        .value(Conversations::UpdatedAt, now)
        .and_where(Expr::col(Conversations::Id).eq(id.uuid()))
        .and_where(Expr::col(Conversations::UserId).eq(owner.as_str()))
        .take();
    if tx.execute(&hold).await? == 0 {
        return Ok(Deleted::Absent);
    }
    if let Some(active) = super::runs::find_running(tx, id).await? {
        return Err(Refused::Busy(active));
    }
    let conversation = Query::delete()
        .from_table(Conversations::Table)
        .and_where(Expr::col(Conversations::Id).eq(id.uuid()))
        .take();
    tx.execute(&conversation).await?;
    Ok(Deleted::Gone)
}

/// Adds a conversation whose last item has the given position.
pub(super) fn insertion(
    user: &UserId,
    id: ConversationId,
    title: Option<String>,
    title_by_user: bool,
    last_position: i64,
    now: DateTime<Utc>,
) -> InsertStatement {
    Query::insert()
        .into_table(Conversations::Table)
        .columns([
            Conversations::Id,
            Conversations::UserId,
            Conversations::Title,
            Conversations::TitleByUser,
            Conversations::LastPosition,
            Conversations::CreatedAt,
            Conversations::UpdatedAt,
        ])
        .values_panic([
            id.uuid().into(),
            user.as_str().into(),
            title.into(),
            title_by_user.into(),
            last_position.into(),
            now.into(),
            now.into(),
        ])
        .take()
}

fn column(column: Conversations) -> Expr {
    Expr::col((Conversations::Table, column))
}

/// Selects conversations of the user, each with the run that is under way.
fn of_user(user: &UserId) -> SelectStatement {
    let shown = [Conversations::Id, Conversations::Title, Conversations::CreatedAt, Conversations::UpdatedAt];
    Query::select()
        .columns(shown.map(|column| (Conversations::Table, column)))
        .expr_as(Expr::col((Runs::Table, Runs::Id)), "active_run_id")
        .from(Conversations::Table)
        .left_join(
            Runs::Table,
            Expr::col((Runs::Table, Runs::ConversationId))
                .equals((Conversations::Table, Conversations::Id))
                .and(Expr::col((Runs::Table, Runs::Status)).eq(RunStatus::Running.as_str())),
        )
        .and_where(column(Conversations::UserId).eq(user.as_str()))
        .take()
}
