//! A single connection that a writer owns, and the settings that every connection gets.

use std::time::Duration;

use sqlx::{
    Connection as _, PgConnection, SqliteConnection,
    postgres::PgConnectOptions,
    sqlite::{SqliteConnectOptions, SqliteSynchronous},
};

use crate::{
    DatabaseUrl, DbError, Row, Statement,
    sequence::{Built, joined},
    statement::{
        postgres_built, postgres_execute, postgres_execute_each, postgres_rows, sqlite_built, sqlite_execute,
        sqlite_execute_each, sqlite_rows,
    },
};

/// How long a connection may take to open.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// How long SQLite waits for another process to let go of the file.
const SQLITE_BUSY_LIMIT: Duration = Duration::from_secs(5);

/// How long Postgres may work on one statement, in milliseconds.
const POSTGRES_STATEMENT_LIMIT_MS: &str = "5000";

/// Whether a transaction is for one unit or for several, each within a savepoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sharing {
    One,
    Several,
}

/// A connection outside any pool. Nobody but its owner can be in its way.
pub(crate) enum Connection {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Connection {
    pub(crate) async fn open(url: &DatabaseUrl) -> Result<Self, DbError> {
        Self::open_with(url, sqlite_options(url)).await
    }

    /// Opens a connection for looking only. A SQLite file that is opened read-only would keep the files that SQLite puts
    /// beside it, because who may not write may not tidy up either.
    pub(crate) async fn open_to_look(url: &DatabaseUrl) -> Result<Self, DbError> {
        Self::open_with(url, sqlite_options(url).pragma("query_only", "ON")).await
    }

    async fn open_with(url: &DatabaseUrl, file: SqliteConnectOptions) -> Result<Self, DbError> {
        let opening = async {
            match url {
                DatabaseUrl::Sqlite(_) => SqliteConnection::connect_with(&file).await.map(Self::Sqlite),
                DatabaseUrl::Postgres(at) => {
                    PgConnection::connect_with(&postgres_options(at.options())).await.map(Self::Postgres)
                }
            }
        };
        match tokio::time::timeout(CONNECT_LIMIT, opening).await {
            Ok(opened) => Ok(opened?),
            Err(_) => Err(DbError::unavailable("connecting took too long")),
        }
    }

    /// Begins a transaction that may write, and the first savepoint if several units share it. On SQLite it takes the
    /// write lock at once: a transaction that reads first and asks for the lock later fails however long it would wait.
    pub(crate) async fn begin(&mut self, sharing: Sharing) -> Result<(), sqlx::Error> {
        let text = match (&self, sharing) {
            (Self::Sqlite(_), Sharing::One) => "BEGIN IMMEDIATE",
            (Self::Sqlite(_), Sharing::Several) => "BEGIN IMMEDIATE; SAVEPOINT unit",
            (Self::Postgres(_), Sharing::One) => "BEGIN",
            (Self::Postgres(_), Sharing::Several) => "BEGIN; SAVEPOINT unit",
        };
        self.command(text).await
    }

    /// Ends the savepoint of one unit and begins the next one's. What the first wrote is kept if the whole is.
    pub(crate) async fn next_savepoint(&mut self) -> Result<(), sqlx::Error> {
        self.command("RELEASE SAVEPOINT unit; SAVEPOINT unit").await
    }

    /// Undoes what a unit did: all of the transaction if it had that alone, else what it did behind its savepoint.
    pub(crate) async fn undo(&mut self, sharing: Sharing) -> Result<(), sqlx::Error> {
        match sharing {
            Sharing::One => self.roll_back().await,
            Sharing::Several => self.command("ROLLBACK TO SAVEPOINT unit").await,
        }
    }

    pub(crate) async fn commit(&mut self) -> Result<(), sqlx::Error> {
        self.command("COMMIT").await
    }

    pub(crate) async fn roll_back(&mut self) -> Result<(), sqlx::Error> {
        self.command("ROLLBACK").await
    }

    pub(crate) async fn rows<R: Row>(&mut self, statement: &impl Statement) -> Result<Vec<R>, sqlx::Error> {
        match self {
            Self::Sqlite(on) => sqlite_rows(on, statement).await,
            Self::Postgres(on) => postgres_rows(on, statement).await,
        }
    }

    pub(crate) async fn execute(&mut self, statement: &impl Statement) -> Result<u64, sqlx::Error> {
        match self {
            Self::Sqlite(on) => sqlite_execute(on, statement).await,
            Self::Postgres(on) => postgres_execute(on, statement).await,
        }
    }

    /// Returns a statement in the words of this database.
    pub(crate) fn built(&self, statement: &impl Statement) -> Built {
        match self {
            Self::Sqlite(_) => sqlite_built(statement),
            Self::Postgres(_) => postgres_built(statement),
        }
    }

    /// Runs statements that bring no rows, in order and up to the first that fails, and returns how many rows each touched.
    pub(crate) async fn execute_each(&mut self, statements: Vec<Built>) -> Result<Vec<u64>, sqlx::Error> {
        match self {
            Self::Sqlite(on) => sqlite_execute_each(on, joined(statements)).await,
            Self::Postgres(on) => postgres_execute_each(on, statements).await,
        }
    }

    /// Closes the connection; a failure means no more than that it is gone already.
    pub(crate) async fn close(self) {
        let _ = match self {
            Self::Sqlite(on) => on.close().await,
            Self::Postgres(on) => on.close().await,
        };
    }

    /// Runs a command of fixed text. Transactions are spelt out, because the driver's own depth counter never
    /// recovers from a transaction that the database ended by itself.
    async fn command(&mut self, text: &'static str) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(on) => sqlx::raw_sql(text).execute(on).await.map(drop),
            Self::Postgres(on) => sqlx::raw_sql(text).execute(on).await.map(drop),
        }
    }
}

/// Returns how a SQLite file is opened: it must exist, and a commit is on the disk before it is answered.
pub(crate) fn sqlite_options(url: &DatabaseUrl) -> SqliteConnectOptions {
    let options = SqliteConnectOptions::new()
        .foreign_keys(true)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(SQLITE_BUSY_LIMIT);
    match url {
        DatabaseUrl::Sqlite(path) => options.filename(path),
        DatabaseUrl::Postgres(_) => options,
    }
}

/// Returns how Postgres is reached: durable commits, and a limit on every statement and lock.
pub(crate) fn postgres_options(options: &PgConnectOptions) -> PgConnectOptions {
    options.clone().options([
        ("synchronous_commit", "on"),
        ("statement_timeout", POSTGRES_STATEMENT_LIMIT_MS),
        ("lock_timeout", POSTGRES_STATEMENT_LIMIT_MS),
        ("idle_in_transaction_session_timeout", "30000"),
    ])
}
