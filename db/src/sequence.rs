//! Statements that go to the database together.
//!
//! SQLite's driver works on a thread of its own, and the way there and back costs more than most statements do. So what
//! does not depend on what an earlier statement brought goes there in one piece.

use sea_query::Values;
use sea_query_sqlx::SqlxValues;

use crate::{DbError, Statement, Tx};

/// A statement in the words of one database, with its values.
pub(crate) type Built = (String, SqlxValues);

/// Statements that bring no rows, to be run one after another within a unit of work.
#[must_use = "a sequence does nothing until it is run"]
pub struct Sequence<'t, 'c> {
    tx: &'t mut Tx<'c>,
    statements: Vec<Built>,
}

impl<'t, 'c> Sequence<'t, 'c> {
    pub(crate) const fn new(tx: &'t mut Tx<'c>) -> Self {
        Self { tx, statements: Vec::new() }
    }

    /// Adds a statement.
    pub fn then(mut self, statement: &impl Statement) -> Self {
        self.statements.push(self.tx.built(statement));
        self
    }

    /// Runs the statements and returns how many rows each touched. Behind one that fails nothing is run.
    pub async fn run(self) -> Result<Vec<u64>, DbError> {
        self.tx.execute_each(self.statements).await
    }
}

/// Makes one text of several statements, and one list of their values. SQLite's driver runs such a text statement by
/// statement, and each takes as many of the values as it has places for.
pub(crate) fn joined(statements: Vec<Built>) -> Built {
    let (mut text, mut all) = (String::new(), Vec::new());
    for (sql, SqlxValues(Values(values))) in statements {
        text.push_str(&sql);
        text.push_str("; ");
        all.extend(values);
    }
    text.truncate(text.trim_end_matches("; ").len());
    (text, SqlxValues(Values(all)))
}
