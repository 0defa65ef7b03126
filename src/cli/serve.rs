//! `parlor serve`: what is logged at the start, what a person at a terminal is told, and the signals that end it.

use std::process::ExitCode;

use anyhow::Context;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Failure, configured, on_runtime};
use crate::{
    app::{self, Service},
    clock::Clock,
    config::{AuthMode, ChosenBy, Config, ProviderName, Report},
};

/// Serves until a signal comes, then stops; a second one ends it at once.
pub(super) fn serve() -> Result<ExitCode, Failure> {
    let (config, report) = configured()?;
    let models = app::models(&config.model).map_err(|error| Failure::Configuration(error.to_string()))?;
    log_settings(&config, &report);
    make_room_for_connections();
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

/// Raises the limit of open files as far as the system lets us: every stream is one, and so is its provider's.
fn make_room_for_connections() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::warn!(%error, current = limit.current, "the limit of open files could not be raised");
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
