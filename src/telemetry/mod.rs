//! The log: set up once, and the two wide lines that tell of every request and every run.
//!
//! A field has one name everywhere. Besides those of [`RequestLine`] and [`RunLine`] there are:
//!
//! | field | what |
//! |---|---|
//! | `error` | the error with its sources, as a value |
//! | `attempt` | how often something was tried, counted from 1 |
//! | `delay_ms` | the wait before the next try |
//! | `rows` | how many rows a read brought |
//! | `tool.server`, `tool.name` | a tool server, and a tool of it; never its arguments |
//!
//! Nothing logs the text of a message, the arguments or the result of a call, a token or an address.

mod lines;

use std::io::{self, IsTerminal};

use tracing::{Level, Metadata};
use tracing_subscriber::{
    EnvFilter, filter::filter_fn, fmt::layer, layer::SubscriberExt, util::SubscriberInitExt,
};

pub use lines::{RequestLine, RunLine, request_ended, run_ended};

/// How to log.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The form of a line.
    pub format: Format,
    /// What is logged, in the words of `RUST_LOG`.
    pub filter: String,
}

/// Libraries that would log arguments, bodies or headers at lower levels than a warning, whatever the filter says.
const HELD_DOWN: [&str; 5] = ["rmcp", "sqlx", "hyper", "hyper_util", "reqwest"];

/// The form of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people; in colour on a terminal.
    Text,
    /// For programs: one JSON object per line, its fields at the top.
    Json,
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The filter cannot be read.
    #[error("the log filter cannot be read")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// The process logs already.
    #[error("the log is set up twice")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// Sets the log of the process up, on standard error: standard output belongs to what a command prints.
pub fn init(settings: &Settings) -> Result<(), InitError> {
    let filter = EnvFilter::try_new(&settings.filter)?;
    let registry = tracing_subscriber::registry().with(filter).with(filter_fn(may_be_logged));
    match settings.format {
        Format::Text => {
            let text = layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
            registry.with(text).try_init()?;
        }
        Format::Json => {
            let json = layer().json().flatten_event(true).with_writer(io::stderr);
            registry.with(json).try_init()?;
        }
    }
    Ok(())
}

/// Holds chatty libraries down. A filter could not: a longer target in it would win.
fn may_be_logged(metadata: &Metadata<'_>) -> bool {
    let library = metadata.target().split("::").next().unwrap_or_default();
    *metadata.level() <= Level::WARN || !HELD_DOWN.contains(&library)
}
