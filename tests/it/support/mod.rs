//! What tests stand on: a service in this process or as a real one, a scripted model, a scripted provider, a client.

pub mod app;
pub mod description;
pub mod outage;
pub mod process;
pub mod provider;
pub mod random;
pub mod redact;
pub mod rows;
pub mod script;
pub mod stand_in;
pub mod stream;
pub mod terminal;
pub mod threads;

use std::{future::Future, time::Duration};

use parlor::store::Store;
use parlor_db::Migrations;

/// How long anything may take that a test waits for. Reached only when something is broken.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Returns the migrations of both packages: what a fresh database of a test has.
pub fn migrations() -> Vec<Migrations> {
    vec![Store::migrations(), parlor_tasks::migrations()]
}

/// Waits for something, and fails the test instead of waiting for ever.
pub async fn soon<T>(what: &str, work: impl Future<Output = T>) -> T {
    let waiting = tokio::time::timeout(PATIENCE, work).await;
    waiting.unwrap_or_else(|_| panic!("{what}: not within {PATIENCE:?}"))
}

/// Asks again and again until there is an answer.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let asking = async {
        let mut pause = tokio::time::interval(Duration::from_millis(10));
        loop {
            pause.tick().await;
            if let Some(answer) = ask().await {
                return answer;
            }
        }
    };
    soon(what, asking).await
}

/// Returns the command that starts the task server as a process of its own.
pub fn task_server_command() -> String {
    format!("'{}' mcp-server --supervised", env!("CARGO_BIN_EXE_parlor"))
}
