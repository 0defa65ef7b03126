//! A single connection that a writer owns, and the settings that every connection gets.

use std::time::Duration;

use sqlx::{
    Connection as _, PgConnection, SqliteConnection,
    postgres::PgConnectOptions,
    sqlite::{SqliteConnectOptions, SqliteSynchronous},
};

use crate::{
    DatabaseUrl, DbError, Row, Statement,
    sequence::{Built, Part},
    statement::{postgres_built, postgres_rows, postgres_run, sqlite_built, sqlite_rows},
    text::{Ran, Stopped, Text},
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

/// The commands around what a unit does. On SQLite they go with its first and its last statements, since a command by
/// itself costs as much as many statements. The write lock is taken at once: a transaction that reads first and asks for
/// it later fails however long it would wait. On Postgres a transaction begins before its unit, which shows whether the
/// connection still lives while nothing is lost yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    pub(crate) opening: &'static [&'static str],
    pub(crate) closing: Option<&'static str>,
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

    /// Begins a transaction that may write, where that is done before anything else: see [`Frame`].
    pub(crate) async fn begin(&mut self) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(_) => self.command("BEGIN").await,
        }
    }

    /// Returns the commands around what a unit does.
    pub(crate) const fn frame(&self, sharing: Sharing, has_begun: bool) -> Frame {
        match (self, sharing) {
            (Self::Sqlite(_), Sharing::One) => {
                Frame { opening: &["BEGIN IMMEDIATE"], closing: Some("COMMIT") }
            }
            (Self::Sqlite(_), Sharing::Several) if has_begun => {
                Frame { opening: &["SAVEPOINT unit"], closing: Some("RELEASE SAVEPOINT unit") }
            }
            (Self::Sqlite(_), Sharing::Several) => Frame {
                opening: &["BEGIN IMMEDIATE", "SAVEPOINT unit"],
                closing: Some("RELEASE SAVEPOINT unit"),
            },
            (Self::Postgres(_), _) => Frame { opening: &[], closing: None },
        }
    }

    /// Keeps what a unit did, if the whole is kept.
    pub(crate) async fn keep(&mut self, sharing: Sharing) -> Result<(), sqlx::Error> {
        match sharing {
            Sharing::One => Ok(()),
            Sharing::Several => self.command("RELEASE SAVEPOINT unit").await,
        }
    }

    /// Undoes what a unit did: all of the transaction if it had that alone, else what it did behind its savepoint.
    pub(crate) async fn undo(&mut self, sharing: Sharing) -> Result<(), sqlx::Error> {
        match sharing {
            Sharing::One => self.roll_back().await,
            Sharing::Several => self.command("ROLLBACK TO SAVEPOINT unit; RELEASE SAVEPOINT unit").await,
        }
    }

    pub(crate) async fn commit(&mut self) -> Result<(), sqlx::Error> {
        self.command("COMMIT").await
    }

    pub(crate) async fn roll_back(&mut self) -> Result<(), sqlx::Error> {
        self.command("ROLLBACK").await
    }

    /// Runs statements in order, up to the first that fails or misses its row.
    pub(crate) async fn run<R: Row>(
        &mut self,
        opening: &'static [&'static str],
        parts: Vec<Part>,
        closing: Option<&'static str>,
    ) -> Result<Ran<R>, Stopped> {
        match self {
            Self::Sqlite(on) => Text::of(opening, parts, closing).run(on).await,
            Self::Postgres(on) => postgres_run(on, parts).await,
        }
    }

    /// Runs a statement outside any transaction and returns every row that it brings.
    pub(crate) async fn rows<R: Row>(&mut self, statement: &impl Statement) -> Result<Vec<R>, sqlx::Error> {
        match self {
            Self::Sqlite(on) => sqlite_rows(on, statement).await,
            Self::Postgres(on) => postgres_rows(on, statement).await,
        }
    }

    /// Returns a statement in the words of this database.
    pub(crate) fn built(&self, statement: &impl Statement) -> Built {
        match self {
            Self::Sqlite(_) => sqlite_built(statement),
            Self::Postgres(_) => postgres_built(statement),
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
