//! The writer: takes units of work from a queue and runs each in a transaction on a connection that it owns.
//!
//! A unit never runs on its caller's future, so a caller that goes away cannot leave a transaction half done, and it
//! is answered only after COMMIT. After trouble with a connection nothing more runs on it: on a full disk SQLite ends
//! the transaction by itself, and whatever followed would be committed statement by statement.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures_util::{FutureExt, future::BoxFuture};
use tokio::{sync::oneshot, time::Instant};

use crate::{
    DatabaseUrl, DbError,
    connection::Connection,
    error::{CONNECTION_FAILED, Trouble},
    tx::Tx,
};

/// How long a unit may wait in the queue before it is answered without having run.
pub(crate) const QUEUE_LIMIT: Duration = Duration::from_secs(5);

/// How long a unit may take, COMMIT included. Its statements have shorter limits of their own; this one catches a
/// server that stopped answering.
const UNIT_LIMIT: Duration = Duration::from_secs(15);

/// How long the beginning of a transaction may take: a little longer than SQLite waits for a lock.
const BEGIN_LIMIT: Duration = Duration::from_secs(6);

/// A unit of work in the queue.
pub(crate) struct Job {
    pub(crate) unit: Box<dyn Unit>,
    pub(crate) queued_at: Instant,
}

/// A unit of work with its answer still to give. An object, so that one queue holds units of every result type.
pub(crate) trait Unit: Send {
    /// Runs the work and keeps its outcome. Returns whether the unit wants it committed.
    fn run<'a>(&'a mut self, tx: &'a mut Tx<'_>) -> BoxFuture<'a, Wish>;
    /// Gives the caller the kept outcome, or the failure that stands over it.
    fn answer(self: Box<Self>, ended: Result<(), DbError>);
}

/// What a unit wants to become of its transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Commit,
    RollBack,
}

/// A closure with the channel that its result goes to.
pub(crate) struct Pending<F, T, E> {
    pub(crate) work: Option<F>,
    pub(crate) outcome: Option<Result<T, E>>,
    pub(crate) reply: oneshot::Sender<Result<T, E>>,
}

impl<F, T, E> Unit for Pending<F, T, E>
where
    F: for<'t> FnOnce(&'t mut Tx<'_>) -> BoxFuture<'t, Result<T, E>> + Send,
    T: Send,
    E: From<DbError> + Send,
{
    fn run<'a>(&'a mut self, tx: &'a mut Tx<'_>) -> BoxFuture<'a, Wish> {
        Box::pin(async move {
            let Some(work) = self.work.take() else { return Wish::RollBack };
            let outcome = work(tx).await;
            let wish = if outcome.is_ok() { Wish::Commit } else { Wish::RollBack };
            self.outcome = Some(outcome);
            wish
        })
    }

    fn answer(self: Box<Self>, ended: Result<(), DbError>) {
        let outcome = match (ended, self.outcome) {
            (Ok(()), Some(outcome)) | (Err(_), Some(outcome @ Err(_))) => outcome,
            (Ok(()), None) => Err(DbError::Panicked.into()),
            (Err(error), _) => Err(error.into()),
        };
        // A caller that went away does not want the answer; the work is done all the same.
        let _ = self.reply.send(outcome);
    }
}

/// Runs units until the queue is closed and empty.
pub(crate) async fn run(url: DatabaseUrl, queue: async_channel::Receiver<Job>) {
    let mut connection = None;
    while let Ok(job) = queue.recv().await {
        if job.queued_at.elapsed() > QUEUE_LIMIT {
            job.unit.answer(Err(DbError::unavailable("the queue of writes is too long")));
            continue;
        }
        let open = match begun(&mut connection, &url).await {
            Ok(open) => open,
            Err(error) => {
                job.unit.answer(Err(error));
                continue;
            }
        };
        if run_one(open, job.unit).await == Condition::Condemned {
            tracing::warn!("a database connection is given up after trouble; the next write opens another");
            connection = None;
        }
    }
}

/// Begins a transaction. A connection may have died while it was idle: then a fresh one is tried, since nothing of the
/// unit has run yet.
async fn begun<'c>(
    connection: &'c mut Option<Connection>,
    url: &DatabaseUrl,
) -> Result<&'c mut Connection, DbError> {
    let idle = connection.take();
    let was_idle = idle.is_some();
    let mut open = match idle {
        Some(open) => open,
        None => Connection::open(url).await?,
    };
    let mut began = begin(&mut open).await;
    if was_idle && matches!(began, Err(DbError::Unavailable { reason: CONNECTION_FAILED, .. })) {
        open = Connection::open(url).await?;
        began = begin(&mut open).await;
    }
    began?;
    Ok(connection.insert(open))
}

async fn begin(connection: &mut Connection) -> Result<(), DbError> {
    match tokio::time::timeout(BEGIN_LIMIT, connection.begin()).await {
        Ok(began) => Ok(began?),
        Err(_elapsed) => Err(DbError::unavailable(CONNECTION_FAILED)),
    }
}

/// Whether a connection may be used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    Sound,
    Condemned,
}

async fn run_one(connection: &mut Connection, mut unit: Box<dyn Unit>) -> Condition {
    let work = AssertUnwindSafe(transact(connection, unit.as_mut())).catch_unwind();
    let (ended, condition) = match tokio::time::timeout(UNIT_LIMIT, work).await {
        Ok(Ok(done)) => done,
        Ok(Err(_panic)) => (Err(DbError::Panicked), Condition::Condemned),
        Err(_elapsed) => (Err(DbError::unavailable("a write took too long")), Condition::Condemned),
    };
    unit.answer(ended);
    condition
}

/// Runs a unit in the transaction that has begun, and ends the transaction.
async fn transact(connection: &mut Connection, unit: &mut dyn Unit) -> (Result<(), DbError>, Condition) {
    let mut tx = Tx::new(connection);
    let wish = unit.run(&mut tx).await;
    match (wish, tx.trouble()) {
        (_, Some(Trouble::Connection)) => {
            (Err(DbError::unavailable("the connection failed in the middle")), Condition::Condemned)
        }
        (Wish::Commit, None) => match connection.commit().await {
            Ok(()) => (Ok(()), Condition::Sound),
            Err(error) => (Err(error.into()), Condition::Condemned),
        },
        (Wish::Commit, Some(Trouble::Statement | Trouble::Busy)) => {
            (Err(DbError::unavailable("a statement failed and was overlooked")), roll_back(connection).await)
        }
        (Wish::RollBack, Some(Trouble::Statement | Trouble::Busy) | None) => {
            (Ok(()), roll_back(connection).await)
        }
    }
}

async fn roll_back(connection: &mut Connection) -> Condition {
    match connection.roll_back().await {
        Ok(()) => Condition::Sound,
        Err(_) => Condition::Condemned,
    }
}
