//! The task server as a program of its own, for MCP hosts other than our service.

use std::{env, io, process::ExitCode, time::Duration};

use anyhow::Context as _;
use clap::Parser;
use parlor_tasks::{
    Settings, serve_stdio,
    settings::{Fault, Launch},
};
use tracing::{Level, Metadata, level_filters::LevelFilter};
use tracing_subscriber::{
    EnvFilter, filter::filter_fn, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

/// The exit code for settings that cannot be used.
const BAD_SETTINGS: u8 = 2;

/// How long the end waits for a thread that still reads standard input.
const GOODBYE: Duration = Duration::from_millis(100);

/// Manages tasks over MCP on standard input and output.
///
/// Variables: `TASKS_DATABASE_URL` (default sqlite://parlor-tasks.db), `TASK_USER_ID` (whose tasks these are),
/// `READ_ONLY` (true hides the tools that change something), `RUST_LOG`. A .env file is read.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Serves every user that the host names, instead of one; only for a host that is trusted with that.
    #[arg(long)]
    supervised: bool,
}

fn main() -> ExitCode {
    let launch = if Arguments::parse().supervised { Launch::Supervised } else { Launch::Alone };
    match settings(launch) {
        Err(faults) => {
            for fault in faults {
                eprintln!("parlor-tasks: {fault}");
            }
            ExitCode::from(BAD_SETTINGS)
        }
        Ok(settings) => match run(settings) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("parlor-tasks: {error:#}");
                ExitCode::FAILURE
            }
        },
    }
}

/// Reads the settings; under supervision no file is looked at, because the service hands over all there is to know.
fn settings(launch: Launch) -> Result<Settings, Vec<Fault>> {
    if launch == Launch::Alone
        && let Err(error) = dotenvy::dotenv()
        && !error.not_found()
    {
        return Err(vec![Fault::new(".env", "cannot be read")]);
    }
    let folder = env::current_dir().map_err(|_| vec![Fault::new("PWD", "is no folder that can be read")])?;
    Settings::read(launch, &folder, |name| env::var(name).ok())
}

fn run(settings: Settings) -> anyhow::Result<()> {
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(false);
    tracing_subscriber::registry().with(filter()?).with(filter_fn(may_be_logged)).with(lines).init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no runtime")?;
    let ended = runtime.block_on(serve_stdio(settings));
    // A terminal as standard input is read on a thread that nothing can interrupt.
    runtime.shutdown_timeout(GOODBYE);
    Ok(ended?)
}

/// Reads `RUST_LOG`.
fn filter() -> anyhow::Result<EnvFilter> {
    let builder = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into());
    builder.from_env().context("RUST_LOG cannot be read")
}

/// Holds the protocol library down, whatever `RUST_LOG` says: it would log the arguments of calls.
fn may_be_logged(metadata: &Metadata<'_>) -> bool {
    *metadata.level() <= Level::WARN || !metadata.target().starts_with("rmcp")
}
