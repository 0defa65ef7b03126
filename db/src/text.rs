//! A text of several statements for SQLite, and how far it was run.
//!
//! The driver runs such a text statement by statement, and each takes as many of the values as it has places for. What each
//! of them is for is known by its place.

use futures_util::{Stream, TryStreamExt};
use sea_query::Values;
use sea_query_sqlx::SqlxValues;
use sqlx::{
    Either, FromRow, SqliteConnection,
    sqlite::{SqliteQueryResult, SqliteRow},
};

use crate::{
    error::Trouble,
    sequence::{Built, Must, Part},
    statement::sqlite_steps,
};

/// Fails, by an overflow, unless the statement before it touched one row. It brings no row. There is no plainer way for a
/// statement to fail outside a trigger (<https://www.sqlite.org/lang_corefunc.html#abs>, `changes`).
const TOUCHED_ONE: &str = "SELECT 1 WHERE abs(iif(changes() = 1, 0, -9223372036854775808)) > 0";

/// Statements with their values, and what each of them is for.
#[derive(Default)]
pub(crate) struct Text {
    sql: String,
    values: Vec<sea_query::Value>,
    kinds: Vec<Kind>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Opening,
    Statement,
    Guard,
    Closing,
}

/// What a text brought.
pub(crate) struct Ran<R> {
    pub(crate) rows: Vec<R>,
    /// How many rows all of its statements touched.
    pub(crate) touched: u64,
}

/// Where a text was not run any further, and why.
pub(crate) enum Stopped {
    /// The transaction could not begin.
    Opening(sqlx::Error),
    /// The statement at this place among the statements did not touch one row.
    Missed(usize),
    /// A statement failed.
    Statement(sqlx::Error),
    /// The transaction could not be ended.
    Closing(sqlx::Error),
}

impl Text {
    /// Makes a text of these commands, statements and commands.
    pub(crate) fn of(
        opening: &'static [&'static str],
        parts: Vec<Part>,
        closing: Option<&'static str>,
    ) -> Self {
        let mut text = Self::default();
        opening.iter().for_each(|command| text.add(Kind::Opening, command));
        for Part { built, must } in parts {
            text.add_statement(built);
            if must == Must::TouchOne {
                text.add(Kind::Guard, TOUCHED_ONE);
            }
        }
        closing.into_iter().for_each(|command| text.add(Kind::Closing, command));
        text
    }

    fn add_statement(&mut self, (sql, SqlxValues(Values(values))): Built) {
        self.add(Kind::Statement, &sql);
        self.values.extend(values);
    }

    fn add(&mut self, kind: Kind, sql: &str) {
        if !self.kinds.is_empty() {
            self.sql.push_str("; ");
        }
        self.sql.push_str(sql);
        self.kinds.push(kind);
    }

    /// Runs the text up to the first statement that fails or misses its row.
    pub(crate) async fn run<R>(self, on: &mut SqliteConnection) -> Result<Ran<R>, Stopped>
    where
        R: for<'r> FromRow<'r, SqliteRow>,
    {
        let steps = sqlite_steps(on, (self.sql, SqlxValues(Values(self.values))));
        let (rows, touched) = taken_in(&self.kinds, steps).await?;
        // By now all of the text was run, so a row that cannot be read does not undo it.
        let last = self.kinds.last().copied().unwrap_or(Kind::Statement);
        let rows = rows.iter().map(R::from_row).collect::<Result<_, _>>();
        Ok(Ran { rows: rows.map_err(|error| stopped(last, 0, error))?, touched })
    }
}

/// Takes in what comes of a text whose statements are for this, and returns its rows and how many rows its statements touched.
/// A text that ends before its last statement did is one whose thread died.
async fn taken_in<Row>(
    kinds: &[Kind],
    mut steps: impl Stream<Item = Result<Either<SqliteQueryResult, Row>, sqlx::Error>> + Unpin,
) -> Result<(Vec<Row>, u64), Stopped> {
    let (mut rows, mut touched, mut done) = (Vec::new(), 0, 0);
    while let Some(kind) = kinds.get(done).copied() {
        match steps.try_next().await {
            Ok(Some(Either::Right(row))) if kind == Kind::Statement => rows.push(row),
            Ok(Some(Either::Right(_))) => {}
            Ok(Some(Either::Left(result))) => {
                done += 1;
                touched += if kind == Kind::Statement { result.rows_affected() } else { 0 };
            }
            Ok(None) => {
                return Err(stopped(kind, statements_before(kinds, done), sqlx::Error::WorkerCrashed));
            }
            Err(error) => return Err(stopped(kind, statements_before(kinds, done), error)),
        }
    }
    Ok((rows, touched))
}

/// Counts the statements among the first so many.
fn statements_before(kinds: &[Kind], done: usize) -> usize {
    kinds.iter().take(done).filter(|kind| **kind == Kind::Statement).count()
}

fn stopped(kind: Kind, statements: usize, error: sqlx::Error) -> Stopped {
    match kind {
        Kind::Opening => Stopped::Opening(error),
        Kind::Guard if Trouble::of(&error) == Trouble::Statement => {
            Stopped::Missed(statements.saturating_sub(1))
        }
        Kind::Guard | Kind::Statement => Stopped::Statement(error),
        Kind::Closing => Stopped::Closing(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(sql: &str, must: Must) -> Part {
        Part { built: (sql.into(), SqlxValues(Values(Vec::new()))), must }
    }

    #[test]
    fn a_text_begins_and_ends_the_transaction_and_guards_what_is_for_one_row() {
        let parts = vec![part("INSERT 1", Must::TouchAny), part("UPDATE 2", Must::TouchOne)];
        let text = Text::of(&["BEGIN IMMEDIATE"], parts, Some("COMMIT"));
        assert_eq!(text.sql, format!("BEGIN IMMEDIATE; INSERT 1; UPDATE 2; {TOUCHED_ONE}; COMMIT"));
        assert_eq!(statements_before(&text.kinds, 3), 2);
    }

    #[tokio::test]
    async fn a_text_whose_thread_dies_was_not_run_to_its_end() {
        let kinds = [Kind::Opening, Kind::Statement, Kind::Guard, Kind::Closing];
        let ended = || Ok::<_, sqlx::Error>(Either::<_, ()>::Left(SqliteQueryResult::default()));
        for so_far in 0..kinds.len() {
            let steps = futures_util::stream::iter((0..so_far).map(|_| ended()));
            let stopped = taken_in(&kinds, steps).await.err();
            match kinds[so_far] {
                Kind::Opening => assert!(matches!(stopped, Some(Stopped::Opening(_)))),
                Kind::Statement | Kind::Guard => assert!(matches!(stopped, Some(Stopped::Statement(_)))),
                Kind::Closing => assert!(matches!(stopped, Some(Stopped::Closing(_)))),
            }
        }
        let steps = futures_util::stream::iter((0..kinds.len()).map(|_| ended()));
        assert!(taken_in(&kinds, steps).await.is_ok());
    }

    #[test]
    fn only_a_guard_that_fails_as_guards_do_says_that_a_row_was_missed() {
        let overflow = || sqlx::Error::RowNotFound;
        let gone = || sqlx::Error::WorkerCrashed;
        assert!(matches!(stopped(Kind::Guard, 2, overflow()), Stopped::Missed(1)));
        assert!(matches!(stopped(Kind::Guard, 2, gone()), Stopped::Statement(_)));
        assert!(matches!(stopped(Kind::Statement, 2, overflow()), Stopped::Statement(_)));
        assert!(matches!(stopped(Kind::Closing, 2, overflow()), Stopped::Closing(_)));
        assert!(matches!(stopped(Kind::Opening, 0, overflow()), Stopped::Opening(_)));
    }
}
