//! Runs: started, followed and cancelled. A run belongs to the process, not to the request that asked for it.
//!
//! Everybody who listens, to a live run or to one long over, does so by [`Runs::follow`].

mod drive;
mod ending;
mod follow;
mod herald;
mod live;
mod log;
mod recorder;
mod recovery;
mod start;
mod task_call;
mod turn;

use std::{sync::Arc, time::Duration};

pub use follow::{Followed, Heard};
use live::Shelf;
pub use start::{StartError, Started};
pub use task_call::{TaskCall, TaskCallError};
pub use turn::{NewTurn, Prompt};

use crate::{
    agent::Agent,
    clock::Clock,
    domain::{ConversationId, Models, Run, RunId, UserId},
    shutdown::Shutdown,
    store::{Store, StoreError},
};

/// How long a cancel waits for the run to end before it answers all the same.
const CANCEL_LIMIT: Duration = Duration::from_millis(950);

/// Runs of this process. Cloning is cheap.
#[derive(Clone)]
pub struct Runs(Arc<Inner>);

/// How runs are kept.
#[derive(Clone, Copy, Debug)]
pub struct RunSettings {
    /// How long a run may take.
    pub timeout: Duration,
    /// How long the log of a finished run stays in memory.
    pub live_log: Duration,
    /// How long an idempotency key is remembered.
    pub idempotency: Duration,
}

struct Inner {
    agent: Agent,
    models: Models,
    store: Store,
    clock: Clock,
    shutdown: Shutdown,
    shelf: Shelf,
    settings: RunSettings,
    /// This process, as runs name their owner.
    owner: String,
}

impl Runs {
    /// Makes the room. Nothing runs before [`Runs::recover`] has ended what an earlier process left.
    pub fn new(
        agent: Agent,
        models: Models,
        store: Store,
        clock: Clock,
        shutdown: Shutdown,
        settings: RunSettings,
    ) -> Self {
        let owner = uuid::Uuid::now_v7().to_string();
        let shelf = Shelf::new(settings.live_log);
        Self(Arc::new(Inner { agent, models, store, clock, shutdown, shelf, settings, owner }))
    }

    /// Returns the models that turns are made with.
    pub fn models(&self) -> &Models {
        &self.0.models
    }

    /// Forgets what is still told of a conversation that was deleted.
    pub fn forget(&self, user: &UserId, conversation: ConversationId) {
        self.0.shelf.forget(user, conversation);
    }

    /// Cancels a run of the user and returns it as it is then, within a second. A finished run stays as it is.
    pub async fn cancel(&self, user: &UserId, run: RunId) -> Result<Option<Run>, StoreError> {
        if let Some(live) = self.0.shelf.find(user, run) {
            live.cancel.cancel();
            let _ = tokio::time::timeout(CANCEL_LIMIT, live.over()).await;
        }
        self.0.store.find_run(user, run).await
    }
}
