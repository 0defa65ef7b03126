//! The transaction that a unit of work writes in.

use crate::{DbError, Row, Sequence, Statement, connection::Connection, error::Trouble, sequence::Built};

/// A running transaction. It has no `commit`: the writer commits after the unit has returned, and only if every
/// statement of the unit went well. After one that did not, the rest is refused.
pub struct Tx<'c> {
    connection: &'c mut Connection,
    trouble: Option<Trouble>,
}

impl<'c> Tx<'c> {
    pub(crate) const fn new(connection: &'c mut Connection) -> Self {
        Self { connection, trouble: None }
    }

    /// Runs a statement and returns how many rows it touched.
    pub async fn execute(&mut self, statement: &impl Statement) -> Result<u64, DbError> {
        self.refuse_after_trouble()?;
        let done = self.connection.execute(statement).await;
        self.watch(done)
    }

    /// Runs a statement and returns every row that it brings.
    pub async fn all<R: Row>(&mut self, statement: &impl Statement) -> Result<Vec<R>, DbError> {
        self.refuse_after_trouble()?;
        let rows = self.connection.rows(statement).await;
        self.watch(rows)
    }

    /// Runs a statement and returns the first row that it brings, if any.
    pub async fn find<R: Row>(&mut self, statement: &impl Statement) -> Result<Option<R>, DbError> {
        Ok(self.all(statement).await?.into_iter().next())
    }

    /// Begins a sequence of statements that go to the database together.
    pub const fn sequence(&mut self) -> Sequence<'_, 'c> {
        Sequence::new(self)
    }

    pub(crate) fn built(&self, statement: &impl Statement) -> Built {
        self.connection.built(statement)
    }

    pub(crate) async fn execute_each(&mut self, statements: Vec<Built>) -> Result<Vec<u64>, DbError> {
        self.refuse_after_trouble()?;
        let done = self.connection.execute_each(statements).await;
        self.watch(done)
    }

    /// Returns what went wrong, if anything did. A transaction with a failed statement is never committed,
    /// whatever its unit returned: Postgres would answer COMMIT by rolling back, without an error.
    pub(crate) const fn trouble(&self) -> Option<Trouble> {
        self.trouble
    }

    /// Runs nothing more once a statement has failed. Postgres would refuse it; SQLite may have ended the transaction, and
    /// would keep what follows, each statement by itself.
    const fn refuse_after_trouble(&self) -> Result<(), DbError> {
        match self.trouble {
            Some(_) => Err(DbError::unavailable("an earlier statement failed")),
            None => Ok(()),
        }
    }

    fn watch<T>(&mut self, outcome: Result<T, sqlx::Error>) -> Result<T, DbError> {
        outcome.map_err(|error| {
            self.trouble = Some(Trouble::of(&error));
            error.into()
        })
    }
}
