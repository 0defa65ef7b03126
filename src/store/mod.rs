//! What is kept: conversations, their items, runs, calls and idempotency keys.
//!
//! A public method is one unit of [`Db::write`] or one read, and takes the user (but for the steps of a run, which
//! name the run and its attempt). No transaction lives across a model or tool call.

mod accept;
mod again;
mod begin;
mod calls;
mod context;
mod conversations;
mod feedback;
mod finish;
mod items;
mod keys;
mod lists;
mod orphans;
mod replay;
mod runs;
mod schema;
mod steps;

use parlor_db::{Db, DbError, Migrations, SequenceError};

pub use accept::{Accept, AcceptError, Accepted, Place, Refusal};
pub use again::Again;
pub use begin::NewRun;
pub use context::ContextPage;
pub use conversations::{ConversationEdit, ConversationPage, Deleted};
pub use finish::Ending;
pub use items::ItemPage;
pub use keys::IdempotencyKey;
pub use lists::PastCall;
pub use orphans::{OpenRun, TakenOver};
pub use runs::Partial;
pub use steps::Hold;

use crate::clock::Clock;

/// The store of the service. Cloning is cheap.
#[derive(Clone)]
pub struct Store {
    db: Db,
    clock: Clock,
}

/// Why something was not kept or not found out.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
    /// The run ended, was deleted, or another attempt took it over; the writer must stop.
    #[error("the run is no longer this attempt's")]
    Fenced,
    /// What is stored cannot be read: a fault of ours.
    #[error("stored {what} cannot be read")]
    Corrupt {
        /// What it should have been.
        what: &'static str,
        /// Why it is not.
        #[source]
        source: Option<serde_json::Error>,
    },
}

impl From<SequenceError> for StoreError {
    /// A step that misses its row is one of a run that is no longer this attempt's.
    fn from(error: SequenceError) -> Self {
        match error {
            SequenceError::Missed(_) => Self::Fenced,
            SequenceError::Database(error) => error.into(),
        }
    }
}

impl StoreError {
    /// Tells whether trying again later may help.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Database(DbError::Unavailable { .. }))
    }

    const fn corrupt(what: &'static str) -> Self {
        Self::Corrupt { what, source: None }
    }
}

impl Store {
    /// Makes the store on an open database that has every migration.
    pub const fn new(db: Db, clock: Clock) -> Self {
        Self { db, clock }
    }

    /// Returns the migrations of the service's tables.
    pub fn migrations() -> Migrations {
        let sqlite = sqlx::migrate!("migrations/sqlite");
        Migrations::new(sqlite, sqlx::migrate!("migrations/postgres"), "_parlor_migrations")
    }

    /// Tells whether the database answers and has every migration.
    pub async fn is_current(&self) -> Result<bool, StoreError> {
        Ok(parlor_db::is_current(&self.db, &Self::migrations()).await?)
    }

    /// Finishes what is queued and closes every connection, within ten seconds.
    pub async fn close(&self) {
        self.db.close().await;
    }
}

/// Turns a value of ours into the JSON text that is stored.
fn to_json(what: &'static str, value: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|source| StoreError::Corrupt { what, source: Some(source) })
}

/// Reads a value of ours from the JSON text that was stored.
fn from_json<T: serde::de::DeserializeOwned>(what: &'static str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|source| StoreError::Corrupt { what, source: Some(source) })
}
