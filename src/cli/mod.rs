//! The command line: what the program does, and with which exit code it ends.
//!
//! Exit 2 is the configuration, every fault in one list; exit 1 is what goes wrong at run time.

#![expect(clippy::print_stdout, reason = "a command line speaks to whoever typed it")]

mod chat;
mod check;
mod health;
mod serve;
mod token;

use std::{fmt::Display, process::ExitCode, time::Duration};

use clap::{Parser, Subcommand};
use parlor_tasks::settings::Launch;

use crate::{
    app,
    config::{self, Config, LogFormat, Report, Source},
    desks, http,
    telemetry::{self, Format},
};
use check::Reach;

/// The exit code for a configuration that cannot be used.
const BAD_CONFIGURATION: u8 = 2;

/// The longest that a token of `parlor token` lasts, in minutes: a year.
const LONGEST_TOKEN: i64 = 365 * 24 * 60;

/// How long the end waits for threads that nothing can interrupt, such as one that reads a terminal.
const GOODBYE: Duration = Duration::from_millis(100);

/// A conversational backend: durable runs, serialized tool calls, resumable streams.
#[derive(Parser)]
#[command(name = "parlor", version)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serves the API (what happens without a command).
    Serve,
    /// Serves the task tools over MCP on standard input and output.
    McpServer {
        /// Started by the service: serves every user that it names.
        #[arg(long)]
        supervised: bool,
    },
    /// Brings the databases to the current schema and ends.
    Migrate,
    /// Shows every setting with its source, secrets masked; then looks at the databases, the tool server, the provider's
    /// list of models and the keys of tokens. Changes nothing.
    Check {
        /// Looks at the settings only and reaches out to nothing.
        #[arg(long)]
        offline: bool,
    },
    /// Talks to a running service: with a message one turn, else a conversation, a line of standard input for each turn.
    Chat(chat::Options),
    /// Prints the description of the API, OpenAPI 3.1.
    Openapi,
    /// Asks the running service whether it is ready: exit 0 if it is, else 1.
    Health,
    /// Prints a token of JWT_SECRET for a user, for trying.
    Token {
        /// The user it speaks for.
        user: String,
        /// How long it is good.
        #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=LONGEST_TOKEN))]
        minutes: u32,
    },
}

/// Why the program ends early, by what its operator has to do about it.
enum Failure {
    Configuration(String),
    Runtime(anyhow::Error),
}

/// Runs what the arguments ask for. `variable` looks into the environment, for those that are no service: the task server
/// and the terminal client.
pub fn main(variable: impl Fn(&str) -> Option<String>) -> ExitCode {
    let done = match Arguments::parse().command.unwrap_or(Command::Serve) {
        Command::Serve => serve::serve(),
        Command::McpServer { supervised: true } => mcp_server(Launch::Supervised, variable),
        Command::McpServer { supervised: false } => mcp_server(Launch::Alone, variable),
        Command::Migrate => migrate(),
        Command::Check { offline: true } => check::check(Reach::Settings),
        Command::Check { offline: false } => check::check(Reach::Everything),
        Command::Chat(options) => chat::chat(options, variable("PARLOR_TOKEN")),
        Command::Openapi => openapi(),
        Command::Health => health(),
        Command::Token { user, minutes } => token::token(&user, minutes),
    };
    match done {
        Ok(code) => code,
        Err(Failure::Configuration(faults)) => {
            eprintln!("parlor: {faults}");
            ExitCode::from(BAD_CONFIGURATION)
        }
        Err(Failure::Runtime(error)) => {
            eprintln!("parlor: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn mcp_server(launch: Launch, variable: impl Fn(&str) -> Option<String>) -> Result<ExitCode, Failure> {
    let folder = config::folder().map_err(|faults| Failure::Configuration(faults.to_string()))?;
    let settings = match launch {
        // The service hands over all there is to know; no file is looked at.
        Launch::Supervised => parlor_tasks::Settings::read(launch, &folder, &variable),
        Launch::Alone => {
            let source = Source::of_process(&folder);
            parlor_tasks::Settings::read(launch, &folder, |name| source.get(name))
        }
    };
    let settings = settings.map_err(|faults| list(&faults))?;
    let filter = variable("RUST_LOG").filter(|filter| !filter.is_empty()).unwrap_or_else(|| "info".into());
    telemetry::init(&telemetry::Settings { format: Format::Text, filter }).map_err(runtime)?;
    on_runtime(async move {
        parlor_tasks::serve_stdio(settings).await?;
        Ok(ExitCode::SUCCESS)
    })
}

fn migrate() -> Result<ExitCode, Failure> {
    let (config, _) = configured()?;
    on_runtime(async move {
        app::migrate_all(&config.storage).await?;
        println!("{} and {} are current.", config.storage.database, config.storage.tasks);
        Ok(ExitCode::SUCCESS)
    })
}

fn openapi() -> Result<ExitCode, Failure> {
    println!("{}", serde_json::to_string_pretty(&http::description()).map_err(runtime)?);
    Ok(ExitCode::SUCCESS)
}

/// Whoever watches a container knows exit 1 only, so that is what a configuration at fault gives too.
fn health() -> Result<ExitCode, Failure> {
    let (config, _) = config::read().map_err(runtime)?;
    on_runtime(async move {
        println!("{}", health::ask(&config.http).await?);
        Ok(ExitCode::SUCCESS)
    })
}

/// Reads the configuration and sets the log up as it says.
fn configured() -> Result<(Config, Report), Failure> {
    let (config, report) = config::read().map_err(|faults| Failure::Configuration(faults.to_string()))?;
    let format = match config.telemetry.format {
        LogFormat::Text => Format::Text,
        LogFormat::Json => Format::Json,
    };
    let filter = config.telemetry.filter.clone();
    telemetry::init(&telemetry::Settings { format, filter }).map_err(runtime)?;
    Ok((config, report))
}

fn on_runtime(work: impl Future<Output = anyhow::Result<ExitCode>>) -> Result<ExitCode, Failure> {
    let runtime = desks::runtime().map_err(runtime)?;
    let done = runtime.block_on(work);
    runtime.shutdown_timeout(GOODBYE);
    done.map_err(Failure::Runtime)
}

fn list(faults: &[impl Display]) -> Failure {
    let lines: Vec<String> = faults.iter().map(|fault| format!("\n  {fault}")).collect();
    Failure::Configuration(format!("the configuration cannot be used:{}", lines.concat()))
}

fn runtime(error: impl Into<anyhow::Error>) -> Failure {
    Failure::Runtime(error.into())
}
