//! As many open streams as there are file descriptors for, and how the service is meanwhile.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::memory::{finish, hold};
use crate::{
    client::{Client, Protocol},
    report::Report,
    settings::Settings,
    setup::{Ground, Kept, Service},
};

/// How many streams are wanted.
const STREAMS: u64 = 10_000;

/// What a process needs beside its connections, in file descriptors.
const OTHERS: u64 = 100;

pub(super) async fn measure(settings: &Settings, ground: &Ground, report: &mut Report) -> anyhow::Result<()> {
    if !settings.wants("streams") {
        return Ok(());
    }
    // Each stream is two connections of the service: the client's and the provider's.
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX);
    let count = STREAMS.min(limit.saturating_sub(OTHERS) / 2);
    let service = Service::fresh(settings, ground, Kept::OnDisk).await?;
    let name = service.target.name;
    let at_rest = service.process.process().memory();
    let mut health = Client::connect(Protocol::Parlor, service.target.address, "health").await?;
    let began = Instant::now();
    let clients = hold(&service.target, usize::try_from(count)?).await?;
    report.add("many streams: open without an error", "", name, clients.len() as f64);
    report.add("many streams: opening them", "s", name, began.elapsed().as_secs_f64());
    health.reconnect().await?;
    let mut slowest = Duration::ZERO;
    for _ in 0..100 {
        slowest = slowest.max(health.get("/health/live").await?);
        sleep(Duration::from_millis(20)).await;
    }
    report.add("many streams: health, slowest of 100", "ms", name, slowest.as_secs_f64() * 1e3);
    let per_stream =
        (service.process.process().memory().saturating_sub(at_rest)) as f64 / 1_024.0 / count as f64;
    report.add("many streams: memory per stream", "KB", name, per_stream);
    ground.release().await?;
    let ended = tokio::spawn(finish(clients));
    let (mut slowest, released) = (Duration::ZERO, Instant::now());
    while !ended.is_finished() {
        slowest = slowest.max(health.get("/health/live").await?);
        sleep(Duration::from_millis(10)).await;
    }
    ended.await??;
    report.add("many streams: health while all end at once", "ms", name, slowest.as_secs_f64() * 1e3);
    report.add("many streams: all ended", "s", name, released.elapsed().as_secs_f64());
    Ok(())
}
