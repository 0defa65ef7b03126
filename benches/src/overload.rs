//! Too much load: turns that come at a fixed rate, however many are refused. Who is refused does not come back.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context, anyhow};
use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

use crate::{
    client::{Answered, Client, Protocol, Turn},
    load::{Outcome, Target},
};

/// The most connections. A turn that finds none free is not sent: that is a limit of ours, and is told.
const MOST_OPEN: usize = 4_096;

/// How long a connection is kept that nobody uses: shorter than the service keeps it.
const KEPT: Duration = Duration::from_secs(5);

/// How often somebody asks whether the service lives.
const PROBE_EVERY: Duration = Duration::from_millis(20);

/// What came of too much load, within the window.
#[derive(Debug)]
pub(crate) struct Overload {
    /// How many turns were due.
    pub(crate) due: usize,
    /// How many of them found no connection.
    pub(crate) unsent: usize,
    /// The turns that ended.
    pub(crate) done: Outcome,
    /// How many were taken and failed, or were refused for another reason than want of room.
    pub(crate) failed: usize,
    /// How long each refusal took, from the request on.
    pub(crate) refusals: Vec<Duration>,
    /// How late requests were sent, because we share the processors with who is measured.
    pub(crate) late: Vec<Duration>,
}

/// What became of one turn, and when.
struct Arrival {
    answered: Answered,
    late: Duration,
    at: Instant,
}

/// Connections that nobody uses, and since when.
type Idle = Arc<Mutex<Vec<(Client, Instant)>>>;

/// Sends plain turns at a fixed rate, first for a while that is not counted, and waits until all are answered.
pub(crate) async fn overload(
    target: &Target,
    per_second: f64,
    warm_up: Duration,
    window: Duration,
) -> anyhow::Result<Overload> {
    let (idle, places) = (Idle::default(), Arc::new(Semaphore::new(MOST_OPEN)));
    let began = Instant::now();
    let (from, until) = (began + warm_up, began + warm_up + window);
    let (mut due, mut unsent, mut before) = (0, 0, None);
    let mut asking = JoinSet::new();
    for number in 0_u32.. {
        let when = began + Duration::from_secs_f64(f64::from(number) / per_second);
        if when >= until {
            break;
        }
        sleep_until(when).await;
        if when >= from {
            due += 1;
            before.get_or_insert_with(|| target.cpu());
        }
        match Arc::clone(&places).try_acquire_owned() {
            Ok(place) => {
                let arriving = arrive(target.clone(), Arc::clone(&idle), when, number);
                asking.spawn(async move {
                    let arrived = arriving.await;
                    drop(place);
                    arrived
                });
            }
            Err(_full) => unsent += usize::from(when >= from),
        }
    }
    sleep_until(until).await;
    let cpu = target.cpu().saturating_sub(before.unwrap_or_default());
    let mut outcome = Overload {
        due,
        unsent,
        failed: 0,
        done: Outcome { turns: Vec::new(), window, cpu },
        refusals: Vec::new(),
        late: Vec::new(),
    };
    while let Some(arrived) = asking.join_next().await {
        let arrived = arrived?.with_context(|| target.name)?;
        if (from..until).contains(&arrived.at) {
            outcome.count(arrived);
        }
    }
    Ok(outcome)
}

async fn arrive(target: Target, idle: Idle, due: Instant, number: u32) -> anyhow::Result<Arrival> {
    let kept = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let mut client = match kept {
        Some((client, since)) if since.elapsed() < KEPT => client,
        Some(_) | None => Client::connect(target.protocol, target.address, &format!("much{number}")).await?,
    };
    let late = due.elapsed();
    let answered = client.try_turn("plain").await?;
    idle.lock().unwrap_or_else(PoisonError::into_inner).push((client, Instant::now()));
    Ok(Arrival { answered, late, at: Instant::now() })
}

impl Overload {
    fn count(&mut self, arrival: Arrival) {
        self.late.push(arrival.late);
        match arrival.answered {
            Answered::Turn(turn) => self.done.turns.push(turn),
            Answered::Refused(took) => self.refusals.push(took),
            Answered::Failed => self.failed += 1,
        }
    }
}

/// Returns a quantile of some times, in milliseconds.
pub(crate) fn quantile_ms(times: &[Duration], quantile: f64) -> f64 {
    let turn = |total: &Duration| Turn { total: *total, ..Turn::default() };
    let turns = times.iter().map(turn).collect();
    let times = Outcome { turns, window: Duration::ZERO, cpu: Duration::ZERO };
    times.quantile_ms(|turn| turn.total, quantile)
}

/// Somebody who asks every few milliseconds whether the service lives, on a thread that does nothing else.
pub(crate) struct Probe {
    is_over: Arc<AtomicBool>,
    asking: thread::JoinHandle<anyhow::Result<Vec<Duration>>>,
}

impl Probe {
    /// Begins to ask.
    pub(crate) fn begin(address: SocketAddr, path: &'static str) -> anyhow::Result<Self> {
        let is_over = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&is_over);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let asking = thread::spawn(move || runtime.block_on(ask(address, path, &until)));
        Ok(Self { is_over, asking })
    }

    /// Asks no more and returns how long each answer took.
    pub(crate) fn end(self) -> anyhow::Result<Vec<Duration>> {
        self.is_over.store(true, Ordering::Relaxed);
        self.asking.join().map_err(|_panic| anyhow!("the probe died"))?
    }
}

async fn ask(address: SocketAddr, path: &str, is_over: &AtomicBool) -> anyhow::Result<Vec<Duration>> {
    let mut client = Client::connect(Protocol::Parlor, address, "health").await?;
    let mut times = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        times.push(client.get(path).await?);
        sleep(PROBE_EVERY).await;
    }
    Ok(times)
}
