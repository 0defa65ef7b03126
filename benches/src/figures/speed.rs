//! Turns: how many there are in a second, how long they take and what they cost.

use std::time::{Duration, Instant};

use crate::{
    client::Turn,
    load::{self, Outcome, Target},
    provider::DELTAS,
    report::Report,
    settings::Settings,
    setup::{Ground, Kept, Service},
};

/// How many ask at once.
const CLIENTS: [usize; 4] = [1, 16, 64, 256];

/// How many plain turns come in a second where they come at a fixed rate.
const RATE: f64 = 200.0;

pub(super) async fn measure(settings: &Settings, ground: &Ground, report: &mut Report) -> anyhow::Result<()> {
    let figures = ["plain", "open", "tool", "paced"];
    if !figures.iter().any(|figure| settings.wants(figure)) {
        return Ok(());
    }
    let disk = Service::fresh(settings, ground, Kept::OnDisk).await?;
    let memory = Service::fresh(settings, ground, Kept::InMemory).await?;
    let postgres = match Service::fresh(settings, ground, Kept::InPostgres).await {
        Ok(service) => Some(service),
        Err(error) => {
            eprintln!("  no Postgres: {error:#}");
            None
        }
    };
    let services: Vec<&Target> = [Some(&disk), Some(&memory), postgres.as_ref()]
        .into_iter()
        .flatten()
        .map(|service| &service.target)
        .collect();
    let all = [&[&ground.provider, &ground.floor], services.as_slice()].concat();
    if settings.wants("plain") {
        report.add("one write and sync of 12 KiB", "ms", "the disk", sync_time(disk_folder(&disk))?);
        for clients in CLIENTS {
            plain(settings, &all, clients, report).await?;
        }
    }
    if settings.wants("open") {
        open(settings, &all, report).await?;
    }
    if settings.wants("tool") {
        for clients in [1, 64] {
            tool(settings, &services, clients, report).await?;
        }
    }
    if settings.wants("paced") {
        paced(&all, report).await?;
    }
    Ok(())
}

async fn plain(
    settings: &Settings,
    all: &[&Target],
    clients: usize,
    report: &mut Report,
) -> anyhow::Result<()> {
    for target in all {
        let outcome = load::closed(target, clients, "plain", DELTAS, settings.window).await?;
        let name = |what: &str| format!("plain, {clients} at once: {what}");
        report.add(&name("turns"), "/s", target.name, outcome.per_second());
        times(&name, target, &outcome, report);
    }
    Ok(())
}

fn times(name: &impl Fn(&str) -> String, target: &Target, outcome: &Outcome, report: &mut Report) {
    let first = |turn: &Turn| turn.first_delta;
    report.add(&name("first delta"), "ms", target.name, outcome.quantile_ms(first, 0.5));
    report.add(&name("first delta, p99"), "ms", target.name, outcome.quantile_ms(first, 0.99));
    report.add(&name("total"), "ms", target.name, outcome.quantile_ms(|turn| turn.total, 0.5));
    if target.process.is_some() {
        report.add(&name("CPU per turn"), "ms", target.name, outcome.cpu_ms_per_turn());
    }
}

async fn open(settings: &Settings, all: &[&Target], report: &mut Report) -> anyhow::Result<()> {
    for target in all {
        let outcome = load::open(target, RATE, settings.window).await?;
        times(&|what| format!("plain, {RATE} in a second: {what}"), target, &outcome, report);
    }
    Ok(())
}

async fn tool(
    settings: &Settings,
    services: &[&Target],
    clients: usize,
    report: &mut Report,
) -> anyhow::Result<()> {
    for target in services {
        let outcome = load::closed(target, clients, "tool", DELTAS, settings.window).await?;
        let name = |what: &str| format!("tool, {clients} at once: {what}");
        report.add(&name("turns"), "/s", target.name, outcome.per_second());
        report.add(&name("total"), "ms", target.name, outcome.quantile_ms(|turn| turn.total, 0.5));
        report.add(&name("CPU per turn"), "ms", target.name, outcome.cpu_ms_per_turn());
    }
    Ok(())
}

/// Fifty deltas ten milliseconds apart, for 256 clients: whether they come as they are sent.
async fn paced(all: &[&Target], report: &mut Report) -> anyhow::Result<()> {
    for target in all {
        let outcome = load::closed(target, 256, "paced", DELTAS, Duration::from_secs(3)).await?;
        let name = |what: &str| format!("50 deltas 10 ms apart, 256 at once: {what}");
        report.add(&name("turns"), "/s", target.name, outcome.per_second());
        report.add(&name("total"), "ms", target.name, outcome.quantile_ms(|turn| turn.total, 0.5));
        let gap = |turn: &Turn| turn.largest_gap;
        report.add(&name("largest gap, median"), "ms", target.name, outcome.quantile_ms(gap, 0.5));
        report.add(&name("largest gap, p99"), "ms", target.name, outcome.quantile_ms(gap, 0.99));
        if target.process.is_some() {
            report.add(&name("CPU per turn"), "ms", target.name, outcome.cpu_ms_per_turn());
        }
    }
    Ok(())
}

fn disk_folder(service: &Service) -> &std::path::Path {
    service.folder.path()
}

/// Measures what the disk takes to make a few pages durable: what no durable turn can be faster than.
fn sync_time(folder: &std::path::Path) -> anyhow::Result<f64> {
    use std::io::Write;
    let mut file = std::fs::File::create(folder.join("sync"))?;
    let mut times = Vec::new();
    for _ in 0..100 {
        file.write_all(&[7; 12 * 1_024])?;
        let began = Instant::now();
        file.sync_data()?;
        times.push(began.elapsed());
    }
    times.sort_unstable();
    Ok(times.get(times.len() / 2).copied().unwrap_or_default().as_secs_f64() * 1e3)
}
