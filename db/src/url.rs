//! Where a database is. Parsed once, so that everything behind it can trust it.

use std::{
    fmt,
    path::{Component, Path, PathBuf},
};

use sqlx::postgres::PgConnectOptions;

/// A database that can be opened.
#[derive(Clone)]
pub enum DatabaseUrl {
    /// A SQLite file, as an absolute path.
    Sqlite(PathBuf),
    /// A Postgres database.
    Postgres(Box<PostgresUrl>),
}

/// A Postgres address, with the text it came from for a child process that needs it again.
#[derive(Clone)]
pub struct PostgresUrl {
    options: PgConnectOptions,
    text: String,
}

/// Why a text names no database. The text itself is left out: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseUrlError {
    /// The scheme is none that we know.
    #[error("must start with sqlite://, postgres:// or postgresql://")]
    Scheme,
    /// A database in memory is gone when its process ends.
    #[error("a database in memory would lose every conversation; name a file, such as sqlite://parlor.db")]
    Memory,
    /// There is no path behind the scheme.
    #[error(
        "names no file; write sqlite://parlor.db for a file here or sqlite:///srv/parlor.db for another place"
    )]
    NoPath,
    /// What follows a `?` in a SQLite address means nothing to us.
    #[error("takes no parameters after the file name")]
    Parameters,
    /// The address is no Postgres address.
    #[error("is not a usable Postgres address: {0}")]
    Postgres(String),
}

impl DatabaseUrl {
    /// Reads an address. A relative file is taken from `folder`; `sqlite:///./x.db` counts as relative.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, DatabaseUrlError> {
        let Some((scheme, rest)) = text.split_once(':') else {
            return Err(DatabaseUrlError::Scheme);
        };
        match scheme {
            "sqlite" => sqlite_path(rest, folder).map(Self::Sqlite),
            "postgres" | "postgresql" | "postgresql+asyncpg" => {
                let text = format!("postgres:{rest}");
                let options = text.parse().map_err(|error| postgres_fault(&error))?;
                Ok(Self::Postgres(Box::new(PostgresUrl { options, text })))
            }
            _ => Err(DatabaseUrlError::Scheme),
        }
    }

    /// Returns the address of the file `name` beside this one, or the same address where there are no files.
    pub fn beside(&self, name: &str) -> Self {
        match self {
            Self::Sqlite(path) => Self::Sqlite(path.with_file_name(name)),
            Self::Postgres(url) => Self::Postgres(url.clone()),
        }
    }

    /// Returns the whole address, password included, for the environment of a child process.
    pub fn expose(&self) -> String {
        match self {
            Self::Sqlite(path) => format!("sqlite://{}", path.display()),
            Self::Postgres(url) => url.text.clone(),
        }
    }
}

impl PostgresUrl {
    pub(crate) fn options(&self) -> &PgConnectOptions {
        &self.options
    }
}

/// Shows the address without its password.
impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
            Self::Postgres(url) => {
                let options = &url.options;
                let database = options.get_database().unwrap_or_default();
                write!(
                    f,
                    "postgres://{}@{}:{}/{database}",
                    options.get_username(),
                    options.get_host(),
                    options.get_port()
                )
            }
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn sqlite_path(rest: &str, folder: &Path) -> Result<PathBuf, DatabaseUrlError> {
    if rest.contains(":memory:") || rest.contains("mode=memory") {
        return Err(DatabaseUrlError::Memory);
    }
    let path = rest.strip_prefix("//").unwrap_or(rest);
    if path.contains('?') {
        return Err(DatabaseUrlError::Parameters);
    }
    let path =
        if path.starts_with("/./") || path.starts_with("/../") { path.trim_start_matches('/') } else { path };
    if path.is_empty() || path.ends_with('/') {
        return Err(DatabaseUrlError::NoPath);
    }
    Ok(without_dots(&folder.join(path)))
}

/// Drops `.` components, so that two spellings of one place compare equal.
fn without_dots(path: &Path) -> PathBuf {
    path.components().filter(|component| !matches!(component, Component::CurDir)).collect()
}

fn postgres_fault(error: &sqlx::Error) -> DatabaseUrlError {
    let reason = match error {
        sqlx::Error::Configuration(reason) => reason.to_string(),
        other => other.to_string(),
    };
    DatabaseUrlError::Postgres(reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<String, DatabaseUrlError> {
        DatabaseUrl::parse(text, Path::new("/srv")).map(|url| url.expose())
    }

    #[test]
    fn a_sqlite_file_is_taken_from_the_folder_unless_it_is_absolute() {
        assert_eq!(parse("sqlite://parlor.db").unwrap(), "sqlite:///srv/parlor.db");
        assert_eq!(parse("sqlite:parlor.db").unwrap(), "sqlite:///srv/parlor.db");
        assert_eq!(parse("sqlite:///./x.db").unwrap(), "sqlite:///srv/x.db");
        assert_eq!(parse("sqlite:////var/x.db").unwrap(), "sqlite:///var/x.db");
        assert_eq!(parse("sqlite:///var/x.db").unwrap(), "sqlite:///var/x.db");
    }

    #[test]
    fn every_spelling_of_postgres_is_the_same_database() {
        for scheme in ["postgres", "postgresql", "postgresql+asyncpg"] {
            assert_eq!(
                parse(&format!("{scheme}://ada:pw@db:5433/p")).unwrap(),
                "postgres://ada:pw@db:5433/p"
            );
        }
    }

    #[test]
    fn a_database_in_memory_is_refused() {
        for text in ["sqlite::memory:", "sqlite://:memory:", "sqlite://x.db?mode=memory"] {
            assert_eq!(parse(text), Err(DatabaseUrlError::Memory), "{text}");
        }
    }

    #[test]
    fn what_is_no_database_says_why() {
        assert_eq!(parse("mysql://x"), Err(DatabaseUrlError::Scheme));
        assert_eq!(parse("parlor.db"), Err(DatabaseUrlError::Scheme));
        assert_eq!(parse("sqlite://"), Err(DatabaseUrlError::NoPath));
        assert_eq!(parse("sqlite://x.db?mode=rwc"), Err(DatabaseUrlError::Parameters));
        assert!(matches!(parse("postgres://h:port/db"), Err(DatabaseUrlError::Postgres(_))));
    }

    #[test]
    fn a_password_is_never_shown() {
        let url = DatabaseUrl::parse("postgres://ada:hunter2@db:5433/p", Path::new("/")).unwrap();
        assert_eq!(url.to_string(), "postgres://ada@db:5433/p");
        assert!(!format!("{url:?}").contains("hunter2"));
    }
}
