//! Two databases, one spelling. Owns no table: the packages above bring their own statements and migrations.

mod url;

pub use url::{DatabaseUrl, DatabaseUrlError};
