//! The tasks in the database. Every public method is one transaction or one read, and takes the user; nothing here can
//! be asked about the tasks of everybody.

mod ledger;
mod lists;
mod schema;
mod selectors;
mod tasks;

use std::fmt;

use chrono::{DateTime, SubsecRound, Utc};
use parlor_db::{Db, DbError, Migrations, Tx};

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
                let Some(mark) = mark else {
                    return apply(tx, &user, change, now).await;
                };
                if let Some(stored) = ledger::claim(tx, &user, &mark, now).await? {
                    return Ok(stored);
                }
                let task = apply(tx, &user, change, now).await?;
                ledger::settle(tx, &user, &mark, &task).await?;
                Ok(task)
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

async fn apply(
    tx: &mut Tx<'_>,
    user: &UserId,
    change: Change,
    now: DateTime<Utc>,
) -> Result<Task, StoreError> {
    match change {
        Change::Add(new) => {
            let task = new.numbered(tasks::next_number(tx, user).await?, now);
            tasks::insert(tx, user, &task).await?;
            Ok(task)
        }
        Change::Edit(selector, edit) => {
            let old = tasks::load_for_change(tx, user, &selector).await?;
            let new = edit.applied_to(&old, now);
            tasks::replace(tx, user, &new).await?;
            Ok(new)
        }
        Change::Delete(selector) => {
            let task = tasks::load_for_change(tx, user, &selector).await?;
            tasks::delete(tx, user, task.number, now).await?;
            Ok(task)
        }
    }
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
