//! What is stored of a user, row by row and whole, read past the service. Tables are found, not listed, so that a new
//! one counts from its first day.

use parlor_db::{DatabaseUrl, Db, testing::Place};
use sea_query::{Alias, Expr, ExprTrait, Query};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection, sqlite::SqliteConnectOptions};

/// Returns every row that names the user in its `user_id`, in every table of both packages.
pub async fn rows_of(place: &Place, user: &str) -> Vec<String> {
    rows(place, Some(user)).await
}

/// Returns every row of every table.
pub async fn all_rows(place: &Place) -> Vec<String> {
    rows(place, None).await
}

async fn rows(place: &Place, user: Option<&str>) -> Vec<String> {
    let mut rows = Vec::new();
    match &place.url {
        DatabaseUrl::Postgres(_) => {
            let mut on = PgConnection::connect(&place.url.expose()).await.unwrap();
            for table in tables(&mut on, user.is_some()).await {
                let sql = format!("SELECT '{table} ' || t::text FROM {table} t {} ORDER BY 1", filter(user));
                let found = sqlx::query_scalar(AssertSqlSafe(sql)).bind(user).fetch_all(&mut on);
                rows.extend::<Vec<String>>(found.await.unwrap());
            }
        }
        DatabaseUrl::Sqlite(_) => {
            for url in [place.url.clone(), place.url.beside("tasks.db")] {
                rows.extend(rows_of_file(&url, user).await);
            }
        }
    }
    rows
}

/// Takes a user's rows, or all of them; both name the parameter.
fn filter(user: Option<&str>) -> &'static str {
    if user.is_some() { "WHERE user_id = $1" } else { "WHERE $1::text IS NULL" }
}

async fn tables(on: &mut PgConnection, of_users: bool) -> Vec<String> {
    let sql = "SELECT DISTINCT table_name::text FROM information_schema.columns \
               WHERE table_schema = 'public' AND (column_name = 'user_id' OR NOT $1) ORDER BY 1";
    sqlx::query_scalar(sql).bind(of_users).fetch_all(on).await.unwrap()
}

async fn rows_of_file(url: &DatabaseUrl, user: Option<&str>) -> Vec<String> {
    let DatabaseUrl::Sqlite(path) = url else { return Vec::new() };
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    let mut on = SqliteConnection::connect_with(&options).await.unwrap();
    let columns: Vec<(String, String)> = sqlx::query_as(
        "SELECT m.name, group_concat('quote(' || c.name || ')', ' || '' '' || ') \
         FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' \
         GROUP BY m.name HAVING sum(c.name = 'user_id') > 0 OR NOT $1 ORDER BY m.name",
    )
    .bind(user.is_some())
    .fetch_all(&mut on)
    .await
    .unwrap();
    let filter = filter(user).replace("::text", "");
    let mut rows = Vec::new();
    for (table, columns) in columns {
        let sql = format!("SELECT '{table} ' || {columns} FROM {table} {filter} ORDER BY 1");
        let found = sqlx::query_scalar(AssertSqlSafe(sql)).bind(user).fetch_all(&mut on);
        rows.extend::<Vec<String>>(found.await.unwrap());
    }
    rows
}

/// Tells whether a column of a run holds a text.
pub async fn is_set(place: &Place, run: &str, column: &'static str) -> Option<()> {
    let db = Db::open(&place.url, 2);
    let id: uuid::Uuid = run.parse().unwrap();
    let select = Query::select()
        .column(Alias::new("id"))
        .from(Alias::new("runs"))
        .and_where(Expr::col(Alias::new("id")).eq(id))
        .and_where(Expr::col(Alias::new(column)).is_not_null())
        .to_owned();
    let found: Option<(uuid::Uuid,)> = db.find(&select).await.unwrap();
    db.close().await;
    found.map(drop)
}

/// Takes a column's value away from a run.
pub async fn unset(place: &Place, run: &str, column: &'static str) {
    let db = Db::open(&place.url, 2);
    let id: uuid::Uuid = run.parse().unwrap();
    let update = Query::update()
        .table(Alias::new("runs"))
        .value(Alias::new(column), Expr::cust("NULL"))
        .and_where(Expr::col(Alias::new("id")).eq(id))
        .to_owned();
    let done: Result<u64, parlor_db::DbError> =
        db.write(move |tx| Box::pin(async move { tx.execute(&update).await })).await;
    assert_eq!(done.unwrap(), 1);
    db.close().await;
}
