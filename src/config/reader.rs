//! Reads one variable after another into types. A fault is noted and reading goes on, so that one start
//! finds them all.
//!
//! After a fault a reader hands out the default: what is built from it is thrown away with the reader.

use std::{
    collections::BTreeSet,
    fmt::{self, Display},
    ops::RangeInclusive,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use secrecy::SecretString;

use super::{
    fault::{Fault, Faults},
    files::read_text,
    report::{Origin, Report, Setting, Shown},
    source::Source,
};

/// The most that the file of a secret may hold, in bytes.
const SECRET_LIMIT: u64 = 16 * 1024;

/// The longest time that can be set: a year. Longer ones overflow clocks and are mistakes.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Reads from a source and remembers what it read and what was wrong.
pub(super) struct Reader<'a> {
    source: &'a Source,
    folder: &'a Path,
    names: BTreeSet<String>,
    settings: Vec<Setting>,
    faults: Vec<Fault>,
}

impl<'a> Reader<'a> {
    /// Starts reading; relative paths count from `folder`.
    pub(super) fn new(source: &'a Source, folder: &'a Path) -> Self {
        let faults = source.faults().to_vec();
        Self { source, folder, names: BTreeSet::new(), settings: Vec::new(), faults }
    }

    /// Returns the folder from which relative paths count.
    pub(super) fn folder(&self) -> &'a Path {
        self.folder
    }

    /// Returns the source.
    pub(super) fn source(&self) -> &'a Source {
        self.source
    }

    /// Notes that something is wrong.
    pub(super) fn fault(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    /// Notes the value of a setting for the report.
    pub(super) fn note(&mut self, name: &str, value: Shown, origin: Origin) {
        self.settings.push(Setting { name: name.into(), value, origin });
    }

    /// Ends the reading: what was read, or what was wrong.
    pub(super) fn finish(self) -> Result<Report, Faults> {
        match Faults::of(self.faults) {
            Some(faults) => Err(faults),
            None => Ok(Report { unread: self.source.unread(&self.names), settings: self.settings }),
        }
    }

    /// Reads text as it stands.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        self.text_or(name, Shown::Unset)
    }

    /// Reads text and notes what counts where nothing is set.
    pub(super) fn text_or(&mut self, name: &str, default: Shown) -> Option<String> {
        let found = self.find(name);
        match &found {
            Some((value, origin)) => self.note(name, Shown::Plain(value.clone()), *origin),
            None => self.note(name, default, Origin::Default),
        }
        found.map(|(value, _)| value)
    }

    /// Reads a value of a type of its own, or its default; `expected` is what follows "must be" in a fault.
    pub(super) fn parsed<T: Display>(
        &mut self,
        name: &str,
        default: T,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> T {
        let Some(text) = self.text_or(name, Shown::Plain(default.to_string())) else {
            return default;
        };
        parse(&text).unwrap_or_else(|| {
            self.fault(Fault::value(name, expected, &text));
            default
        })
    }

    /// Reads a number within a range.
    pub(super) fn number<T>(&mut self, name: &str, default: T, range: RangeInclusive<T>) -> T
    where
        T: FromStr + PartialOrd + Display,
    {
        let expected = format!("a number from {} to {}", range.start(), range.end());
        self.parsed(name, default, &expected, |text| {
            text.parse().ok().filter(|number| range.contains(number))
        })
    }

    /// Reads a yes or a no; no by default.
    pub(super) fn flag(&mut self, name: &str) -> bool {
        self.parsed(name, false, "true or false", |text| match text.to_ascii_lowercase().as_str() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        })
    }

    /// Reads a time in seconds, fractions allowed, above nothing.
    pub(super) fn seconds(&mut self, name: &str, default: u32) -> Duration {
        let expected = "a number of seconds above 0 and at most a year";
        let parse = |text: &str| Seconds::parse(text).filter(|seconds| !seconds.0.is_zero());
        self.parsed(name, Seconds::whole(default), expected, parse).0
    }

    /// Reads a time in seconds, fractions allowed; 0 means not at all.
    pub(super) fn seconds_or_zero(&mut self, name: &str, default: u32) -> Duration {
        let expected = "a number of seconds from 0 to a year";
        self.parsed(name, Seconds::whole(default), expected, Seconds::parse).0
    }

    /// Reads a list, separated by commas; empty by default.
    pub(super) fn list(&mut self, name: &str) -> Vec<String> {
        split_list(&self.text(name).unwrap_or_default())
    }

    /// Reads a key. A faulty one counts as set, so that one mistake is one fault.
    pub(super) fn secret(&mut self, name: &str) -> Option<SecretString> {
        let found = self.find_secret(name);
        let (shown, origin) = match &found {
            Some((_, origin)) => (Shown::Masked, *origin),
            None => (Shown::Unset, Origin::Default),
        };
        self.note(name, shown, origin);
        let (value, _) = found?;
        if !value.chars().all(|character| character == ' ' || character.is_ascii_graphic()) {
            self.fault(Fault::unusable(name, "holds a line break, a control character or one outside ASCII"));
        }
        Some(value.into())
    }

    /// Finds a secret in its variable or in the file that `NAME_FILE` names. The caller notes the setting.
    /// A file that cannot be used gives an empty text, its fault noted.
    pub(super) fn find_secret(&mut self, name: &str) -> Option<(String, Origin)> {
        let file_name = format!("{name}_FILE");
        match (self.find(name), self.find(&file_name)) {
            (found, None) => found,
            (None, Some((path, _))) => Some((self.read_secret(&file_name, &path), Origin::File)),
            (found, Some(_)) => {
                self.fault(Fault::unusable(name, format_args!("set together with {file_name}; keep one")));
                found
            }
        }
    }

    /// Finds a value and remembers that its name means something.
    fn find(&mut self, name: &str) -> Option<(String, Origin)> {
        self.names.insert(name.into());
        match self.source.find(name) {
            Ok(found) => found.map(|(value, origin)| (value.into(), origin)),
            Err(fault) => {
                self.fault(fault);
                None
            }
        }
    }

    fn read_secret(&mut self, name: &str, path: &str) -> String {
        let path: PathBuf = self.folder.join(path);
        match read_text(&path, SECRET_LIMIT) {
            Ok(text) if text.trim().is_empty() => {
                self.fault(Fault::unusable(name, format_args!("`{}` is empty", path.display())));
                String::new()
            }
            Ok(text) => text.trim().into(),
            Err(error) => {
                self.fault(Fault::unusable(name, format_args!("`{}` {error}", path.display())));
                String::new()
            }
        }
    }
}

/// A time as it is written in a setting.
#[derive(Clone, Copy)]
struct Seconds(Duration);

impl Seconds {
    const fn whole(seconds: u32) -> Self {
        Self(Duration::from_secs(seconds as u64))
    }

    fn parse(text: &str) -> Option<Self> {
        let seconds: f64 = text.parse().ok()?;
        Duration::try_from_secs_f64(seconds).ok().filter(|time| *time <= LONGEST).map(Self)
    }
}

impl Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_secs_f64().fmt(f)
    }
}

/// Splits a list at its commas; white space and empty places are dropped.
pub(super) fn split_list(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|place| !place.is_empty()).map(Into::into).collect()
}

#[cfg(test)]
mod tests;
