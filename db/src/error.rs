//! What can go wrong with a database, sorted by what the caller can do about it.

use sqlx::error::DatabaseError;

/// What is said of a connection that is gone.
pub(crate) const CONNECTION_FAILED: &str = "the connection failed";

/// A failed read or write.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// The database cannot be reached, is full, or did not answer in time; trying again later may help. After a
    /// failed write nothing is known about whether it took effect.
    #[error("the database is unavailable: {reason}")]
    Unavailable {
        /// What was being done.
        reason: &'static str,
        /// What the driver said, if it said anything.
        #[source]
        source: Option<sqlx::Error>,
    },
    /// The database refused a statement: a fault of ours.
    #[error("the database refused a statement")]
    Refused(#[source] sqlx::Error),
    /// The unit of work panicked; it was rolled back.
    #[error("a unit of work panicked")]
    Panicked,
}

impl DbError {
    pub(crate) const fn unavailable(reason: &'static str) -> Self {
        Self::Unavailable { reason, source: None }
    }
}

impl From<sqlx::Error> for DbError {
    fn from(error: sqlx::Error) -> Self {
        match Trouble::of(&error) {
            Trouble::Statement => Self::Refused(error),
            Trouble::Busy => Self::Unavailable { reason: "it is locked or too slow", source: Some(error) },
            Trouble::Connection => Self::Unavailable { reason: CONNECTION_FAILED, source: Some(error) },
        }
    }
}

/// What an error says about the connection that it happened on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The statement failed; the connection is sound.
    Statement,
    /// Somebody else holds a lock; the connection is sound.
    Busy,
    /// Nothing more may run on the connection.
    Connection,
}

impl Trouble {
    pub(crate) fn of(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(error) => Self::of_database(error.as_ref()),
            sqlx::Error::PoolTimedOut => Self::Busy,
            sqlx::Error::RowNotFound
            | sqlx::Error::ColumnNotFound(_)
            | sqlx::Error::ColumnIndexOutOfBounds { .. }
            | sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::TypeNotFound { .. }
            | sqlx::Error::Decode(_)
            | sqlx::Error::Encode(_) => Self::Statement,
            _ => Self::Connection,
        }
    }

    fn of_database(error: &dyn DatabaseError) -> Self {
        let Some(code) = error.code() else { return Self::Connection };
        match code.parse::<u32>() {
            Ok(number) if code.len() != 5 => Self::of_sqlite(number),
            _ => Self::of_postgres(&code),
        }
    }

    /// Sorts a SQLite result code; the low byte is the primary one (<https://www.sqlite.org/rescode.html>).
    const fn of_sqlite(code: u32) -> Self {
        match code & 0xff {
            5 | 6 => Self::Busy,
            // NOMEM, READONLY, IOERR, CORRUPT, FULL, CANTOPEN, NOTADB: the transaction may be gone under us.
            7 | 8 | 10 | 11 | 13 | 14 | 26 => Self::Connection,
            _ => Self::Statement,
        }
    }

    /// Sorts a SQLSTATE (Postgres manual, appendix A).
    fn of_postgres(code: &str) -> Self {
        match code {
            "55P03" | "57014" | "40001" | "40P01" | "53300" => Self::Busy,
            _ if code.starts_with("08") || code.starts_with("53") || code.starts_with("57P") => {
                Self::Connection
            }
            // A server that became read-only (a failover) or ended the transaction by itself.
            "25006" | "25P03" => Self::Connection,
            _ if code.starts_with("58") || code.starts_with("XX") => Self::Connection,
            _ => Self::Statement,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_or_a_broken_file_condemns_the_connection() {
        for code in [7, 8, 10, 11, 13, 14, 26, 10 | (3 << 8)] {
            assert_eq!(Trouble::of_sqlite(code), Trouble::Connection, "{code}");
        }
        assert_eq!(Trouble::of_sqlite(5 | (2 << 8)), Trouble::Busy);
        assert_eq!(Trouble::of_sqlite(19 | (8 << 8)), Trouble::Statement);
    }

    #[test]
    fn a_postgres_that_shuts_down_condemns_the_connection_and_a_constraint_does_not() {
        assert_eq!(Trouble::of_postgres("57P01"), Trouble::Connection);
        assert_eq!(Trouble::of_postgres("53100"), Trouble::Connection);
        assert_eq!(Trouble::of_postgres("25006"), Trouble::Connection);
        assert_eq!(Trouble::of_postgres("57014"), Trouble::Busy);
        assert_eq!(Trouble::of_postgres("23505"), Trouble::Statement);
    }
}
