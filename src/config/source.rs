//! Where settings come from: the environment, then `.env`. The environment itself is never changed.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    ffi::{OsStr, OsString},
    path::Path,
};

use super::{dotenv, fault::Fault, files::read_text, report::Origin};

/// The most that a `.env` may hold, in bytes.
const DOTENV_LIMIT: u64 = 1024 * 1024;

/// How a variable begins that was probably meant for this service.
const OURS: [&str; 26] = [
    "AGENT_",
    "AUTH_",
    "CHATKIT_",
    "CORS_",
    "DATABASE_",
    "DEMO_",
    "GEMINI_",
    "GROQ_",
    "JWKS_",
    "JWT_",
    "LLM_",
    "MCP_",
    "OPENAI_",
    "OPENROUTER_",
    "TASKS_DATABASE_",
    "CREDENTIALS_KEY",
    "MAX_ACTIVE_RUNS",
    "MAX_STREAMS",
    "POLICY_FILE",
    "RATE_LIMIT_PER_MINUTE",
    "READ_ONLY",
    "RETENTION_DAYS",
    "RUN_MAX_ATTEMPTS",
    "RUN_RECOVERY",
    "TOOL_APPROVAL",
    "TRUSTED_PROXIES",
];

/// What the tests of this repository read and the service does not.
pub(super) const READ_BY_TESTS: &str = "TEST_DATABASE_URL";

/// All that is set, before anything of it is understood.
#[derive(Default)]
pub struct Source {
    environment: BTreeMap<String, OsString>,
    dotenv: BTreeMap<String, String>,
    faults: Vec<Fault>,
}

impl Source {
    /// Takes the environment of this process and the `.env` of a folder, if there is one.
    pub fn of_process(folder: &Path) -> Self {
        let environment = env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        let source = Self { environment: environment.collect(), ..Self::default() };
        match read_text(&folder.join(dotenv::NAME), DOTENV_LIMIT) {
            Ok(text) => source.with_dotenv(&text),
            Err(error) if error.is_absence() => source,
            Err(error) => Self { faults: vec![Fault::unusable(dotenv::NAME, error)], ..source },
        }
    }

    /// Takes these variables for the environment.
    pub fn of<N: Into<String>, V: Into<OsString>>(environment: impl IntoIterator<Item = (N, V)>) -> Self {
        let environment = environment.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self { environment, ..Self::default() }
    }

    /// Takes this text for the `.env`, in place of any before.
    pub fn with_dotenv(self, text: &str) -> Self {
        let (dotenv, faults) = dotenv::parse(text);
        Self { dotenv, faults, ..self }
    }

    /// Returns what is wrong with the source as a whole.
    pub(super) fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// Finds a value, white space around it dropped. An empty one counts as unset: `.env` may still give it.
    pub(super) fn find(&self, name: &str) -> Result<Option<(&str, Origin)>, Fault> {
        if let Some(value) = self.environment.get(name) {
            let value = value.to_str().ok_or_else(|| Fault::unusable(name, "is not UTF-8"))?.trim();
            if !value.is_empty() {
                return Ok(Some((value, Origin::Environment)));
            }
        }
        let value = self.dotenv.get(name).map(|value| value.trim()).filter(|value| !value.is_empty());
        Ok(value.map(|value| (value, Origin::Dotenv)))
    }

    /// Returns a value as it stands, for handing it on; nothing if it is unset or no text.
    pub fn get(&self, name: &str) -> Option<String> {
        self.find(name).ok().flatten().map(|(value, _)| value.to_owned())
    }

    /// Returns the folders in which the system looks for programs.
    pub(super) fn search_path(&self) -> Option<&OsStr> {
        self.environment.get("PATH").map(OsString::as_os_str)
    }

    /// Lists what is set and looks like ours, but is none of the names that are read.
    pub(super) fn unread(&self, read: &BTreeSet<String>) -> Vec<String> {
        let looks_ours = |name: &&String| OURS.iter().any(|prefix| name.starts_with(prefix));
        let candidates: BTreeSet<&String> =
            self.environment.keys().filter(looks_ours).chain(self.dotenv.keys()).collect();
        let unread = candidates.into_iter().filter(|name| !read.contains(*name) && *name != READ_BY_TESTS);
        unread.cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::ffi::OsStringExt};

    use super::*;

    #[test]
    fn the_environment_wins_over_the_file_unless_it_is_empty() {
        let source = Source::of([("A", "from outside"), ("B", " ")]).with_dotenv("A=inside\nB=inside\nC=");
        assert_eq!(source.find("A"), Ok(Some(("from outside", Origin::Environment))));
        assert_eq!(source.find("B"), Ok(Some(("inside", Origin::Dotenv))));
        assert_eq!(source.find("C"), Ok(None));
    }

    #[test]
    fn a_value_that_is_no_text_is_a_fault_that_names_it() {
        let source = Source::of([("PORT", OsString::from_vec(vec![0xFF]))]);
        assert_eq!(source.find("PORT"), Err(Fault::unusable("PORT", "is not UTF-8")));
    }

    #[test]
    fn names_that_look_like_ours_and_are_not_read_are_listed() {
        let source = Source::of([("LLM_PROVDER", "groq"), ("LLM_MODEL", "m"), ("HOME", "/")])
            .with_dotenv("PROT=1\nTEST_DATABASE_URL=x");
        assert_eq!(source.unread(&BTreeSet::from(["LLM_MODEL".into()])), ["LLM_PROVDER", "PROT"]);
    }

    #[test]
    fn a_folder_without_the_file_is_no_fault_and_an_unreadable_file_is_one() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Source::of_process(folder.path()).faults().is_empty());
        fs::create_dir(folder.path().join(".env")).unwrap();
        assert_eq!(Source::of_process(folder.path()).faults().len(), 1);
    }

    #[test]
    fn the_file_is_read_without_touching_the_environment() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(".env"), "PARLOR_TEST_ONLY=1").unwrap();
        let source = Source::of_process(folder.path());
        assert_eq!(source.find("PARLOR_TEST_ONLY"), Ok(Some(("1", Origin::Dotenv))));
        assert_eq!(env::var_os("PARLOR_TEST_ONLY"), None);
    }
}
