//! Two databases, one spelling. Owns no table: the packages above bring their own statements and migrations.
//!
//! All writes go through [`Db::write`]; reads go through [`Db::all`] and [`Db::find`]. Nothing else opens a connection
//! but the migrator, and [`inspect`], which only looks.

mod batch;
mod connection;
mod db;
mod error;
mod inspect;
mod lock;
mod migrate;
mod sequence;
mod statement;
#[cfg(feature = "testing")]
#[expect(clippy::expect_used, clippy::panic, reason = "it only ever runs inside tests")]
pub mod testing;
mod text;
mod tx;
mod unit;
mod url;
mod writer;

pub use db::Db;
pub use error::DbError;
pub use inspect::{InspectError, Schema, inspect};
pub use lock::{FileLock, LockError};
pub use migrate::{MigrateError, Migrations, is_current, migrate};
pub use sequence::{Sequence, SequenceError};
pub use statement::{Row, Statement};
pub use tx::Tx;
pub use url::{DatabaseUrl, DatabaseUrlError};
