//! Brings a database to the current schema. Several processes may start on one new database at once.

use std::{collections::BTreeSet, time::Duration};

use sea_query::{Alias, Expr, ExprTrait, Query};
use sqlx::{
    Connection as _, PgConnection, SqliteConnection,
    migrate::Migrator,
    sqlite::{SqliteConnectOptions, SqliteJournalMode},
};

use crate::{
    DatabaseUrl, Db, DbError, FileLock, LockError,
    connection::{postgres_options, sqlite_options},
};

/// How long a start waits for another one that migrates the same database.
const LOCK_LIMIT: Duration = Duration::from_secs(30);

/// How long between two tries to reach a database that is down.
const RETRY_EVERY: Duration = Duration::from_millis(250);

/// The migrations of one package, with the table that remembers which of them are done.
#[derive(Debug)]
pub struct Migrations {
    pub(crate) sqlite: Migrator,
    pub(crate) postgres: Migrator,
    pub(crate) table: &'static str,
}

impl Migrations {
    /// Joins the migrations for SQLite and those for Postgres, which have the same names. `table` is the bookkeeping
    /// table: two packages that share a database must not share it.
    pub fn new(mut sqlite: Migrator, mut postgres: Migrator, table: &'static str) -> Self {
        sqlite.dangerous_set_table_name(table);
        postgres.dangerous_set_table_name(table);
        Self { sqlite, postgres, table }
    }
}

/// Why a database is not at the current schema.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// It cannot be reached.
    #[error("cannot open the database {url}")]
    Open {
        /// Where it was looked for, without a password.
        url: String,
        /// What the driver said.
        #[source]
        source: sqlx::Error,
    },
    /// Another process migrates it and does not end.
    #[error("another process holds the migration lock")]
    Lock(#[from] LockError),
    /// A migration failed, or what the database has does not fit this version of the program.
    #[error("cannot migrate the database")]
    Migrate(#[from] sqlx::migrate::MigrateError),
}

/// Brings the database to the current schema and creates a SQLite file that is not there. Waits up to `patience` for
/// a Postgres that is down; a SQLite file that cannot be opened fails at once.
pub async fn migrate(
    url: &DatabaseUrl,
    migrations: &Migrations,
    patience: Duration,
) -> Result<(), MigrateError> {
    match url {
        DatabaseUrl::Sqlite(path) => {
            let _lock = FileLock::wait(path, "migrate", LOCK_LIMIT).await?;
            // Only here, under the lock: two processes that switch a new file to WAL at once fail, wait or not.
            let options = sqlite_options(url).create_if_missing(true).journal_mode(SqliteJournalMode::Wal);
            let mut connection = open_sqlite(url, &options).await?;
            migrations.sqlite.run_direct(None, &mut connection, false).await?;
            let _ = connection.close().await;
        }
        DatabaseUrl::Postgres(_) => {
            let mut connection = reach_postgres(url, patience).await?;
            migrations.postgres.run_direct(None, &mut connection, false).await?;
            let _ = connection.close().await;
        }
    }
    Ok(())
}

/// Tells whether the open database has every migration.
pub async fn is_current(db: &Db, migrations: &Migrations) -> Result<bool, DbError> {
    let applied = Query::select()
        .column(Alias::new("version"))
        .from(Alias::new(migrations.table))
        .and_where(Expr::col(Alias::new("success")).eq(true))
        .to_owned();
    let applied: BTreeSet<i64> =
        db.all::<(i64,)>(&applied).await?.into_iter().map(|(version,)| version).collect();
    Ok(migrations.sqlite.iter().all(|migration| applied.contains(&migration.version)))
}

async fn open_sqlite(
    url: &DatabaseUrl,
    options: &SqliteConnectOptions,
) -> Result<SqliteConnection, MigrateError> {
    let opened = SqliteConnection::connect_with(options).await;
    opened.map_err(|source| MigrateError::Open { url: url.to_string(), source })
}

async fn reach_postgres(url: &DatabaseUrl, patience: Duration) -> Result<PgConnection, MigrateError> {
    let started = tokio::time::Instant::now();
    let DatabaseUrl::Postgres(at) = url else {
        return Err(MigrateError::Open { url: url.to_string(), source: sqlx::Error::PoolClosed });
    };
    // No statement limit here: building an index on a large table takes what it takes.
    let options =
        postgres_options(at.options()).options([("statement_timeout", "0"), ("lock_timeout", "30000")]);
    loop {
        let left = patience.saturating_sub(started.elapsed()).max(RETRY_EVERY);
        let source = match tokio::time::timeout(left, PgConnection::connect_with(&options)).await {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(error)) => error,
            Err(_elapsed) => sqlx::Error::PoolTimedOut,
        };
        if started.elapsed() + RETRY_EVERY >= patience {
            return Err(MigrateError::Open { url: url.to_string(), source });
        }
        tokio::time::sleep(RETRY_EVERY).await;
    }
}
