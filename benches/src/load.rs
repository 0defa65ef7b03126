//! Load: clients that ask again as soon as they are answered, or turns that come at a fixed rate.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context, ensure};
use tokio::{
    sync::{Mutex, Semaphore},
    task::JoinSet,
    time::{Instant, sleep_until},
};

use crate::{
    client::{Client, Protocol, Turn},
    processes::Process,
};

/// The most turns of a fixed rate that are under way at once.
const MOST_OPEN: usize = 512;

/// How much of the window is not counted.
const WARM_UP: f64 = 0.25;

/// Where a load goes, and whose time is counted.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) name: &'static str,
    pub(crate) protocol: Protocol,
    pub(crate) address: SocketAddr,
    /// The process that serves, if it is one whose time is of interest.
    pub(crate) process: Option<Process>,
}

/// What came of a load.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Turns that ended within the window, by the time they took.
    pub(crate) turns: Vec<Turn>,
    pub(crate) window: Duration,
    /// What the serving processes worked meanwhile.
    pub(crate) cpu: Duration,
}

impl Outcome {
    pub(crate) fn per_second(&self) -> f64 {
        self.turns.len() as f64 / self.window.as_secs_f64()
    }

    pub(crate) fn cpu_ms_per_turn(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e3 / self.turns.len().max(1) as f64
    }

    /// Returns a quantile of one of the times, in milliseconds.
    pub(crate) fn quantile_ms(&self, of: impl Fn(&Turn) -> Duration, quantile: f64) -> f64 {
        let mut times: Vec<Duration> = self.turns.iter().map(of).collect();
        times.sort_unstable();
        let at = ((times.len().saturating_sub(1)) as f64 * quantile).round() as usize;
        times.get(at).copied().unwrap_or_default().as_secs_f64() * 1e3
    }
}

/// Lets so many clients ask without pause. A turn that goes wrong ends the measurement.
pub(crate) async fn closed(
    target: &Target,
    clients: usize,
    script: &'static str,
    deltas: usize,
    window: Duration,
) -> anyhow::Result<Outcome> {
    let from = Instant::now() + window.mul_f64(WARM_UP);
    let until = from + window;
    let mut asking = JoinSet::new();
    for number in 0..clients {
        let (target, user) = (target.clone(), format!("client{number}"));
        asking.spawn(async move {
            let mut client = Client::connect(target.protocol, target.address, &user).await?;
            let mut turns = Vec::new();
            while Instant::now() < until {
                let turn = client.turn(script, None).await?;
                ensure!(turn.deltas == deltas, "{} deltas came, {deltas} were sent", turn.deltas);
                if (from..until).contains(&Instant::now()) {
                    turns.push(turn);
                }
            }
            anyhow::Ok(turns)
        });
    }
    sleep_until(from).await;
    let before = target.cpu();
    sleep_until(until).await;
    let cpu = target.cpu().saturating_sub(before);
    let mut turns = Vec::new();
    while let Some(asked) = asking.join_next().await {
        turns.extend(asked?.with_context(|| target.name)?);
    }
    ensure!(!turns.is_empty(), "{}: no turn ended in time", target.name);
    Ok(Outcome { turns, window, cpu })
}

/// Sends plain turns at a fixed rate, whether earlier ones have ended or not; times count from when a turn was due.
pub(crate) async fn open(target: &Target, per_second: f64, window: Duration) -> anyhow::Result<Outcome> {
    let (idle, places) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Semaphore::new(MOST_OPEN)));
    let (began, count) = (Instant::now(), (per_second * window.as_secs_f64()) as u32);
    let before = target.cpu();
    let mut asking = JoinSet::new();
    for number in 0..count {
        let due = began + Duration::from_secs_f64(f64::from(number) / per_second);
        sleep_until(due).await;
        let place = Arc::clone(&places).acquire_owned().await?;
        let (target, idle) = (target.clone(), Arc::clone(&idle));
        asking.spawn(async move {
            let kept = idle.lock().await.pop();
            let mut client = match kept {
                Some(client) => client,
                None => Client::connect(target.protocol, target.address, &format!("open{number}")).await?,
            };
            let late = due.elapsed();
            let mut turn = client.turn("plain", None).await?;
            turn.first_delta += late;
            turn.total += late;
            idle.lock().await.push(client);
            drop(place);
            anyhow::Ok(turn)
        });
    }
    let mut turns = Vec::new();
    while let Some(asked) = asking.join_next().await {
        turns.push(asked?.with_context(|| target.name)?);
    }
    Ok(Outcome { turns, window: began.elapsed(), cpu: target.cpu().saturating_sub(before) })
}

impl Target {
    /// Returns what the process has worked so far.
    pub(crate) fn cpu(&self) -> Duration {
        self.process.as_ref().map(Process::cpu).unwrap_or_default()
    }
}
