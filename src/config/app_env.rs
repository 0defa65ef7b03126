//! Whether people try the service or rely on it. Production refuses what is only handy for trying.

use std::fmt;

use super::reader::Reader;

/// What the service runs for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppEnv {
    /// Trying and building.
    Development,
    /// People rely on it.
    Production,
}

impl AppEnv {
    /// Returns the word of the setting.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Production => "production",
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let words = [Self::Development, Self::Production];
        reader.parsed("APP_ENV", Self::Development, "development or production", |text| {
            words.into_iter().find(|word| word.as_str().eq_ignore_ascii_case(text))
        })
    }
}

impl fmt::Display for AppEnv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
