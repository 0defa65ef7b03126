//! How the service stops: everything that runs in the background is tracked, and shutdown waits for it.

use std::{future::Future, time::Duration};

use tokio::task::JoinHandle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The one place where tasks are spawned, and the word that they should end. Cloning is cheap.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    draining: CancellationToken,
    ending: CancellationToken,
    tasks: TaskTracker,
}

impl Shutdown {
    /// Spawns a task that shutdown waits for.
    pub fn spawn<T: Send + 'static>(&self, task: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        self.tasks.spawn(task)
    }

    /// Says that nothing new may begin; what runs may finish.
    pub fn drain(&self) {
        self.draining.cancel();
    }

    /// Tells whether nothing new may begin.
    pub fn is_draining(&self) -> bool {
        self.draining.is_cancelled()
    }

    /// Waits until nothing new may begin.
    pub async fn drained(&self) {
        self.draining.cancelled().await;
    }

    /// Says that what still runs must end now.
    pub fn end(&self) {
        self.drain();
        self.ending.cancel();
    }

    /// Waits until what still runs must end.
    pub async fn ended(&self) {
        self.ending.cancelled().await;
    }

    /// Waits until every task has ended, at most `limit`. Returns whether they all have.
    pub async fn wait(&self, limit: Duration) -> bool {
        self.tasks.close();
        tokio::time::timeout(limit, self.tasks.wait()).await.is_ok()
    }
}
