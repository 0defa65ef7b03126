//! Seats for those who listen to a run. There are only so many; whoever finds none is refused before anything is written.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_stream::StreamExt;

use super::{problem::Problem, sse::Listening};

/// The seats that there are. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Seats(Arc<Semaphore>);

/// One seat, until it is dropped.
pub(super) struct Seat(OwnedSemaphorePermit);

impl Seats {
    /// Makes so many seats.
    pub fn new(count: usize) -> Self {
        Self(Arc::new(Semaphore::new(count)))
    }

    /// Takes a seat, at once or not at all.
    pub(super) fn take(&self) -> Result<Seat, Problem> {
        Arc::clone(&self.0).try_acquire_owned().map(Seat).map_err(|_full| Problem::Overloaded)
    }
}

impl Seat {
    /// Keeps the seat for as long as somebody listens.
    pub(super) fn listens(self, to: Listening) -> Listening {
        Box::pin(to.map(move |heard| {
            let Self(_taken) = &self;
            heard
        }))
    }
}
