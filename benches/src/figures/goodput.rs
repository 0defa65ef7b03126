//! Three times as many turns as the service can do: how many it still does, and how soon it says no to the others.

use std::time::Duration;

use crate::{
    load::{self, Target},
    overload::{Overload, Probe, overload, quantile_ms},
    provider::DELTAS,
    report::Report,
    settings::Settings,
    setup::{Ground, Kept, Service},
};

/// How many ask at once, without pause, where the peak is looked for.
const CLIENTS: [usize; 4] = [8, 16, 64, 256];

/// How much of the peak is offered.
const TIMES: f64 = 3.0;

/// How long it takes until everything new has been warmed up.
const WARM_UP: Duration = Duration::from_secs(2);

/// Where somebody asks meanwhile whether the service is well.
const HEALTH: [&str; 2] = ["/health/live", "/health/ready"];

pub(super) async fn measure(settings: &Settings, ground: &Ground, report: &mut Report) -> anyhow::Result<()> {
    if !settings.wants("goodput") {
        return Ok(());
    }
    let unlimited = Service::fresh(settings, ground, Kept::OnDisk).await?;
    for &places in &settings.places {
        let service = Service::limited(settings, ground, Kept::OnDisk, places).await?;
        // Each time anew: what else the machine does hits both.
        let peak = peak(settings, &unlimited.target).await?;
        strain(settings, &service.target, peak, places, report).await?;
    }
    Ok(())
}

/// Finds how many turns in a second are the most.
async fn peak(settings: &Settings, target: &Target) -> anyhow::Result<f64> {
    let mut peak = 0.0_f64;
    for clients in CLIENTS {
        let outcome = load::closed(target, clients, "plain", DELTAS, settings.window).await?;
        peak = peak.max(outcome.per_second());
    }
    Ok(peak)
}

async fn strain(
    settings: &Settings,
    target: &Target,
    peak: f64,
    places: u32,
    report: &mut Report,
) -> anyhow::Result<()> {
    let probes = HEALTH.map(|path| Probe::begin(target.address, path));
    // Turns that take all places at once come and go together for a while, each for as long as all of them take.
    let all_places = Duration::from_secs_f64(f64::from(places) / peak);
    let (warm_up, window) = (WARM_UP + all_places * 3, settings.window.max(all_places * 3));
    let strained = overload(target, peak * TIMES, warm_up, window).await?;
    let mut add = |what: &str, unit, value| {
        report.add(&format!("goodput, {places} places: {what}"), unit, target.name, value);
    };
    add("peak", "/s", peak);
    rates(&strained, peak, &mut add);
    for (path, probe) in HEALTH.into_iter().zip(probes) {
        times(path, &probe?.end()?, &mut add);
    }
    Ok(())
}

fn rates(strained: &Overload, peak: f64, add: &mut impl FnMut(&str, &'static str, f64)) {
    let seconds = strained.done.window.as_secs_f64();
    add("offered", "/s", strained.due as f64 / seconds);
    add("done", "/s", strained.done.per_second());
    add("done, of the peak", "", strained.done.per_second() / peak);
    add("refused", "/s", strained.refusals.len() as f64 / seconds);
    add("failed", "/s", strained.failed as f64 / seconds);
    add("not sent", "/s", strained.unsent as f64 / seconds);
    add("CPU of the service", "cores", strained.done.cpu.as_secs_f64() / seconds);
    add("total", "ms", strained.done.quantile_ms(|turn| turn.total, 0.5));
    add("total, p99", "ms", strained.done.quantile_ms(|turn| turn.total, 0.99));
    times("refusal", &strained.refusals, add);
    add("sent late, p99", "ms", quantile_ms(&strained.late, 0.99));
}

fn times(what: &str, times: &[Duration], add: &mut impl FnMut(&str, &'static str, f64)) {
    for (name, quantile) in [("p50", 0.5), ("p99", 0.99), ("max", 1.0)] {
        add(&format!("{what}, {name}"), "ms", quantile_ms(times, quantile));
    }
}
