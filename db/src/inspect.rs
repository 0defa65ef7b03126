//! Looks at a database without changing it: whether it is there, and how its schema compares with this program's.
//! Starting the service migrates; whoever only wants to know must not.

use std::{collections::BTreeSet, path::Path};

use rustix::fs::{Access, access};
use sea_query::{Alias, Expr, ExprTrait, Query};

use crate::{DatabaseUrl, DbError, Migrations, connection::Connection};

/// How a database stands to the migrations of this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schema {
    /// The SQLite file is not there; the first start makes it.
    NoFile,
    /// Nothing of ours is in it; the first start makes it.
    Fresh,
    /// So many migrations are still to be done; the next start does them.
    Behind(usize),
    /// Every migration is done.
    Current,
    /// It has migrations that this program does not know: a newer one was here.
    Ahead,
}

/// Why nothing can be said about a database, or why it could not be used.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// The file or its folder lets nobody write.
    #[error("{} cannot be written to", path.display())]
    ReadOnly {
        /// The file or the folder.
        path: std::path::PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// It cannot be reached or read.
    #[error(transparent)]
    Database(#[from] DbError),
}

/// Says how a database stands. Nothing is created, locked for long or written.
pub async fn inspect(url: &DatabaseUrl, migrations: &Migrations) -> Result<Schema, InspectError> {
    if let DatabaseUrl::Sqlite(path) = url {
        // SQLite keeps its journal beside the file.
        check_writable(path.parent().unwrap_or(Path::new("/")))?;
        if !path.exists() {
            return Ok(Schema::NoFile);
        }
        check_writable(path)?;
    }
    let mut connection = Connection::open_to_look(url).await?;
    let compared = compare(&mut connection, url, migrations).await;
    connection.close().await;
    Ok(compared.map_err(DbError::from)?)
}

fn check_writable(path: &Path) -> Result<(), InspectError> {
    access(path, Access::WRITE_OK)
        .map_err(|error| InspectError::ReadOnly { path: path.to_owned(), source: error.into() })
}

async fn compare(
    connection: &mut Connection,
    url: &DatabaseUrl,
    migrations: &Migrations,
) -> Result<Schema, sqlx::Error> {
    if connection.rows::<(String,)>(&bookkeeping(url, migrations.table)).await?.is_empty() {
        return Ok(Schema::Fresh);
    }
    let done = Query::select()
        .column(Alias::new("version"))
        .from(Alias::new(migrations.table))
        .and_where(Expr::col(Alias::new("success")).eq(true))
        .to_owned();
    let done = connection.rows::<(i64,)>(&done).await?.into_iter().map(|(version,)| version).collect();
    Ok(standing(&migrations.sqlite.iter().map(|migration| migration.version).collect(), &done))
}

/// Asks for the table that remembers migrations, by its name.
fn bookkeeping(url: &DatabaseUrl, table: &str) -> sea_query::SelectStatement {
    let (catalog, column) = match url {
        DatabaseUrl::Sqlite(_) => ("sqlite_master", "name"),
        DatabaseUrl::Postgres(_) => ("pg_tables", "tablename"),
    };
    Query::select()
        .expr(Expr::col(Alias::new(column)).cast_as(Alias::new("text")))
        .from(Alias::new(catalog))
        .and_where(Expr::col(Alias::new(column)).eq(table))
        .to_owned()
}

fn standing(known: &BTreeSet<i64>, done: &BTreeSet<i64>) -> Schema {
    if !done.is_subset(known) {
        return Schema::Ahead;
    }
    match known.difference(done).count() {
        0 => Schema::Current,
        pending => Schema::Behind(pending),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_current_behind_or_ahead() {
        let of = |versions: &[i64]| versions.iter().copied().collect::<BTreeSet<i64>>();
        for (known, done, expected) in [
            (&[1, 2][..], &[1, 2][..], Schema::Current),
            (&[1, 2], &[], Schema::Behind(2)),
            (&[1, 2, 3], &[1, 2], Schema::Behind(1)),
            (&[1], &[1, 2], Schema::Ahead),
            (&[1, 2], &[3], Schema::Ahead),
        ] {
            assert_eq!(standing(&of(known), &of(done)), expected, "{known:?} {done:?}");
        }
    }
}
