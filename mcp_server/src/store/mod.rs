//! The tasks in the database. Every public method is one transaction or one read, and takes the user; nothing here can
//! be asked about the tasks of everybody.

mod ledger;
mod lists;
mod schema;
mod selectors;
mod tasks;

use std::fmt;

use chrono::{DateTime, SubsecRound, Utc};
use parlor_db::{Db, DbError, Migrations, SequenceError, Tx};

pub use ledger::{ArgumentsHash, Mark};

use crate::{
    identity::UserId,
    task::{Change, Filter, Page, Selector, Task},
};

/// What tells the time. A plain function, so that a test can put another in its place.
pub type Clock = fn() -> DateTime<Utc>;

/// Returns the migrations of the task server.
pub fn migrations() -> Migrations {
    let sqlite = sqlx::migrate!("migrations/sqlite");
    Migrations::new(sqlite, sqlx::migrate!("migrations/postgres"), "_parlor_tasks_migrations")
}

/// The tasks of all users, one user at a time.
#[derive(Clone)]
pub struct TaskStore {
    db: Db,
    clock: Clock,
}

/// Why a task could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The user has no such task.
    #[error("{}", not_found(.0))]
    TaskNotFound(Selector),
    /// Several tasks have the given text in their titles.
    #[error("{candidates} match `{text}`; call again with the `number` of the one that is meant")]
    AmbiguousTitle {
        /// The text.
        text: String,
        /// The tasks.
        candidates: Candidates,
    },
    /// The call key stands for another call.
    #[error("this call key was used for another call; a new call needs a new key")]
    CallKeyReused,
    /// A stored word or result is not one of ours.
    #[error("the database holds what this version cannot read")]
    Unreadable(#[source] serde_json::Error),
    /// The database failed.
    #[error("the database failed")]
    Db(#[from] DbError),
}

impl From<SequenceError> for StoreError {
    /// Nothing but a key is claimed by one row.
    fn from(error: SequenceError) -> Self {
        match error {
            SequenceError::Missed(_) => Self::CallKeyReused,
            SequenceError::Database(error) => error.into(),
        }
    }
}

/// The tasks that a text might mean: the first few, by number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidates {
    /// Number and title of each.
    pub tasks: Vec<(i64, String)>,
    /// Whether there are more than these.
    pub has_more: bool,
}

impl TaskStore {
    /// Works on an open database that has our [`migrations`], with the time of the system.
    pub fn new(db: Db) -> Self {
        Self::with_clock(db, now)
    }

    /// Works on an open database that has our [`migrations`], with the time of a given clock.
    pub const fn with_clock(db: Db, clock: Clock) -> Self {
        Self { db, clock }
    }

    /// Changes one task and returns what it is now, or what it was if it is deleted.
    ///
    /// With a mark the change happens once: the mark's key and the result are stored in the same transaction, and a
    /// repeat, be it at the same moment, returns the stored result and changes nothing. A change that fails changed
    /// nothing and leaves its key free.
    pub async fn change(
        &self,
        user: &UserId,
        change: Change,
        mark: Option<Mark>,
    ) -> Result<Task, StoreError> {
        let (user, now) = (user.clone(), (self.clock)());
        let unit = self.db.write(move |tx| {
            Box::pin(async move {
                match begin(tx, &user, &change, mark.as_ref(), now).await? {
                    Begun::Now { number } => apply(tx, &user, change, number, mark.as_ref(), now).await,
                    Begun::Before(task) => Ok(task),
                }
            })
        });
        unit.await
    }

    /// Reads a page of the user's tasks.
    pub async fn list(&self, user: &UserId, filter: &Filter) -> Result<Page, StoreError> {
        lists::page(&self.db, user, filter).await
    }

    /// Finishes what is being written and lets go of the database.
    pub async fn close(&self) {
        self.db.close().await;
    }
}

/// Returns the time, in the microseconds that both databases keep.
fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}

/// Whether a change is still to be made.
enum Begun {
    /// It is, with this number if it adds a task.
    Now { number: Option<i64> },
    /// It was made before, and this came of it.
    Before(Task),
}

/// Claims the key of a change, and a number for a new task.
async fn begin(
    tx: &mut Tx<'_>,
    user: &UserId,
    change: &Change,
    mark: Option<&Mark>,
    now: DateTime<Utc>,
) -> Result<Begun, StoreError> {
    let mut begin = tx.sequence();
    if let Some(mark) = mark {
        begin = begin.one(&ledger::claiming(user, mark, now));
    }
    if matches!(change, Change::Add(_)) {
        begin = begin.then(&tasks::next_number(user));
    }
    match (begin.run().await, mark) {
        (Err(SequenceError::Missed(_)), Some(mark)) => {
            ledger::stored(tx, user, mark).await.map(Begun::Before)
        }
        (begun, _) => Ok(Begun::Now { number: begun?.first().copied() }),
    }
}

/// Makes a change and keeps what came of it under its key.
async fn apply(
    tx: &mut Tx<'_>,
    user: &UserId,
    change: Change,
    number: Option<i64>,
    mark: Option<&Mark>,
    now: DateTime<Utc>,
) -> Result<Task, StoreError> {
    let (task, mut last) = match change {
        Change::Add(new) => {
            // Both databases answer an upsert with its row.
            let task = new.numbered(number.unwrap_or(1), now);
            let insertion = tasks::insertion(user, &task);
            (task, tx.sequence().then(&insertion))
        }
        Change::Edit(selector, edit) => {
            let new = edit.applied_to(&tasks::load_for_change(tx, user, &selector).await?, now);
            let replacement = tasks::replacement(user, &new);
            (new, tx.sequence().then(&replacement))
        }
        Change::Delete(selector) => {
            let task = tasks::load_for_change(tx, user, &selector).await?;
            let deletion = tasks::deletion(user, task.number, now);
            (task, tx.sequence().then(&deletion))
        }
    };
    if let Some(mark) = mark {
        last = last.then(&ledger::settling(user, mark, &task)?);
    }
    last.last().await?;
    Ok(task)
}

/// Folds a text so that two that differ only in case become one. Through upper case, because that also joins letters
/// that have two small forms.
fn fold(text: &str) -> String {
    text.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}

fn not_found(selector: &Selector) -> String {
    match selector {
        Selector::Number(number) => {
            format!("there is no task {number}; call list_tasks to see the numbers")
        }
        Selector::Title(text) => {
            format!("no task has `{text}` in its title; call list_tasks to see the titles and numbers")
        }
    }
}

impl fmt::Display for Candidates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tasks ")?;
        for (place, (number, title)) in self.tasks.iter().enumerate() {
            let gap = if place == 0 { "" } else { ", " };
            write!(f, "{gap}{number} ({title})")?;
        }
        f.write_str(if self.has_more { " and more" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_differ_only_in_case_fold_to_one() {
        for (left, right) in
            [("Buy MILK", "buy milk"), ("STRASSE", "straße"), ("ΟΔΟΣ", "οδος"), ("Ünï", "üNÏ")]
        {
            assert_eq!(fold(left), fold(right));
        }
        assert_ne!(fold("a"), fold("ä"));
    }
}
