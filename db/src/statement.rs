//! One statement for both databases: built by sea-query for the dialect at hand, decoded by one `derive(FromRow)`.

use futures_util::TryStreamExt;
use sea_query::{PostgresQueryBuilder, SqliteQueryBuilder};
use sea_query_sqlx::SqlxBinder;
use sqlx::{
    AssertSqlSafe, Executor, FromRow, PgConnection, SqliteConnection, postgres::PgRow, sqlite::SqliteRow,
};

use crate::sequence::Built;

/// A statement that sea-query can build for both databases. Values are always bound, never written into the text.
pub trait Statement: SqlxBinder + Sync {}

impl<S: SqlxBinder + Sync> Statement for S {}

/// A row that reads the same from both databases.
pub trait Row: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin {}

impl<R> Row for R where R: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin {}

/// Returns a statement in SQLite's words.
pub(crate) fn sqlite_built(statement: &impl Statement) -> Built {
    statement.build_sqlx(SqliteQueryBuilder)
}

/// Returns a statement in Postgres' words.
pub(crate) fn postgres_built(statement: &impl Statement) -> Built {
    statement.build_sqlx(PostgresQueryBuilder)
}

/// Runs a statement on SQLite and returns the rows that it brings.
pub(crate) async fn sqlite_rows<'c, R: Row>(
    on: impl Executor<'c, Database = sqlx::Sqlite>,
    statement: &impl Statement,
) -> Result<Vec<R>, sqlx::Error> {
    let (sql, values) = sqlite_built(statement);
    sqlx::query_as_with(AssertSqlSafe(sql), values).fetch_all(on).await
}

/// Runs a statement on Postgres and returns the rows that it brings.
pub(crate) async fn postgres_rows<'c, R: Row>(
    on: impl Executor<'c, Database = sqlx::Postgres>,
    statement: &impl Statement,
) -> Result<Vec<R>, sqlx::Error> {
    let (sql, values) = postgres_built(statement);
    sqlx::query_as_with(AssertSqlSafe(sql), values).fetch_all(on).await
}

/// Runs a statement on SQLite and returns how many rows it touched.
pub(crate) async fn sqlite_execute<'c>(
    on: impl Executor<'c, Database = sqlx::Sqlite>,
    statement: &impl Statement,
) -> Result<u64, sqlx::Error> {
    let (sql, values) = sqlite_built(statement);
    Ok(sqlx::query_with(AssertSqlSafe(sql), values).execute(on).await?.rows_affected())
}

/// Runs a statement on Postgres and returns how many rows it touched.
pub(crate) async fn postgres_execute<'c>(
    on: impl Executor<'c, Database = sqlx::Postgres>,
    statement: &impl Statement,
) -> Result<u64, sqlx::Error> {
    let (sql, values) = postgres_built(statement);
    Ok(sqlx::query_with(AssertSqlSafe(sql), values).execute(on).await?.rows_affected())
}

/// Runs a text of several statements on SQLite, up to the first that fails, and returns how many rows each touched.
pub(crate) async fn sqlite_execute_each(
    on: &mut SqliteConnection,
    (sql, values): Built,
) -> Result<Vec<u64>, sqlx::Error> {
    let done = on.fetch_many(sqlx::query_with(AssertSqlSafe(sql), values));
    let touched = done.try_filter_map(async |step| Ok(step.left().map(|done| done.rows_affected())));
    touched.try_collect().await
}

/// Runs statements on Postgres, one after another up to the first that fails, and returns how many rows each touched.
pub(crate) async fn postgres_execute_each(
    on: &mut PgConnection,
    statements: Vec<Built>,
) -> Result<Vec<u64>, sqlx::Error> {
    let mut touched = Vec::with_capacity(statements.len());
    for (sql, values) in statements {
        let done = sqlx::query_with(AssertSqlSafe(sql), values).execute(&mut *on).await?;
        touched.push(done.rows_affected());
    }
    Ok(touched)
}
