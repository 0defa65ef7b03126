//! The command line: what the program does, and with which exit code it ends.
//!
//! Exit 2 is the configuration, every fault in one list; exit 1 is what goes wrong at run time.

#![expect(clippy::print_stdout, reason = "a command line speaks to whoever typed it")]

mod health;

use std::{fmt::Display, process::ExitCode, time::Duration};

use anyhow::Context;
use chrono::TimeDelta;
use clap::{Parser, Subcommand};
use parlor_tasks::settings::Launch;
use tokio::{
    runtime::Runtime,
    signal::unix::{Signal, SignalKind, signal},
};

use crate::{
    app::{self, Service},
    auth,
    clock::Clock,
    config::{self, AuthMode, ChosenBy, Config, LogFormat, ProviderName, Report, Source},
    domain::UserId,
    http,
    telemetry::{self, Format},
};

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
    /// Shows every setting with its source and ends; secrets are masked.
    Check,
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

/// Runs what the arguments ask for. `variable` looks into the environment, for the task server only.
pub fn main(variable: impl Fn(&str) -> Option<String>) -> ExitCode {
    let done = match Arguments::parse().command.unwrap_or(Command::Serve) {
        Command::Serve => serve(),
        Command::McpServer { supervised: true } => mcp_server(Launch::Supervised, variable),
        Command::McpServer { supervised: false } => mcp_server(Launch::Alone, variable),
        Command::Migrate => migrate(),
        Command::Check => check(),
        Command::Openapi => openapi(),
        Command::Health => health(),
        Command::Token { user, minutes } => token(&user, minutes),
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

fn serve() -> Result<ExitCode, Failure> {
    let (config, report) = configured()?;
    let models = app::models(&config.model).map_err(|error| Failure::Configuration(error.to_string()))?;
    log_settings(&config, &report);
    on_runtime(async move {
        let mut signals = Signals::new()?;
        let service = tokio::select! {
            started = Service::start(&config, models, Clock::system()) => started?,
            () = signals.next() => return Ok(ExitCode::SUCCESS),
        };
        say_hello(&config, &service);
        signals.next().await;
        tokio::select! {
            () = service.stop() => Ok(ExitCode::SUCCESS),
            () = signals.next() => {
                tracing::warn!("a second signal: ending at once");
                Ok(ExitCode::FAILURE)
            }
        }
    })
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

fn check() -> Result<ExitCode, Failure> {
    let (config, report) = config::read().map_err(|faults| Failure::Configuration(faults.to_string()))?;
    let models = app::models(&config.model).map_err(|error| Failure::Configuration(error.to_string()))?;
    println!("{}", report.table());
    for name in &report.unread {
        println!("{name} is set, but nothing reads it.");
    }
    let usual = models.usual().identity();
    println!("Answers come from {} {}.", usual.provider, usual.model);
    Ok(ExitCode::SUCCESS)
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

fn token(user: &str, minutes: u32) -> Result<ExitCode, Failure> {
    let user = UserId::parse(user).map_err(|error| runtime(anyhow::anyhow!("the user id {error}")))?;
    let (config, _) = config::read().map_err(|faults| Failure::Configuration(faults.to_string()))?;
    let settings = match &config.auth.mode {
        AuthMode::Jwt(settings) => settings,
        AuthMode::None => {
            return Err(Failure::Configuration("AUTH_MODE=jwt and JWT_SECRET required for a token".into()));
        }
    };
    let lasting = TimeDelta::minutes(minutes.into());
    let token = auth::issue(settings, &user, Clock::system().now(), lasting);
    println!("{}", token.map_err(|error| Failure::Configuration(error.to_string()))?);
    Ok(ExitCode::SUCCESS)
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

fn log_settings(config: &Config, report: &Report) {
    let provider = config.model.choice.provider();
    match config.model.chosen_by {
        ChosenBy::Name => tracing::info!("provider {} answers, as LLM_PROVIDER says", provider.as_str()),
        ChosenBy::Key => tracing::info!("provider {} answers, because its key is set", provider.as_str()),
        ChosenBy::BaseUrl => tracing::info!("provider custom answers, because LLM_BASE_URL is set"),
        ChosenBy::Nothing => tracing::warn!("no model is configured: the built-in demo answers"),
    }
    match &config.auth.mode {
        AuthMode::Jwt(_) => tracing::info!("AUTH_MODE=jwt: every user shows a token"),
        AuthMode::None if config.http.host.is_loopback() => {
            tracing::warn!("AUTH_MODE=none: whoever reaches this machine's loopback acts as any user");
        }
        AuthMode::None => {
            tracing::error!(
                "AUTH_MODE=none on {}: whoever reaches this port acts as any user",
                config.http.host
            );
        }
    }
    for name in &report.unread {
        tracing::warn!("{name} is set, but nothing reads it");
    }
}

/// Tells a person at a terminal that the service is there and what to try.
fn say_hello(config: &Config, service: &Service) {
    let address = service.address();
    let provider = config.model.choice.provider();
    println!("Parlor serves on http://{address}");
    println!("  database  {}", config.storage.database);
    match provider {
        ProviderName::Demo => {
            println!("  model     demo: it understands add, list, done, rename, priority, delete");
        }
        ProviderName::Openai
        | ProviderName::Gemini
        | ProviderName::Groq
        | ProviderName::Openrouter
        | ProviderName::Custom => println!("  model     {}", provider.as_str()),
    }
    println!("\nTry it:\n");
    println!("  curl -N localhost:{}/api/local/chat -H 'content-type: application/json' \\", address.port());
    match &config.auth.mode {
        AuthMode::None => {}
        AuthMode::Jwt(_) => println!("    -H \"authorization: Bearer $TOKEN\" \\"),
    }
    println!("    -d '{{\"message\":\"add buy milk and call mom\"}}'\n");
}

/// The signals that end the service.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> anyhow::Result<Self> {
        let terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be awaited")?;
        Ok(Self {
            terminate,
            interrupt: signal(SignalKind::interrupt()).context("SIGINT cannot be awaited")?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

fn on_runtime(work: impl Future<Output = anyhow::Result<ExitCode>>) -> Result<ExitCode, Failure> {
    let runtime: Runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(runtime)?;
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
