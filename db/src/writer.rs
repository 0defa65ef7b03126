//! The writers: each takes the units of work that wait and runs them, one after another, on a connection that only it uses.
//!
//! A unit never runs on its caller's future, so a caller that goes away cannot leave a transaction half done, and it
//! is answered only after COMMIT. What waits when a writer is free shares one commit: see `batch`. After trouble with
//! a connection nothing more runs on it: on a full disk SQLite ends the transaction by itself, and whatever followed
//! would be committed statement by statement.
//!
//! A writer is a task while there is work, on the runtime of whoever brought the first of it: between two threads each unit
//! would cost two wake-ups more.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use tokio_util::task::TaskTracker;

use crate::{
    DatabaseUrl, DbError,
    batch::{Batch, Condition},
    connection::Connection,
    error::CONNECTION_FAILED,
    unit::{Ended, Job},
};

/// How long a unit may wait in the queue before it is answered without having run.
pub(crate) const QUEUE_LIMIT: Duration = Duration::from_secs(5);

/// How long Postgres may take to begin a transaction.
const BEGIN_LIMIT: Duration = Duration::from_secs(6);

/// How many units share a commit on SQLite, where syncing the disk costs more than the work. The last of them waits for
/// all the others, so the number also bounds that.
const MOST_ON_SQLITE: usize = 64;

/// On Postgres each unit has its own commit. Several writers work side by side there and the server joins their syncs;
/// two commits of several conversations each could wait for each other's locks.
const MOST_ON_POSTGRES: usize = 1;

/// The writers of a database.
pub(crate) struct Writers {
    url: DatabaseUrl,
    jobs: async_channel::Receiver<Job>,
    /// The seats where nobody is at work, with the connections that were left there.
    free: Mutex<Vec<Option<Connection>>>,
    at_work: TaskTracker,
}

impl Writers {
    /// Makes room for so many writers, which take what comes out of this queue. SQLite wants one.
    pub(crate) fn new(url: DatabaseUrl, jobs: async_channel::Receiver<Job>, count: u32) -> Arc<Self> {
        let (free, at_work) = (Mutex::new((0..count).map(|_| None).collect()), TaskTracker::new());
        at_work.close();
        Arc::new(Self { url, jobs, free, at_work })
    }

    /// Sees to it that what was put into the queue is worked off: by a writer that begins now, or by those at work.
    pub(crate) fn call(self: &Arc<Self>) {
        let free = self.free().pop();
        if let Some(connection) = free {
            self.at_work.spawn(work(Seat { writers: Arc::clone(self), connection, is_left: false }));
        }
    }

    /// Has what is queued worked off, waits until nobody is at work, and closes the connections.
    pub(crate) async fn close(self: &Arc<Self>) {
        self.call();
        self.at_work.wait().await;
        let left: Vec<Connection> = self.free().iter_mut().filter_map(Option::take).collect();
        for connection in left {
            connection.close().await;
        }
    }

    /// Takes as many units as may share a commit; nothing if none waits.
    fn next_batch(&self) -> Option<Batch> {
        let most = match self.url {
            DatabaseUrl::Sqlite(_) => MOST_ON_SQLITE,
            DatabaseUrl::Postgres(_) => MOST_ON_POSTGRES,
        };
        let mut batch = Batch::default();
        take(self.jobs.try_recv().ok()?, &mut batch);
        while batch.len() < most
            && let Ok(next) = self.jobs.try_recv()
        {
            take(next, &mut batch);
        }
        Some(batch)
    }

    fn free(&self) -> MutexGuard<'_, Vec<Option<Connection>>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where one writer works. However it leaves, the seat is free again; a connection that it leaves in the middle is given up.
struct Seat {
    writers: Arc<Writers>,
    /// None while it was not needed yet, and after trouble.
    connection: Option<Connection>,
    is_left: bool,
}

impl Seat {
    /// Leaves if there is nothing to do. Both are one step: whoever puts something into the queue looks for a free seat
    /// after that.
    fn leave_if_done(&mut self) {
        let mut free = self.writers.free();
        if self.writers.jobs.is_empty() {
            free.push(self.connection.take());
            self.is_left = true;
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.is_left {
            return;
        }
        self.writers.free().push(None);
        // Not where the runtime ends: there the next one would be dropped as it begins.
        if thread::panicking() {
            self.writers.call();
        }
    }
}

/// Runs units until the queue is empty.
async fn work(mut seat: Seat) {
    while !seat.is_left {
        while let Some(batch) = seat.writers.next_batch() {
            let Seat { writers, connection, .. } = &mut seat;
            if !batch.is_empty() && run_batch(connection, &writers.url, batch).await == Condition::Condemned {
                tracing::warn!(
                    "a database connection is given up after trouble; the next write opens another"
                );
                *connection = None;
            }
        }
        seat.leave_if_done();
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
    match begun(connection, url).await {
        Ok(open) => batch.run(open).await,
        Err(error) => {
            batch.lose(error);
            Condition::Sound
        }
    }
}

/// Begins a transaction, where that comes first. A connection may have died while it was idle: then a fresh one is tried, since nothing of the
/// batch has run yet.
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
