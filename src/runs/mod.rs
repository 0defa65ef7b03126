//! Runs: started, followed and cancelled. A run belongs to the process, not to the request that asked for it.
//!
//! Everybody who listens, to a live run or to one long over, does so by [`Runs::follow`].

mod acceptance;
mod asked;
mod drive;
mod ending;
mod follow;
mod foresight;
mod herald;
mod kept;
mod live;
mod log;
mod memory;
mod reading;
mod recorder;
mod recovery;
mod resume;
mod start;
mod task_call;
mod turn;

use std::{sync::Arc, time::Duration};

pub use follow::{Followed, Heard};
use foresight::Foresight;
use kept::Kept;
use live::Shelf;
pub use recovery::Recovered;
pub use resume::TakenUp;
pub use start::{StartError, Started};
pub use task_call::{TaskCall, TaskCallError};
use tokio::sync::Semaphore;
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

/// How many turns may wait to be stored. Each is stored behind all that came before it, and one that waits too long fails with
/// all the work that was done for it; fewer would refuse a crowd that comes at once and can be served.
const MOST_WAITING: usize = 512;

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
    /// How often a run is attempted at most; 1 means that one that was cut short is not taken up again.
    pub attempts: i32,
    /// How many runs may be under way at once; the next one is refused.
    pub most: usize,
}

impl RunSettings {
    /// Tells whether a run that is cut short in this attempt may have another.
    const fn may_go_on_after(&self, attempt: i32) -> bool {
        attempt < self.attempts
    }
}

struct Inner {
    agent: Agent,
    models: Models,
    store: Store,
    clock: Clock,
    shutdown: Shutdown,
    shelf: Shelf,
    foresight: Foresight,
    kept: Kept,
    /// Places for runs under way.
    places: Arc<Semaphore>,
    /// The doors that turns wait in until they are stored.
    doors: Semaphore,
    settings: RunSettings,
    /// This process, as runs name their owner.
    owner: String,
}

impl Runs {
    /// Makes the room. Nothing runs before [`Runs::recover`] has settled what an earlier process left.
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
        let places = Arc::new(Semaphore::new(settings.most));
        let (foresight, kept) = (Foresight::default(), Kept::default());
        Self(Arc::new(Inner {
            agent,
            models,
            store,
            clock,
            shutdown,
            shelf,
            foresight,
            kept,
            places,
            doors: Semaphore::new(MOST_WAITING),
            settings,
            owner,
        }))
    }

    /// Returns the models that turns are made with.
    pub fn models(&self) -> &Models {
        &self.0.models
    }

    /// Forgets what is still told or kept of a conversation that was deleted.
    pub fn forget(&self, user: &UserId, conversation: ConversationId) {
        self.0.shelf.forget(user, conversation);
        drop(self.0.kept.take(user, conversation));
    }

    /// Cancels a run of the user and returns it as it is then, within a second. A finished run stays as it is.
    pub async fn cancel(&self, user: &UserId, run: RunId) -> Result<Option<Run>, StoreError> {
        let live = self.0.shelf.find(user, run).filter(|live| !live.is_over());
        let is_live = live.is_some();
        if let Some(live) = live {
            live.cancel.cancel();
            let both = async { tokio::join!(self.0.store.request_cancel(user, run), live.over()).0 };
            if let Ok(Err(error)) = tokio::time::timeout(CANCEL_LIMIT, both).await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error, run.id = %run, "a cancel could not be written down"
                );
            }
        }
        let found = self.0.store.find_run(user, run).await?;
        if found.as_ref().is_some_and(|found| !found.status.is_final()) && !is_live {
            // Nobody here runs it, but somebody may take it up.
            self.0.store.request_cancel(user, run).await?;
        }
        Ok(found)
    }
}
