//! The task server dies again and again, at rest, in a call and while it starts: no effect is missing or there twice, and
//! the service is afterwards what it was before, with as many files, threads and bytes.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use parlor_db::testing::Engine;
use tokio::{
    sync::RwLock,
    time::{sleep, timeout},
};

use super::{
    checker,
    client::Client,
    evidence::Evidence,
    play::aftermath,
    soak::{another, ends},
    stage::Stage,
    support::{eventually, random::Random, soon},
    vitals::{Vitals, growth},
};

/// How many talk at once, each in a conversation of their own.
const TALKERS: usize = 4;

/// How many turns a conversation has.
const TURNS: usize = 20;

/// How often the service is looked at.
const LOOKS: usize = 20;

/// How many die at least between two looks.
const BETWEEN_LOOKS: usize = 3;

/// How long somebody waits for the next call.
const NEXT_CALL: Duration = Duration::from_secs(30);

/// What came of it.
pub struct Restarted {
    pub turns: usize,
    pub met: Met,
    pub ends: String,
    /// The service at rest, ever again.
    pub vitals: Vec<Vitals>,
    pub faults: Vec<String>,
}

/// Where the task server was when it was killed.
#[derive(Debug, Default)]
pub struct Met {
    at_rest: usize,
    in_a_call: usize,
    starting: usize,
}

impl fmt::Display for Met {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at_rest, in_a_call, starting } = self;
        write!(f, "{at_rest} at rest, {in_a_call} in a call, {starting} while it started")
    }
}

/// What all share.
struct Scene {
    stage: Stage,
    /// Turns hold it together; who wants the service at rest takes it alone.
    floor: RwLock<()>,
    is_over: AtomicBool,
}

/// Kills so many task servers. Nothing if there is no such database here.
pub async fn restarts(engine: Engine, kills: usize, mut random: Random) -> Option<Restarted> {
    // What ended is soon forgotten: it would look as if memory grew.
    let stage = Stage::set(engine, &[("LIVE_LOG", "1")]).await?;
    let scene = Arc::new(Scene { stage, floor: RwLock::default(), is_over: AtomicBool::default() });
    let talks = (0..TALKERS).map(|place| tokio::spawn(talk(Arc::clone(&scene), place)));
    let talks: Vec<_> = talks.collect();
    let (mut met, mut vitals, mut last) = (Met::default(), Vec::new(), 0);
    let mut moments = another(&mut random);
    for kill in 0..kills {
        last = soon("a task server is killed", scene.kill(last, &mut moments, &mut met)).await;
        if (kill + 1) % kills.div_ceil(LOOKS).max(BETWEEN_LOOKS) == 0 {
            vitals.push(soon("the service is at rest", scene.look()).await);
        }
    }
    scene.is_over.store(true, Ordering::SeqCst);
    let mut clients = Vec::new();
    for talk in talks {
        clients.extend(soon("everybody has heard the end", talk).await.unwrap());
    }
    let turns = clients.len();
    let evidence = aftermath(&scene.stage, clients).await;
    let mut faults = checker::violations(&evidence);
    faults.extend(unfinished(&evidence));
    faults.extend(growth(&vitals));
    Some(Restarted { turns, met, ends: ends(&evidence), vitals, faults })
}

/// Adds one thing after the other until it is told that all is over.
async fn talk(scene: Arc<Scene>, place: usize) -> Vec<Client> {
    let (mut clients, mut conversation) = (Vec::new(), None);
    while !scene.is_over.load(Ordering::SeqCst) {
        let _turn = scene.floor.read().await;
        if clients.len() % TURNS == 0 {
            conversation = None;
        }
        let message = format!("add thing {place}-{}", clients.len());
        let client = scene.stage.client(&format!("user-{}", place / 2), conversation, &message);
        conversation = soon("a turn is over", client.talk()).await.conversation;
        clients.push(client);
    }
    clients
}

impl Scene {
    /// Kills the task server that came after another, at some moment of its life.
    async fn kill(&self, last: i32, random: &mut Random, met: &mut Met) -> i32 {
        match random.below(3) {
            0 => {
                let _nobody_talks = self.floor.write().await;
                self.until_up().await;
                met.at_rest += 1;
                self.stage.kill_child(last).await
            }
            1 => {
                let point = if random.below(2) == 0 { "call-arrived" } else { "effect-done" };
                let held = timeout(NEXT_CALL, self.stage.points.hold(point)).await;
                let _held = held.expect("the next call comes").expect("somebody came to the point");
                met.in_a_call += 1;
                self.stage.kill_child(last).await
            }
            _ => {
                met.starting += 1;
                self.stage.kill_child(last).await
            }
        }
    }

    async fn until_up(&self) {
        eventually("the task server is up", || async {
            let base = self.stage.service().await.as_ref().expect("the service runs").base.clone();
            // Each time on a new connection: the service hangs up on one that is silent for long.
            let answer = reqwest::get(format!("{base}/health/ready")).await.ok()?;
            let ready: serde_json::Value = answer.json().await.ok()?;
            (ready["parts"]["mcp:tasks"]["status"] == "ok").then_some(())
        })
        .await;
    }

    /// Looks at the service while nobody talks and its task server is up.
    async fn look(&self) -> Vitals {
        let _nobody_talks = self.floor.write().await;
        self.until_up().await;
        // Connections that their clients have left are closed a moment later.
        sleep(Duration::from_millis(200)).await;
        Vitals::of(self.stage.id().await)
    }
}

/// Lists the runs that did not complete: a dead task server is no reason.
fn unfinished(evidence: &Evidence) -> Vec<String> {
    let unfinished = evidence.runs.iter().filter(|run| run.status != "completed");
    unfinished.map(|run| format!("{} is {} {:?}", run.id, run.status, run.error)).collect()
}
