//! How the service stops, in three steps: nothing new begins, then runs are interrupted, then connections end.
//!
//! Everything that runs in the background is spawned here, and shutdown waits for it.

use std::{future::Future, time::Duration};

use tokio::{task::JoinHandle, time::timeout};
use tokio_util::{
    sync::CancellationToken,
    task::{TaskTracker, task_tracker::TrackedFuture},
};

/// The one place where tasks are spawned, and the words that end them. Cloning is cheap.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    draining: CancellationToken,
    interrupting: CancellationToken,
    ending: CancellationToken,
    runs: TaskTracker,
    tasks: TaskTracker,
}

impl Shutdown {
    /// Spawns a task that shutdown waits for.
    pub fn spawn<T: Send + 'static>(&self, task: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        self.tasks.spawn(task)
    }

    /// Makes shutdown wait for a task that is spawned on another runtime.
    pub fn waits_for<F: Future>(&self, task: F) -> TrackedFuture<F> {
        self.tasks.track_future(task)
    }

    /// Runs what blocks for a moment on a thread of its own that shutdown waits for.
    pub fn spawn_blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        self.tasks.spawn_blocking(work)
    }

    /// Spawns a task that belongs to a run: it gets the grace before it is interrupted.
    pub fn spawn_run<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.runs.spawn(task)
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

    /// Says that runs must end now.
    pub fn interrupt(&self) {
        self.drain();
        self.interrupting.cancel();
    }

    /// Waits until runs must end.
    pub async fn interrupted(&self) {
        self.interrupting.cancelled().await;
    }

    /// Says that connections must end once they have said what they have to say.
    pub fn end(&self) {
        self.interrupt();
        self.ending.cancel();
    }

    /// Waits until connections must end.
    pub async fn ended(&self) {
        self.ending.cancelled().await;
    }

    /// Counts the tasks that shutdown would wait for now.
    pub fn tasks(&self) -> usize {
        self.runs.len() + self.tasks.len()
    }

    /// Waits until every run has ended, at most `limit`. Returns whether they all have.
    pub async fn runs_done(&self, limit: Duration) -> bool {
        self.runs.close();
        timeout(limit, self.runs.wait()).await.is_ok()
    }

    /// Waits until every other task has ended, at most `limit`. Returns whether they all have.
    pub async fn tasks_done(&self, limit: Duration) -> bool {
        self.tasks.close();
        timeout(limit, self.tasks.wait()).await.is_ok()
    }
}
