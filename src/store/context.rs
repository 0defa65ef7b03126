//! The part of a conversation that a model is shown: where it begins, and how it is read.
//!
//! A long conversation costs no more than a short one: what lies before the beginning is not even looked at.

use parlor_db::Tx;
use sea_query::{Expr, ExprTrait, Func, Order, Query, SelectStatement, UpdateStatement};

use uuid::Uuid;

use super::{
    Store, StoreError, from_json,
    schema::{Conversations, Items, Runs},
};
use crate::domain::{ConversationId, Item, ItemId, RunId, RunStatus, UserId};

/// The first position of every conversation.
const FIRST: i64 = 1;

/// A page as one text, a line with place and body for each item: JSON text has no line ends of its own. A row for each item
/// would cost more than reading what is in it, and so would having the database sort the lines: they come as they were
/// found, and the places say whether that is the order.
const LINES: &str = "string_agg(position || ' ' || body, '\n')";

/// A part of what a model may be shown of a conversation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContextPage {
    /// The items, each with its position, oldest first.
    pub items: Vec<(i64, Item)>,
    /// The newest item of the whole conversation.
    pub newest: Option<ItemId>,
    /// The last place of the conversation that was taken. It grows with whatever is added or taken back.
    pub last_position: i64,
    /// The run of the conversation that is under way.
    pub active: Option<RunId>,
}

#[derive(sqlx::FromRow)]
struct PageRow {
    lines: Option<String>,
    newest: Option<Uuid>,
    last_position: Option<i64>,
    active: Option<Uuid>,
}

impl Store {
    /// Reads the newest items that a model may be shown: at most `limit`, those before the position `before` if one is
    /// given, and none from before the place where the context begins. A conversation that is not the user's has none.
    pub async fn context(
        &self,
        user: &UserId,
        conversation: ConversationId,
        before: Option<i64>,
        limit: u64,
    ) -> Result<ContextPage, StoreError> {
        let Some(row) = self.db.find::<PageRow>(&in_one_row(user, conversation, before, limit)).await? else {
            return Ok(ContextPage::default());
        };
        let lines = row.lines.unwrap_or_default();
        let items: Result<Vec<(i64, Item)>, StoreError> = lines.lines().rev().map(placed_item).collect();
        let mut items = items?;
        // Nearly always they stand in order, and then this only looks.
        items.sort_by_key(|(position, _)| *position);
        Ok(ContextPage {
            items,
            newest: row.newest.map(ItemId::from),
            last_position: row.last_position.unwrap_or_default(),
            active: row.active.map(RunId::from),
        })
    }
}

/// Reads a line of a page.
fn placed_item(line: &str) -> Result<(i64, Item), StoreError> {
    let (position, body) = line.split_once(' ').ok_or(StoreError::corrupt("item"))?;
    Ok((position.parse().map_err(|_| StoreError::corrupt("position"))?, item_of(body)?))
}

/// Reads an item. The word that says what it is stands first, as we write it; then nothing must be kept while looking for it.
fn item_of(line: &str) -> Result<Item, StoreError> {
    if line.starts_with(r#"{"type":"user","#) {
        from_json("item", line).map(Item::User)
    } else if line.starts_with(r#"{"type":"assistant","#) {
        from_json("item", line).map(Item::Assistant)
    } else if line.starts_with(r#"{"type":"tool","#) {
        from_json("item", line).map(Item::Tool)
    } else {
        from_json("item", line)
    }
}

fn in_one_row(
    user: &UserId,
    conversation: ConversationId,
    before: Option<i64>,
    limit: u64,
) -> SelectStatement {
    let newest = Query::select()
        .column(Items::Id)
        .from(Items::Table)
        .and_where(Expr::col(Items::ConversationId).eq(conversation.uuid()))
        .order_by(Items::Position, Order::Desc)
        .limit(1)
        .take();
    let last_position = of_conversation(conversation).column(Conversations::LastPosition).to_owned();
    let active = Query::select()
        .column(Runs::Id)
        .from(Runs::Table)
        .and_where(Expr::col(Runs::ConversationId).eq(conversation.uuid()))
        .and_where(Expr::col(Runs::Status).eq(RunStatus::Running.as_str()))
        .take();
    Query::select()
        .expr_as(Expr::cust(LINES), "lines")
        .expr_as(Expr::SubQuery(None, Box::new(newest.into())), "newest")
        .expr_as(Expr::SubQuery(None, Box::new(last_position.into())), "last_position")
        .expr_as(Expr::SubQuery(None, Box::new(active.into())), "active")
        .from_subquery(page(user, conversation, before, limit), "page")
        .take()
}

fn page(user: &UserId, conversation: ConversationId, before: Option<i64>, limit: u64) -> SelectStatement {
    let start = of_conversation(conversation)
        .expr(Func::coalesce([Expr::col(Conversations::ContextStart), FIRST.into()]))
        .take();
    let mut select = Query::select()
        .columns([Items::Position, Items::Body])
        .from(Items::Table)
        .and_where(Expr::col(Items::ConversationId).eq(conversation.uuid()))
        .and_where(Expr::col(Items::UserId).eq(user.as_str()))
        .and_where(Expr::col(Items::Position).gte(Expr::SubQuery(None, Box::new(start.into()))))
        .order_by(Items::Position, Order::Desc)
        .limit(limit)
        .take();
    if let Some(before) = before {
        select.and_where(Expr::col(Items::Position).lt(before));
    }
    select
}

fn of_conversation(conversation: ConversationId) -> SelectStatement {
    Query::select()
        .from(Conversations::Table)
        .and_where(Expr::col(Conversations::Id).eq(conversation.uuid()))
        .take()
}

/// Has the context of a conversation begin at a position. It never moves back: what was left out stays out.
pub(super) fn beginning_at(conversation: ConversationId, position: i64) -> UpdateStatement {
    let start = Expr::col(Conversations::ContextStart);
    Query::update()
        .table(Conversations::Table)
        .value(Conversations::ContextStart, position)
        .and_where(Expr::col(Conversations::Id).eq(conversation.uuid()))
        .and_where(start.clone().is_null().or(start.lt(position)))
        .take()
}

/// Has the context of a conversation begin at a position at the latest: what followed it was taken back.
pub(super) async fn begin_no_later_than(
    tx: &mut Tx<'_>,
    conversation: ConversationId,
    position: i64,
) -> Result<(), StoreError> {
    let update = Query::update()
        .table(Conversations::Table)
        .value(Conversations::ContextStart, position)
        .and_where(Expr::col(Conversations::Id).eq(conversation.uuid()))
        .and_where(Expr::col(Conversations::ContextStart).gt(position))
        .take();
    tx.execute(&update).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use parlor_db::{
        DatabaseUrl, Db, on_both,
        testing::{Engine, Place},
    };
    use sea_query::{PostgresQueryBuilder, SqliteQueryBuilder};
    use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};

    use super::*;
    use crate::{
        clock::Clock,
        domain::{EventId, Reply, UserMessage},
        store::{
            conversations,
            items::{self, NewItem},
        },
    };

    const LENGTH: i64 = 10_000;

    fn ada() -> UserId {
        UserId::parse("ada").unwrap()
    }

    fn item(position: i64) -> Item {
        if position % 2 == 1 {
            Item::User(UserMessage { text: "hello".into(), context: String::new() })
        } else {
            Item::Assistant(Reply::of_text("hello yourself"))
        }
    }

    /// Makes a conversation of so many items, and returns it.
    async fn conversation_of(db: &Db, length: i64) -> ConversationId {
        let (id, now) = (ConversationId::new(), Clock::system().now());
        let unit = db.write(move |tx| {
            Box::pin(async move {
                let (user, run, event) = (ada(), RunId::new(), EventId::first_of(1));
                tx.execute(&conversations::insertion(&user, id, None, false, length, now)).await?;
                for position in 1..=length {
                    let item = &item(position);
                    let new =
                        NewItem { user: &user, conversation: id, run, id: ItemId::new(), event, item, now };
                    tx.execute(&items::insertion(&new, position.into())?).await?;
                }
                Ok::<_, StoreError>(())
            })
        });
        unit.await.unwrap();
        id
    }

    async fn begin(db: &Db, conversation: ConversationId, position: i64) {
        let unit = db.write(move |tx| {
            Box::pin(async move { tx.execute(&beginning_at(conversation, position)).await })
        });
        unit.await.unwrap();
    }

    /// Returns the positions of a page, newest first.
    async fn positions(db: &Db, conversation: ConversationId, before: Option<i64>) -> Vec<i64> {
        let store = Store::new(db.clone(), Clock::system());
        let page = store.context(&ada(), conversation, before, 4).await.unwrap();
        page.items.into_iter().rev().map(|(position, _)| position).collect()
    }

    /// Has the database say how it would run a statement, in its own words.
    async fn plan(place: &Place, select: &SelectStatement) -> String {
        match &place.url {
            DatabaseUrl::Sqlite(path) => {
                let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
                let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
                let sql = format!("EXPLAIN QUERY PLAN {}", select.to_string(SqliteQueryBuilder));
                let rows: Vec<(i64, i64, i64, String)> =
                    sqlx::query_as(AssertSqlSafe(sql)).fetch_all(&mut connection).await.unwrap();
                rows.into_iter().map(|(_, _, _, line)| line).collect::<Vec<_>>().join("\n")
            }
            DatabaseUrl::Postgres(_) => {
                let mut connection = PgConnection::connect(&place.url.expose()).await.unwrap();
                sqlx::raw_sql("ANALYZE").execute(&mut connection).await.unwrap();
                let sql = format!(
                    "EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off) {}",
                    select.to_string(PostgresQueryBuilder)
                );
                let rows: Vec<(String,)> =
                    sqlx::query_as(AssertSqlSafe(sql)).fetch_all(&mut connection).await.unwrap();
                rows.into_iter().map(|(line,)| line).collect::<Vec<_>>().join("\n")
            }
        }
    }

    /// Asserts that a page is one range of the primary key, read backwards, and that no row is looked at in vain.
    async fn assert_found_by_index(
        place: &Place,
        conversation: ConversationId,
        before: Option<i64>,
        range: &str,
        rows: usize,
    ) {
        let plan = plan(place, &page(&ada(), conversation, before, 50)).await;
        let expected = match place.engine {
            Engine::Sqlite => format!("(conversation_id=? AND {range})"),
            Engine::Postgres => {
                format!("Index Scan Backward using items_pkey on items (actual rows={rows}")
            }
        };
        assert!(plan.contains(&expected), "{expected}\n{plan}");
        let detours = ["SCAN items", "Seq Scan on items", "Sort", "TEMP B-TREE", "Rows Removed by Filter"];
        assert!(detours.iter().all(|detour| !plan.contains(detour)), "{plan}");
    }

    on_both! { vec![Store::migrations()];
        async fn a_page_of_a_long_conversation_is_found_by_its_index_and_nothing_else_is_looked_at(place: Place) {
            let db = Db::open(&place.url, 2);
            let conversation = conversation_of(&db, LENGTH).await;
            let (whole, part) = ("position>?", "position>? AND position<?");
            assert_found_by_index(&place, conversation, None, whole, 50).await;
            begin(&db, conversation, LENGTH - 20).await;
            assert_found_by_index(&place, conversation, None, whole, 21).await;
            assert_found_by_index(&place, conversation, Some(LENGTH - 10), part, 10).await;
        }

        async fn the_context_is_read_backwards_and_never_beyond_its_beginning(place: Place) {
            let db = Db::open(&place.url, 2);
            let conversation = conversation_of(&db, 10).await;
            assert_eq!(positions(&db, conversation, None).await, [10, 9, 8, 7]);
            assert_eq!(positions(&db, conversation, Some(3)).await, [2, 1]);
            begin(&db, conversation, 9).await;
            assert_eq!(positions(&db, conversation, None).await, [10, 9]);
            begin(&db, conversation, 5).await;
            assert_eq!(positions(&db, conversation, None).await, [10, 9], "it never moves back");
            let bob = UserId::parse("bob").unwrap();
            let store = Store::new(db, Clock::system());
            assert_eq!(store.context(&bob, conversation, None, 4).await.unwrap().items, []);
        }
    }
}
