//! One short life of a tool server, for whoever wants to know before the start whether it works.

use std::time::Duration;

use tokio::time::timeout;

use super::{
    server::{self, ServerSettings},
    transport,
};
use crate::shutdown::Shutdown;

/// How long the server may take to hang up.
const HANG_UP_LIMIT: Duration = Duration::from_secs(1);

/// Starts a server, lists its tools and ends it. Returns their names.
///
/// # Errors
/// Why it cannot be used, in words.
pub async fn probe(
    settings: &ServerSettings,
    limit: Duration,
    shutdown: &Shutdown,
) -> Result<Vec<String>, String> {
    let started = transport::start(&settings.command, &settings.name, shutdown);
    let (running, pipes) = started.map_err(|error| format!("it cannot be started: {error}"))?;
    match timeout(limit, server::open(pipes, settings)).await {
        Ok(Ok((client, session))) => {
            let names = session.tools.iter().map(|tool| tool.name.clone()).collect();
            drop(session);
            let _ = timeout(HANG_UP_LIMIT, client.cancel()).await;
            server::ended("asked to".into(), running).await;
            Ok(names)
        }
        Ok(Err(reason)) => Err(server::ended(reason, running).await),
        Err(_elapsed) => Err(server::ended("it did not answer in time".into(), running).await),
    }
}
