//! The writer: takes the units of work that wait and runs them, one after another, on a connection that it owns.
//!
//! A unit never runs on its caller's future, so a caller that goes away cannot leave a transaction half done, and it
//! is answered only after COMMIT. What waits when the writer is free shares one commit: see `batch`. After trouble with
//! a connection nothing more runs on it: on a full disk SQLite ends the transaction by itself, and whatever followed
//! would be committed statement by statement.

use std::time::Duration;

use crate::{
    DatabaseUrl, DbError,
    batch::{Batch, Condition},
    connection::{Connection, Sharing},
    error::CONNECTION_FAILED,
    unit::{Ended, Job},
};

/// How long a unit may wait in the queue before it is answered without having run.
pub(crate) const QUEUE_LIMIT: Duration = Duration::from_secs(5);

/// How long the beginning of a transaction may take: a little longer than SQLite waits for a lock.
const BEGIN_LIMIT: Duration = Duration::from_secs(6);

/// How many units share a commit on SQLite, where syncing the disk costs more than the work. The last of them waits for
/// all the others, so the number also bounds that.
const MOST_ON_SQLITE: usize = 64;

/// On Postgres each unit has its own commit. Several writers work side by side there and the server joins their syncs;
/// two commits of several conversations each could wait for each other's locks.
const MOST_ON_POSTGRES: usize = 1;

/// Runs units until the queue is closed and empty.
pub(crate) async fn run(url: DatabaseUrl, queue: async_channel::Receiver<Job>) {
    let most = match url {
        DatabaseUrl::Sqlite(_) => MOST_ON_SQLITE,
        DatabaseUrl::Postgres(_) => MOST_ON_POSTGRES,
    };
    let mut connection = None;
    while let Ok(first) = queue.recv().await {
        let mut batch = Batch::default();
        take(first, &mut batch);
        while batch.len() < most
            && let Ok(next) = queue.try_recv()
        {
            take(next, &mut batch);
        }
        if !batch.is_empty() && run_batch(&mut connection, &url, batch).await == Condition::Condemned {
            tracing::warn!("a database connection is given up after trouble; the next write opens another");
            connection = None;
        }
    }
}

/// Adds a unit to a batch, unless it has waited so long that its caller is to hear that.
fn take(job: Job, batch: &mut Batch) {
    if job.queued_at.elapsed() > QUEUE_LIMIT {
        job.unit.answer(Ended::Lost(DbError::unavailable("the queue of writes is too long")));
    } else {
        batch.add(job.unit);
    }
}

async fn run_batch(connection: &mut Option<Connection>, url: &DatabaseUrl, batch: Batch) -> Condition {
    match begun(connection, url, batch.sharing()).await {
        Ok(open) => batch.run(open).await,
        Err(error) => {
            batch.lose(error);
            Condition::Sound
        }
    }
}

/// Begins a transaction. A connection may have died while it was idle: then a fresh one is tried, since nothing of the
/// batch has run yet.
async fn begun<'c>(
    connection: &'c mut Option<Connection>,
    url: &DatabaseUrl,
    sharing: Sharing,
) -> Result<&'c mut Connection, DbError> {
    let idle = connection.take();
    let was_idle = idle.is_some();
    let mut open = match idle {
        Some(open) => open,
        None => Connection::open(url).await?,
    };
    let mut began = begin(&mut open, sharing).await;
    if was_idle && matches!(began, Err(DbError::Unavailable { reason: CONNECTION_FAILED, .. })) {
        open = Connection::open(url).await?;
        began = begin(&mut open, sharing).await;
    }
    began?;
    Ok(connection.insert(open))
}

async fn begin(connection: &mut Connection, sharing: Sharing) -> Result<(), DbError> {
    match tokio::time::timeout(BEGIN_LIMIT, connection.begin(sharing)).await {
        Ok(began) => Ok(began?),
        Err(_elapsed) => Err(DbError::unavailable(CONNECTION_FAILED)),
    }
}
