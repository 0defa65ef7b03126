//! The settings of the log: its form and how much of it there is.

use std::fmt;

use tracing_subscriber::EnvFilter;

use super::{app_env::AppEnv, fault::Fault, reader::Reader, report::Shown};

/// The filter where nothing is set.
const FILTER: &str = "info";

/// The settings of the log.
#[derive(Clone, Debug)]
pub struct Telemetry {
    /// The form of a line.
    pub format: LogFormat,
    /// What is logged, in the words of `RUST_LOG`; known to be usable.
    pub filter: String,
}

/// The form of a line of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs: one JSON object per line.
    Json,
}

impl LogFormat {
    /// Returns the word of the setting.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Telemetry {
    pub(super) fn read(reader: &mut Reader<'_>, app_env: AppEnv) -> Self {
        let default = match app_env {
            AppEnv::Development => LogFormat::Text,
            AppEnv::Production => LogFormat::Json,
        };
        let format = reader.parsed("LOG_FORMAT", default, "text or json", |text| {
            [LogFormat::Text, LogFormat::Json]
                .into_iter()
                .find(|word| word.as_str().eq_ignore_ascii_case(text))
        });
        Self { format, filter: read_filter(reader) }
    }
}

fn read_filter(reader: &mut Reader<'_>) -> String {
    let name = "RUST_LOG";
    let filter = reader.text_or(name, Shown::Plain(FILTER.into())).unwrap_or_else(|| FILTER.into());
    if let Err(error) = EnvFilter::try_new(&filter) {
        reader.fault(Fault::unusable(name, error));
    }
    filter
}
