//! The figures, in the order in which a run measures them. What is compared is measured in turn, round by round.

mod goodput;
mod history;
mod memory;
mod speed;
mod start;
mod streams;

use std::time::Duration;

use anyhow::Context;

use crate::{
    client::Protocol,
    load::{self, Target},
    processes::Process,
    provider::DELTAS,
    report::Report,
    settings::Settings,
    setup::Ground,
};

/// Puts load on a service that runs already, to look at it meanwhile with other tools.
pub(crate) async fn load(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<()> {
    let mut next = || arguments.next().context("load SERVICE PROCESS CLIENTS SCRIPT SECONDS");
    let (address, process) = (next()?.parse()?, Process::of(next()?.parse()?));
    let (clients, script, seconds) = (next()?.parse()?, next()?.leak(), next()?.parse()?);
    let target = Target { name: "service", protocol: Protocol::Parlor, address, process: Some(process) };
    let outcome = load::closed(&target, clients, script, DELTAS, Duration::from_secs(seconds)).await?;
    println!("{:.0} turns/s, {:.3} ms of CPU per turn", outcome.per_second(), outcome.cpu_ms_per_turn());
    Ok(())
}

/// Measures what is wanted and prints it. What cannot be measured is told, and the rest is measured all the same.
pub(crate) async fn run(settings: &Settings) -> anyhow::Result<()> {
    let ground = Ground::start()?;
    let mut report = Report::default();
    let mut faults = Vec::new();
    for round in 0..settings.rounds {
        eprintln!("round {} of {}", round + 1, settings.rounds);
        report.begin_round(round);
        let report = &mut report;
        faults.extend(speed::measure(settings, &ground, report).await.err());
        faults.extend(start::measure(settings, &ground, report).await.err());
        faults.extend(history::measure(settings, &ground, report).await.err());
        faults.extend(memory::measure(settings, &ground, report).await.err());
        faults.extend(goodput::measure(settings, &ground, report).await.err());
        faults.extend(streams::measure(settings, &ground, report).await.err());
    }
    println!("{}", report.table());
    if let Some(path) = &settings.json {
        std::fs::write(path, report.to_json()?)?;
    }
    for fault in &faults {
        eprintln!("not measured: {fault:#}");
    }
    anyhow::ensure!(faults.is_empty(), "{} figures went wrong", faults.len());
    Ok(())
}
