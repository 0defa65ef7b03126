//! The part of a conversation that a model is shown: where it begins, and how it is read.
//!
//! A long conversation costs no more than a short one: what lies before the beginning is not even looked at.

use parlor_db::Tx;
use sea_query::{Expr, ExprTrait, Func, Order, Query, SelectStatement};

use super::{
    Store, StoreError,
    items::{ItemRow, items_in},
    schema::{Conversations, Items},
};
use crate::domain::{ConversationId, Recorded, UserId};

/// The first position of every conversation.
const FIRST: i64 = 1;

impl Store {
    /// Reads the newest items that a model may be shown, newest first: at most `limit`, those before the position
    /// `before` if one is given, and none from before the place where the context begins.
    pub async fn context(
        &self,
        user: &UserId,
        conversation: ConversationId,
        before: Option<i64>,
        limit: u64,
    ) -> Result<Vec<Recorded>, StoreError> {
        let rows: Vec<ItemRow> = self.db.all(&page(user, conversation, before, limit)).await?;
        rows.into_iter().map(Recorded::try_from).collect()
    }
}

fn page(user: &UserId, conversation: ConversationId, before: Option<i64>, limit: u64) -> SelectStatement {
    let start = Query::select()
        .expr(Func::coalesce([Expr::col(Conversations::ContextStart), FIRST.into()]))
        .from(Conversations::Table)
        .and_where(Expr::col(Conversations::Id).eq(conversation.uuid()))
        .to_owned();
    let mut select = items_in(user, conversation);
    select
        .and_where(Expr::col(Items::Position).gte(Expr::SubQuery(None, Box::new(start.into()))))
        .order_by(Items::Position, Order::Desc)
        .limit(limit);
    if let Some(before) = before {
        select.and_where(Expr::col(Items::Position).lt(before));
    }
    select
}

/// Has the context of a conversation begin at a position. It never moves back: what was left out stays out.
pub(super) async fn begin_at(
    tx: &mut Tx<'_>,
    conversation: ConversationId,
    position: i64,
) -> Result<(), StoreError> {
    let start = Expr::col(Conversations::ContextStart);
    let update = Query::update()
        .table(Conversations::Table)
        .value(Conversations::ContextStart, position)
        .and_where(Expr::col(Conversations::Id).eq(conversation.uuid()))
        .and_where(start.clone().is_null().or(start.lt(position)))
        .to_owned();
    tx.execute(&update).await?;
    Ok(())
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
        .to_owned();
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
        domain::{EventId, Item, ItemId, Reply, RunId, UserMessage},
        store::items::{self, NewItem},
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
                super::super::conversations::insert(tx, &user, id, None, false, length, now).await?;
                for position in 1..=length {
                    let item = &item(position);
                    let new =
                        NewItem { user: &user, conversation: id, run, id: ItemId::new(), event, item, now };
                    items::insert(tx, new, position).await?;
                }
                Ok::<_, StoreError>(())
            })
        });
        unit.await.unwrap();
        id
    }

    async fn begin(db: &Db, conversation: ConversationId, position: i64) {
        let unit = db.write(move |tx| Box::pin(async move { begin_at(tx, conversation, position).await }));
        unit.await.unwrap();
    }

    async fn positions(db: &Db, conversation: ConversationId, before: Option<i64>) -> Vec<i64> {
        let store = Store::new(db.clone(), Clock::system());
        let page = store.context(&ada(), conversation, before, 4).await.unwrap();
        page.into_iter().map(|recorded| recorded.position).collect()
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
            assert_eq!(store.context(&bob, conversation, None, 4).await.unwrap(), []);
        }
    }
}
