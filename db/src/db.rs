//! The handle that a store holds: one way to write, two ways to read.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use sqlx::{PgPool, SqlitePool, postgres::PgPoolOptions, sqlite::SqlitePoolOptions};
use tokio::{sync::oneshot, time::Instant};

use crate::{
    DatabaseUrl, DbError, Row, Statement, Tx,
    connection::{postgres_options, sqlite_options},
    statement::{postgres_rows, sqlite_rows},
    unit::{Job, Pending},
    writer::{QUEUE_LIMIT, Writers},
};

/// How many units may wait for a writer. Beyond it callers wait for a place, and no longer than [`QUEUE_LIMIT`].
const QUEUE_LENGTH: usize = 1024;

/// How many Postgres connections write at most; SQLite always has one.
const MOST_WRITERS: u32 = 8;

/// How long a reader waits for a free connection.
const ACQUIRE_LIMIT: Duration = Duration::from_secs(2);

/// How long a read may take.
const READ_LIMIT: Duration = Duration::from_secs(5);

/// How long closing waits for the last writes.
const CLOSE_LIMIT: Duration = Duration::from_secs(10);

/// An open database. Cloning is cheap; all clones share the writers and the pool.
#[derive(Clone)]
pub struct Db {
    inner: Arc<Inner>,
}

struct Inner {
    readers: Readers,
    queue: async_channel::Sender<Job>,
    writers: Arc<Writers>,
}

enum Readers {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl Db {
    /// Opens a database that [`crate::migrate`] has prepared. Connections are made when they are first needed, at
    /// most `max_connections` of them (never fewer than 2: one to write, one to read).
    pub fn open(url: &DatabaseUrl, max_connections: u32) -> Self {
        let max_connections = max_connections.max(2);
        let (readers, writer_count) = match url {
            DatabaseUrl::Sqlite(_) => (Readers::Sqlite(sqlite_readers(url, max_connections - 1)), 1),
            DatabaseUrl::Postgres(at) => {
                let writer_count = (max_connections / 2).min(MOST_WRITERS);
                let options = PgPoolOptions::new().max_connections(max_connections - writer_count);
                let pool =
                    options.acquire_timeout(ACQUIRE_LIMIT).connect_lazy_with(postgres_options(at.options()));
                (Readers::Postgres(pool), writer_count)
            }
        };
        let (queue, jobs) = async_channel::bounded(QUEUE_LENGTH);
        let writers = Writers::new(url.clone(), jobs, writer_count);
        Self { inner: Arc::new(Inner { readers, queue, writers }) }
    }

    /// Runs a unit of work, all of it or nothing, and returns its result once it is committed; a unit that returns an
    /// error is rolled back. On SQLite it may share its commit with units that wait at the same time: it sees what those
    /// before it wrote, and if the commit fails, all of them fail. The unit runs on a writer, so dropping this future
    /// does not stop it.
    ///
    /// # Errors
    /// The unit's own error, or a [`DbError`] made into it. After `Unavailable` the unit may or may not have been
    /// committed: a caller that must know reads it back.
    pub async fn write<T, E>(
        &self,
        unit: impl for<'t> FnOnce(&'t mut Tx<'_>) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let unit = Box::new(Pending { work: Some(unit), outcome: None, reply });
        let send = self.inner.queue.send(Job { unit, queued_at: Instant::now() });
        match tokio::time::timeout(QUEUE_LIMIT, send).await {
            Ok(Ok(())) => self.inner.writers.call(),
            Ok(Err(_closed)) => return Err(DbError::unavailable("it is closed").into()),
            Err(_elapsed) => return Err(DbError::unavailable("the queue of writes is full").into()),
        }
        match answer.await {
            Ok(outcome) => outcome,
            Err(_dropped) => Err(DbError::unavailable("the writer ended").into()),
        }
    }

    /// Reads every row of a statement, outside any transaction. The statement bounds how many there can be.
    pub async fn all<R: Row>(&self, statement: &impl Statement) -> Result<Vec<R>, DbError> {
        let reading = async {
            match &self.inner.readers {
                Readers::Sqlite(pool) => sqlite_rows(pool, statement).await,
                Readers::Postgres(pool) => postgres_rows(pool, statement).await,
            }
        };
        match tokio::time::timeout(READ_LIMIT, reading).await {
            Ok(rows) => Ok(rows?),
            Err(_elapsed) => Err(DbError::unavailable("a read took too long")),
        }
    }

    /// Reads the first row of a statement, if there is one.
    pub async fn find<R: Row>(&self, statement: &impl Statement) -> Result<Option<R>, DbError> {
        Ok(self.all(statement).await?.into_iter().next())
    }

    /// Takes no more work, finishes what is queued and closes every connection, within ten seconds.
    pub async fn close(&self) {
        self.inner.queue.close();
        let closing = async {
            self.inner.writers.close().await;
            match &self.inner.readers {
                Readers::Sqlite(pool) => pool.close().await,
                Readers::Postgres(pool) => pool.close().await,
            }
        };
        if tokio::time::timeout(CLOSE_LIMIT, closing).await.is_err() {
            tracing::warn!("the database did not close in time");
        }
    }
}

/// Opens the readers of a file. They are not asked whether they still live before each use: nothing lies between that could
/// have hung up.
fn sqlite_readers(url: &DatabaseUrl, most: u32) -> SqlitePool {
    SqlitePoolOptions::new()
        .test_before_acquire(false)
        .max_connections(most)
        .acquire_timeout(ACQUIRE_LIMIT)
        .connect_lazy_with(sqlite_options(url).pragma("query_only", "ON"))
}
