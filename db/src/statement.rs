//! One statement for both databases: built by sea-query for the dialect at hand, decoded by one `derive(FromRow)`.

use futures_util::{TryStreamExt, stream::BoxStream};
use sea_query::{PostgresQueryBuilder, SqliteQueryBuilder};
use sea_query_sqlx::{SqlxBinder, SqlxValues};
use sqlx::{
    AssertSqlSafe, Either, Executor, FromRow, PgConnection, SqliteConnection,
    postgres::PgRow,
    sqlite::{SqliteQueryResult, SqliteRow},
};

use crate::{
    sequence::{Built, Must, Part},
    text::{Ran, Stopped},
};

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

/// Runs a text of several statements on SQLite, and brings each row and the end of each statement as they come.
pub(crate) fn sqlite_steps(
    on: &mut SqliteConnection,
    (sql, values): Built,
) -> BoxStream<'_, Result<Either<SqliteQueryResult, SqliteRow>, sqlx::Error>> {
    on.fetch_many(sqlx::query_with(AssertSqlSafe(sql), values))
}

/// Runs statements on Postgres, one after another up to the first that fails or misses its row.
pub(crate) async fn postgres_run<R: Row>(on: &mut PgConnection, parts: Vec<Part>) -> Result<Ran<R>, Stopped> {
    let mut ran = Ran { rows: Vec::new(), touched: 0 };
    for (place, Part { built: (sql, values), must }) in parts.into_iter().enumerate() {
        let touched = postgres_step(on, sql, values, &mut ran.rows).await.map_err(Stopped::Statement)?;
        if must == Must::TouchOne && touched != 1 {
            return Err(Stopped::Missed(place));
        }
        ran.touched += touched;
    }
    Ok(ran)
}

async fn postgres_step<R: Row>(
    on: &mut PgConnection,
    sql: String,
    values: SqlxValues,
    rows: &mut Vec<R>,
) -> Result<u64, sqlx::Error> {
    let mut touched = 0;
    let mut steps = on.fetch_many(sqlx::query_with(AssertSqlSafe(sql), values));
    while let Some(step) = steps.try_next().await? {
        match step {
            Either::Left(done) => touched += done.rows_affected(),
            Either::Right(row) => rows.push(R::from_row(&row)?),
        }
    }
    Ok(touched)
}
