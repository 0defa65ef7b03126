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

/// How many streams are turns, each with a connection to the provider, and how many only follow one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mix {
    turns: u64,
    followers: u64,
}

impl Mix {
    /// As many turns as are wanted, if so many files may be open. Where a few are missing, streams that follow stand in.
    const fn of(limit: u64) -> Self {
        let room = limit.saturating_sub(OTHERS);
        if room >= 2 * STREAMS {
            return Self { turns: STREAMS, followers: 0 };
        }
        let turns = room.saturating_sub(STREAMS);
        if turns >= STREAMS - STREAMS / 10 {
            return Self { turns, followers: STREAMS - turns };
        }
        Self { turns: room / 2, followers: 0 }
    }

    const fn streams(self) -> u64 {
        self.turns + self.followers
    }
}

pub(super) async fn measure(settings: &Settings, ground: &Ground, report: &mut Report) -> anyhow::Result<()> {
    if !settings.wants("streams") {
        return Ok(());
    }
    // Each stream is two connections of the service: the client's and the provider's.
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX);
    let mix = Mix::of(limit);
    let service = Service::fresh(settings, ground, Kept::OnDisk).await?;
    let name = service.target.name;
    let at_rest = service.process.process().memory();
    let mut health = Client::connect(Protocol::Parlor, service.target.address, "health").await?;
    let began = Instant::now();
    let mut clients = hold(&service.target, usize::try_from(mix.turns)?).await?;
    let mut followers = Vec::new();
    for (turn, _) in clients.iter().take(usize::try_from(mix.followers)?) {
        followers.push(Client::follow(turn).await?);
    }
    clients.extend(followers);
    report.add("many streams: open without an error", "", name, clients.len() as f64);
    report.add("many streams: of these, only following", "", name, mix.followers as f64);
    report.add("many streams: opening them", "s", name, began.elapsed().as_secs_f64());
    health.reconnect().await?;
    let mut slowest = Duration::ZERO;
    for _ in 0..100 {
        slowest = slowest.max(health.get("/health/live").await?);
        sleep(Duration::from_millis(20)).await;
    }
    report.add("many streams: health, slowest of 100", "ms", name, slowest.as_secs_f64() * 1e3);
    let per_stream =
        (service.process.process().memory().saturating_sub(at_rest)) as f64 / 1_024.0 / mix.streams() as f64;
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
