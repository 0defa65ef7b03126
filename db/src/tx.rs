//! The transaction that a unit of work writes in.

use crate::{
    DbError, Row, Sequence, SequenceError, Statement,
    connection::{Connection, Frame},
    error::Trouble,
    sequence::{Built, Must, Part},
    text::{Ran, Stopped},
};

/// A running transaction. It has no `commit`: the writer commits after the unit has returned, or with the last statements
/// of the unit, and only if every statement of it went well. After one that did not, the rest is refused.
pub struct Tx<'c> {
    connection: &'c mut Connection,
    frame: Frame,
    stage: Stage,
    /// Whether the unit has run its last statements.
    is_over: bool,
    trouble: Option<Trouble>,
    /// Why the transaction could not be ended with the last statements: nothing is known of what the unit did.
    unended: Option<DbError>,
}

/// What a unit leaves: how far the transaction has come, what went wrong, and why it could not be ended.
pub(crate) struct Traces {
    pub(crate) stage: Stage,
    pub(crate) trouble: Option<Trouble>,
    pub(crate) unended: Option<DbError>,
}

/// How far the transaction of a unit has come. On SQLite it begins with the first statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Unopened,
    Open,
    Closed,
}

/// Whether statements are the last ones of their unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Close {
    Not,
    Also,
}

impl<'c> Tx<'c> {
    pub(crate) const fn new(connection: &'c mut Connection, frame: Frame) -> Self {
        let stage = if frame.opening.is_empty() { Stage::Open } else { Stage::Unopened };
        Self { connection, frame, stage, is_over: false, trouble: None, unended: None }
    }

    /// Runs a statement and returns how many rows it touched.
    pub async fn execute(&mut self, statement: &impl Statement) -> Result<u64, DbError> {
        Ok(self.run_one::<(i64,)>(statement).await?.touched)
    }

    /// Runs a statement and returns every row that it brings.
    pub async fn all<R: Row>(&mut self, statement: &impl Statement) -> Result<Vec<R>, DbError> {
        Ok(self.run_one(statement).await?.rows)
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

    pub(crate) async fn run_parts(
        &mut self,
        parts: Vec<Part>,
        close: Close,
    ) -> Result<Vec<i64>, SequenceError> {
        let ran = self.run::<(i64,)>(parts, close).await?;
        Ok(ran.rows.into_iter().map(|(number,)| number).collect())
    }

    async fn run_one<R: Row>(&mut self, statement: &impl Statement) -> Result<Ran<R>, DbError> {
        let part = Part { built: self.built(statement), must: Must::TouchAny };
        match self.run(vec![part], Close::Not).await {
            Ok(ran) => Ok(ran),
            Err(SequenceError::Database(error)) => Err(error),
            Err(SequenceError::Missed(_)) => Err(DbError::unavailable("a statement was not checked")),
        }
    }

    /// Runs statements, with the commands before and behind them that are due.
    async fn run<R: Row>(&mut self, parts: Vec<Part>, close: Close) -> Result<Ran<R>, SequenceError> {
        self.refuse_after_trouble()?;
        let opening = if self.stage == Stage::Unopened { self.frame.opening } else { &[] };
        let closing = if close == Close::Also { self.frame.closing } else { None };
        if parts.is_empty() && opening.is_empty() && closing.is_none() {
            return Ok(Ran { rows: Vec::new(), touched: 0 });
        }
        // Whatever comes of it, there is something now that is to be ended.
        self.stage = Stage::Open;
        match self.connection.run(opening, parts, closing).await {
            Ok(ran) => {
                self.is_over = close == Close::Also;
                if closing.is_some() {
                    self.stage = Stage::Closed;
                }
                Ok(ran)
            }
            Err(Stopped::Missed(place)) => Err(SequenceError::Missed(place)),
            Err(Stopped::Statement(error)) => {
                self.trouble = Some(Trouble::of(&error));
                Err(SequenceError::Database(error.into()))
            }
            Err(Stopped::Opening(error)) => {
                self.trouble = Some(Trouble::Connection);
                Err(SequenceError::Database(error.into()))
            }
            Err(Stopped::Closing(error)) => {
                self.trouble = Some(Trouble::Connection);
                self.unended = Some(error.into());
                Err(SequenceError::Database(DbError::unavailable("the transaction could not be ended")))
            }
        }
    }

    /// Returns what is left of the transaction. One with a failed statement is never committed, whatever its unit returned:
    /// Postgres would answer COMMIT by rolling back, without an error.
    pub(crate) fn left(self) -> Traces {
        Traces { stage: self.stage, trouble: self.trouble, unended: self.unended }
    }

    /// Runs nothing more once a statement has failed, or the last ones were run. After a failure Postgres would refuse it;
    /// SQLite may have ended the transaction, and would keep what follows, each statement by itself.
    const fn refuse_after_trouble(&self) -> Result<(), DbError> {
        match self.trouble {
            Some(_) => Err(DbError::unavailable("an earlier statement failed")),
            None if self.is_over => Err(DbError::unavailable("the unit has run its last statements")),
            None => Ok(()),
        }
    }
}
