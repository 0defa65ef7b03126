//! The settings of the tool server. A program that does not exist stops the start, not the first chat.

use std::{
    env::split_paths,
    ffi::OsStr,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{fault::Fault, reader::Reader};

/// The settings of the tool server.
#[derive(Clone, Debug)]
pub struct Mcp {
    /// The program to start; none: the service starts itself again.
    pub command: Option<ServerCommand>,
    /// The limit for an answer of the server.
    pub timeout: Duration,
    /// What the server may see of our environment. Keys of providers are not among it.
    pub environment: Vec<(String, String)>,
}

/// The variables that are handed to the server. All others stay here.
const HANDED_ON: [&str; 6] = ["PATH", "HOME", "TZ", "LANG", "RUST_LOG", "READ_ONLY"];

/// A program that exists, and what it is started with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerCommand {
    /// The program, found on the search path.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
}

/// Why a command cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum CommandError {
    #[error("has a quote that never ends")]
    OpenQuote,
    #[error("names no program")]
    Empty,
    #[error("the program `{0}` does not exist or cannot be run")]
    NoSuchProgram(String),
}

impl Mcp {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let command = read_command(reader);
        if reader.text("MCP_CONFIG").is_some() {
            reader.fault(Fault::not_available("MCP_CONFIG"));
        }
        let timeout = reader.seconds("MCP_TIMEOUT", 30);
        reader.flag("READ_ONLY");
        Self { command, timeout, environment: handed_on(reader) }
    }
}

fn handed_on(reader: &Reader<'_>) -> Vec<(String, String)> {
    let source = reader.source();
    let set = HANDED_ON.iter().filter_map(|name| Some(((*name).to_owned(), source.get(name)?)));
    set.collect()
}

fn read_command(reader: &mut Reader<'_>) -> Option<ServerCommand> {
    let name = "MCP_SERVER_COMMAND";
    let text = reader.text(name)?;
    match parse_command(&text, reader.source().search_path(), reader.folder()) {
        Ok(command) => Some(command),
        Err(error) => {
            reader.fault(Fault::unusable(name, error));
            None
        }
    }
}

/// Splits a command like a shell would and finds its program.
fn parse_command(text: &str, search: Option<&OsStr>, folder: &Path) -> Result<ServerCommand, CommandError> {
    let mut words = shell_words::split(text).map_err(|_| CommandError::OpenQuote)?.into_iter();
    let program = words.next().filter(|program| !program.is_empty()).ok_or(CommandError::Empty)?;
    let Some(found) = find_program(&program, search, folder) else {
        return Err(CommandError::NoSuchProgram(program));
    };
    Ok(ServerCommand { program: found, arguments: words.collect() })
}

/// Finds a program: by its path if the name holds a slash, else in the folders of the search path.
fn find_program(program: &str, search: Option<&OsStr>, folder: &Path) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(folder.join(program)).filter(|path| is_program(path));
    }
    let places = split_paths(search?).filter(|place| !place.as_os_str().is_empty());
    places.map(|place| folder.join(place).join(program)).find(|path| is_program(path))
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, folder: &Path) -> Result<ServerCommand, CommandError> {
        parse_command(text, Some(OsStr::new("/nowhere:bin")), folder)
    }

    fn folder_with_program() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("bin")).unwrap();
        let program = folder.path().join("bin/tasks");
        fs::write(&program, "").unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(folder.path().join("bin/notes"), "").unwrap();
        folder
    }

    #[test]
    fn a_program_is_found_by_name_or_by_path() {
        let folder = folder_with_program();
        let program = folder.path().join("bin/tasks");
        let arguments = vec!["--file".into(), "two words".into()];
        let command = ServerCommand { program, arguments };
        assert_eq!(parse("tasks --file 'two words'", folder.path()).as_ref(), Ok(&command));
        assert_eq!(parse("bin/tasks --file 'two words'", folder.path()).as_ref(), Ok(&command));
    }

    #[test]
    fn what_is_no_program_says_why() {
        let folder = folder_with_program();
        for name in ["none", "notes", "bin", "./tasks"] {
            assert_eq!(parse(name, folder.path()), Err(CommandError::NoSuchProgram(name.into())), "{name}");
        }
        assert_eq!(parse("tasks 'open", folder.path()), Err(CommandError::OpenQuote));
        assert_eq!(parse("''", folder.path()), Err(CommandError::Empty));
    }
}
