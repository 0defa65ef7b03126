//! What is stored of a user, row by row and whole, read past the service. Tables are found, not listed, so that a new
//! one counts from its first day.

use parlor_db::{DatabaseUrl, testing::Place};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection, sqlite::SqliteConnectOptions};

/// Returns every row that names the user in its `user_id`, in every table of both packages.
pub async fn rows_of(place: &Place, user: &str) -> Vec<String> {
    let mut rows = Vec::new();
    match &place.url {
        DatabaseUrl::Postgres(_) => {
            let mut on = PgConnection::connect(&place.url.expose()).await.unwrap();
            let tables: Vec<String> = sqlx::query_scalar(
                "SELECT table_name::text FROM information_schema.columns \
                 WHERE table_schema = 'public' AND column_name = 'user_id' ORDER BY 1",
            )
            .fetch_all(&mut on)
            .await
            .unwrap();
            for table in tables {
                let sql =
                    format!("SELECT '{table} ' || t::text FROM {table} t WHERE user_id = $1 ORDER BY 1");
                let found: Vec<String> =
                    sqlx::query_scalar(AssertSqlSafe(sql)).bind(user).fetch_all(&mut on).await.unwrap();
                rows.extend(found);
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

async fn rows_of_file(url: &DatabaseUrl, user: &str) -> Vec<String> {
    let DatabaseUrl::Sqlite(path) = url else { return Vec::new() };
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    let mut on = SqliteConnection::connect_with(&options).await.unwrap();
    let columns: Vec<(String, String)> = sqlx::query_as(
        "SELECT m.name, group_concat('quote(' || c.name || ')', ' || '' '' || ') \
         FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' \
         GROUP BY m.name HAVING sum(c.name = 'user_id') > 0 ORDER BY m.name",
    )
    .fetch_all(&mut on)
    .await
    .unwrap();
    let mut rows = Vec::new();
    for (table, columns) in columns {
        let sql = format!("SELECT '{table} ' || {columns} FROM {table} WHERE user_id = $1 ORDER BY 1");
        let found: Vec<String> =
            sqlx::query_scalar(AssertSqlSafe(sql)).bind(user).fetch_all(&mut on).await.unwrap();
        rows.extend(found);
    }
    rows
}
