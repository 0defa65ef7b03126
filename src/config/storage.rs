//! The settings of the two databases: the service's own and the one of its task server.

use std::path::{Path, PathBuf};

use parlor_db::DatabaseUrl;

use super::{
    fault::Fault,
    reader::Reader,
    report::{Origin, Shown},
};

/// The service's file where nothing is set, in the working folder.
const SERVICE_FILE: &str = "parlor.db";

/// The file of the task server where nothing is set, beside the service's.
const TASKS_FILE: &str = "parlor-tasks.db";

/// The settings of the databases.
#[derive(Clone, Debug)]
pub struct Storage {
    /// The service's database.
    pub database: DatabaseUrl,
    /// The task server's database; never the same SQLite file.
    pub tasks: DatabaseUrl,
    /// The most connections to a database at a time; at least one to write and one to read.
    pub max_connections: u32,
}

impl Storage {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let default = DatabaseUrl::Sqlite(reader.folder().join(SERVICE_FILE));
        let database = read_address(reader, "DATABASE_URL", default);
        let tasks = read_address(reader, "TASKS_DATABASE_URL", database.beside(TASKS_FILE));
        if is_same_file(&database, &tasks) {
            let reason = "must name another SQLite file than DATABASE_URL";
            reader.fault(Fault::unusable("TASKS_DATABASE_URL", reason));
        }
        Self { database, tasks, max_connections: reader.number("DATABASE_MAX_CONNECTIONS", 10, 2..=1_000) }
    }
}

/// Reads an address. It counts as a secret, but is shown: without its password it is none.
fn read_address(reader: &mut Reader<'_>, name: &str, default: DatabaseUrl) -> DatabaseUrl {
    let (address, origin) = match reader.find_secret(name) {
        None => (default, Origin::Default),
        Some((text, origin)) if text.is_empty() => (default, origin),
        Some((text, origin)) => match DatabaseUrl::parse(&text, reader.folder()) {
            Ok(address) => (address, origin),
            Err(error) => {
                reader.fault(Fault::unusable(name, error));
                (default, origin)
            }
        },
    };
    reader.note(name, Shown::Plain(address.to_string()), origin);
    address
}

fn is_same_file(one: &DatabaseUrl, other: &DatabaseUrl) -> bool {
    match (one, other) {
        (DatabaseUrl::Sqlite(one), DatabaseUrl::Sqlite(other)) => resolved(one) == resolved(other),
        (DatabaseUrl::Postgres(_), DatabaseUrl::Sqlite(_) | DatabaseUrl::Postgres(_))
        | (DatabaseUrl::Sqlite(_), DatabaseUrl::Postgres(_)) => false,
    }
}

/// Follows links and `..` as far as the path exists; a database file is often still to be made.
fn resolved(path: &Path) -> PathBuf {
    let of_folder = || Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?));
    path.canonicalize().ok().or_else(of_folder).unwrap_or_else(|| path.into())
}
