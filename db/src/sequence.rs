//! Statements that go to the database together.
//!
//! SQLite's driver works on a thread of its own, and the way there and back costs more than most statements do. So what
//! does not depend on what an earlier statement brought goes there in one piece: with the beginning of the transaction,
//! and with its end if the unit is done by then.

use sea_query_sqlx::SqlxValues;

use crate::{DbError, Statement, Tx, tx::Close};

/// A statement in the words of one database, with its values.
pub(crate) type Built = (String, SqlxValues);

/// One statement among others, and how many rows it is to touch.
pub(crate) struct Part {
    pub(crate) built: Built,
    pub(crate) must: Must,
}

/// How many rows a statement is to touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Must {
    TouchOne,
    TouchAny,
}

/// Statements to be run one after another within a unit of work. Those that bring a row bring one integer.
#[must_use = "a sequence does nothing until it is run"]
pub struct Sequence<'t, 'c> {
    tx: &'t mut Tx<'c>,
    parts: Vec<Part>,
}

/// A sequence was not run to its end.
#[derive(Debug, thiserror::Error)]
pub enum SequenceError {
    /// The statement at this place did not touch the one row that it is for. What stands before it was done and nothing
    /// behind it; the unit may go on.
    #[error("the statement at place {0} did not touch one row")]
    Missed(usize),
    /// A statement failed, and the unit with it.
    #[error(transparent)]
    Database(#[from] DbError),
}

impl<'t, 'c> Sequence<'t, 'c> {
    pub(crate) const fn new(tx: &'t mut Tx<'c>) -> Self {
        Self { tx, parts: Vec::new() }
    }

    /// Adds a statement that touches as many rows as there are.
    pub fn then(self, statement: &impl Statement) -> Self {
        self.with(statement, Must::TouchAny)
    }

    /// Adds a statement that is for exactly one row.
    pub fn one(self, statement: &impl Statement) -> Self {
        self.with(statement, Must::TouchOne)
    }

    /// Runs the statements and returns the integers that they brought. Behind one that fails, or misses its row, nothing is
    /// run.
    pub async fn run(self) -> Result<Vec<i64>, SequenceError> {
        self.tx.run_parts(self.parts, Close::Not).await
    }

    /// Runs the last statements of a unit. If nothing else shares its transaction, that is committed with them: the unit can
    /// do nothing more after this but return what it found.
    pub async fn last(self) -> Result<Vec<i64>, SequenceError> {
        self.tx.run_parts(self.parts, Close::Also).await
    }

    fn with(mut self, statement: &impl Statement, must: Must) -> Self {
        let built = self.tx.built(statement);
        self.parts.push(Part { built, must });
        self
    }
}
