//! The figures, in the order in which a run measures them. What is compared is measured in turn, round by round.

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

/// Measures what is wanted and prints it.
pub(crate) async fn run(settings: &Settings) -> anyhow::Result<()> {
    let ground = Ground::start()?;
    let mut report = Report::default();
    let outcome = measure(settings, &ground, &mut report).await;
    // What was measured before something went wrong is shown all the same.
    println!("{}", report.table());
    if let Some(path) = &settings.json {
        std::fs::write(path, report.to_json()?)?;
    }
    outcome
}

async fn measure(settings: &Settings, ground: &Ground, report: &mut Report) -> anyhow::Result<()> {
    for round in 0..settings.rounds {
        eprintln!("round {} of {}", round + 1, settings.rounds);
        report.begin_round(round);
        speed::measure(settings, ground, report).await?;
        start::measure(settings, ground, report).await?;
        history::measure(settings, ground, report).await?;
        memory::measure(settings, ground, report).await?;
        streams::measure(settings, ground, report).await?;
    }
    Ok(())
}
