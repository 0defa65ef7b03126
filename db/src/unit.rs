//! A unit of work that waits for a writer: what is to be done, and whom to tell what became of it.

use futures_util::future::BoxFuture;
use tokio::{sync::oneshot, time::Instant};

use crate::{DbError, tx::Tx};

/// A unit of work in the queue.
pub(crate) struct Job {
    pub(crate) unit: Box<dyn Unit>,
    pub(crate) queued_at: Instant,
}

/// A unit of work with its answer still to give. An object, so that one queue holds units of every result type.
pub(crate) trait Unit: Send {
    /// Runs the work and keeps its outcome. Returns whether the unit wants it committed.
    fn run<'a>(&'a mut self, tx: &'a mut Tx<'_>) -> BoxFuture<'a, Wish>;
    /// Tells the caller.
    fn answer(self: Box<Self>, ended: Ended);
}

/// What a unit wants to become of what it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Commit,
    RollBack,
}

/// What became of a unit.
#[derive(Debug)]
pub(crate) enum Ended {
    /// What it asked for: its outcome counts.
    AsItWished,
    /// Nothing it did is kept, for this reason; if it failed by itself, its own reason is the better one.
    ByItsFault(DbError),
    /// Nothing is known of what it did. Whatever it found out may never have been so, even a refusal: it may have read
    /// what another unit of the same commit wrote.
    Lost(DbError),
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

    fn answer(self: Box<Self>, ended: Ended) {
        let outcome = match (ended, self.outcome) {
            (Ended::AsItWished, Some(outcome)) | (Ended::ByItsFault(_), Some(outcome @ Err(_))) => outcome,
            (Ended::AsItWished, None) => Err(DbError::Panicked.into()),
            (Ended::ByItsFault(error), Some(Ok(_)) | None) | (Ended::Lost(error), _) => Err(error.into()),
        };
        // A caller that went away does not want the answer; the work is done all the same.
        let _ = self.reply.send(outcome);
    }
}
