//! What the server is told at its start. Read once; every fault is found before anything is opened.

use std::path::Path;

use parlor_db::DatabaseUrl;

use crate::identity::UserId;

/// The variable that names the database.
const DATABASE: &str = "TASKS_DATABASE_URL";

/// The variable that names the one user of a server that runs alone.
const USER: &str = "TASK_USER_ID";

/// The variable that takes the writing tools away.
const READ_ONLY: &str = "READ_ONLY";

/// Where the tasks are if nobody says.
const DEFAULT_DATABASE: &str = "sqlite://parlor-tasks.db";

/// Everything that the server needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the tasks are.
    pub database: DatabaseUrl,
    /// Under whose care the server runs.
    pub mode: Mode,
    /// What callers may do.
    pub access: Access,
}

/// Under whose care the server runs.
#[derive(Clone, Debug)]
pub enum Mode {
    /// As the child of our service: it migrates the database, names the user in every call and decides when to stop.
    Supervised,
    /// By itself, for any MCP host and one user.
    Alone {
        /// Whose tasks these are.
        user: UserId,
    },
}

/// What callers may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// Every tool.
    #[default]
    Full,
    /// Only the tools that change nothing.
    ReadOnly,
}

/// How the server was launched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Launch {
    /// By our service.
    Supervised,
    /// By anybody else.
    Alone,
}

/// A setting that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{variable} {reason}")]
pub struct Fault {
    variable: &'static str,
    reason: String,
}

impl Fault {
    /// Names a variable and what is wrong with it.
    pub fn new(variable: &'static str, reason: impl Into<String>) -> Self {
        Self { variable, reason: reason.into() }
    }
}

impl Settings {
    /// Reads the settings from variables; an empty one counts as unset. A relative SQLite file is taken from `folder`.
    ///
    /// # Errors
    /// Every fault there is, each naming its variable.
    pub fn read(
        launch: Launch,
        folder: &Path,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Vec<Fault>> {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let database = database(variable(DATABASE).as_deref().unwrap_or(DEFAULT_DATABASE), folder);
        let mode = match launch {
            Launch::Supervised => Ok(Mode::Supervised),
            Launch::Alone => user(variable(USER).as_deref()).map(|user| Mode::Alone { user }),
        };
        let access = access(variable(READ_ONLY).as_deref());
        match (database, mode, access) {
            (Ok(database), Ok(mode), Ok(access)) => Ok(Self { database, mode, access }),
            (database, mode, access) => {
                Err([database.err(), mode.err(), access.err()].into_iter().flatten().collect())
            }
        }
    }
}

fn database(text: &str, folder: &Path) -> Result<DatabaseUrl, Fault> {
    DatabaseUrl::parse(text, folder).map_err(|error| Fault::new(DATABASE, error.to_string()))
}

fn user(text: Option<&str>) -> Result<UserId, Fault> {
    let Some(text) = text else {
        return Err(Fault::new(
            USER,
            "is not set; a server that runs alone needs it to know whose tasks these are",
        ));
    };
    UserId::parse(text).map_err(|error| Fault::new(USER, error.to_string()))
}

fn access(text: Option<&str>) -> Result<Access, Fault> {
    match text {
        None | Some("false" | "0") => Ok(Access::Full),
        Some("true" | "1") => Ok(Access::ReadOnly),
        Some(_) => Err(Fault::new(READ_ONLY, "must be true or false")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(launch: Launch, variables: &[(&str, &str)]) -> Result<Settings, Vec<String>> {
        let find = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let read = Settings::read(launch, Path::new("/srv"), find);
        read.map_err(|faults| faults.iter().map(Fault::to_string).collect())
    }

    #[test]
    fn every_fault_is_told_at_once_and_names_its_variable() {
        let faults = read(Launch::Alone, &[("TASKS_DATABASE_URL", "mysql://x"), ("READ_ONLY", "perhaps")]);
        let faults = faults.unwrap_err();
        assert_eq!(faults.len(), 3);
        for (fault, name) in faults.iter().zip(["TASKS_DATABASE_URL", "TASK_USER_ID", "READ_ONLY"]) {
            assert!(fault.starts_with(name), "{fault}");
        }
    }

    #[test]
    fn under_supervision_nothing_is_required_and_the_user_variable_is_ignored() {
        let settings = read(Launch::Supervised, &[("TASK_USER_ID", "/"), ("READ_ONLY", "")]).unwrap();
        assert!(matches!(settings.mode, Mode::Supervised));
        assert_eq!(settings.database.expose(), "sqlite:///srv/parlor-tasks.db");
        assert_eq!(settings.access, Access::Full);
    }
}
