//! Killed around the commit that accepts a message, life after life: who got a byte of the answer finds the message after
//! the restart, a key makes one turn, and every turn that was accepted comes to its end.

use std::{collections::HashSet, fmt, thread, time::Duration};

use parlor_db::testing::Engine;
use rustix::process::Signal;
use tokio::task::{JoinSet, spawn_blocking};

use super::{
    checker,
    client::{Client, Told},
    evidence::Evidence,
    play::aftermath,
    soak::ends,
    stage::Stage,
    support::{random::Random, soon},
};

/// How many speak at once, each in a conversation of their own.
const SPEAKERS: usize = 3;

/// How many lives a conversation has.
const LIVES_TOGETHER: usize = 20;

/// How long after it was let go a turn may be killed: until its commit and its first bytes are over, in microseconds.
const LONGEST: u64 = 12_000;

/// What came of it.
pub struct Accepted {
    pub turns: usize,
    pub met: Met,
    pub ends: String,
    pub faults: Vec<String>,
}

/// Where the turns were when they were killed.
#[derive(Debug, Default)]
pub struct Met {
    unstored: usize,
    unheard: usize,
    heard: usize,
}

impl fmt::Display for Met {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { unstored, unheard, heard } = self;
        write!(f, "{unstored} not stored, {unheard} stored and not heard of, {heard} heard of")
    }
}

/// When a life ends.
#[derive(Clone, Copy)]
enum Moment {
    BeforeTheCommit,
    AfterTheCommit,
    /// So long after it was let go before the commit.
    SoonAfter(Duration),
}

impl Moment {
    fn any(random: &mut Random) -> Self {
        match random.below(4) {
            0 => Self::BeforeTheCommit,
            1 => Self::AfterTheCommit,
            _ => Self::SoonAfter(Duration::from_micros(random.below(LONGEST))),
        }
    }

    const fn point(self) -> &'static str {
        match self {
            Self::BeforeTheCommit | Self::SoonAfter(_) => "before-accept",
            Self::AfterTheCommit => "after-accept",
        }
    }
}

/// Lives so many lives. Nothing if there is no such database here.
pub async fn accept(engine: Engine, lives: usize, mut random: Random) -> Option<Accepted> {
    let stage = Stage::set(engine, &[]).await?;
    let (mut all, mut met, mut faults) = (Vec::new(), Met::default(), Vec::new());
    let mut conversations = vec![None; SPEAKERS];
    for life in 0..lives {
        if life % LIVES_TOGETHER == 0 {
            conversations = vec![None; SPEAKERS];
        }
        let clients: Vec<Client> = (0..SPEAKERS)
            .map(|place| {
                let verb = if random.below(2) == 0 { "hello" } else { "add" };
                let (user, message) = (format!("user-{place}"), format!("{verb} thing {life}-{place}"));
                stage.client(&user, conversations[place].clone(), &message)
            })
            .collect();
        let heard = live(&stage, &clients, Moment::any(&mut random), &mut faults).await;
        for (client, heard) in clients.iter().zip(heard) {
            met.count(heard, &client.told());
        }
        conversations = clients.iter().map(|client| client.told().conversation).collect();
        all.extend(clients);
    }
    let turns = all.len();
    let evidence = aftermath(&stage, all).await;
    faults.extend(checker::violations(&evidence));
    Some(Accepted { turns, met, ends: ends(&evidence), faults })
}

/// Has everybody speak, kills the service, starts it again, looks whether what was heard is stored, and waits for the end
/// of all turns. Returns who had heard something when the service died.
async fn live(stage: &Stage, clients: &[Client], moment: Moment, faults: &mut Vec<String>) -> Vec<bool> {
    let held = stage.points.hold(moment.point());
    let mut talking = JoinSet::new();
    for client in clients {
        let client = client.clone();
        talking.spawn(async move { client.talk().await });
    }
    let held = soon("a turn is about to be accepted", held).await.expect("somebody came to the point");
    let service = stage.id().await;
    match moment {
        Moment::BeforeTheCommit | Moment::AfterTheCommit => stage.signal(Signal::KILL).await,
        Moment::SoonAfter(long) => {
            // On a thread of its own, for to the microsecond nothing else may be in its way.
            let killing = spawn_blocking(move || {
                drop(held);
                thread::sleep(long);
                rustix::process::kill_process(service, Signal::KILL)
            });
            killing.await.unwrap().expect("the process is ours");
        }
    }
    stage.kill().await;
    let heard = clients.iter().map(|client| client.run().is_some()).collect();
    stage.start().await;
    faults.extend(lost(stage, clients).await);
    soon("every turn is over", talking.join_all()).await;
    heard
}

/// Lists what somebody has heard of and is not stored.
async fn lost(stage: &Stage, clients: &[Client]) -> Vec<String> {
    // First what was heard, then what is stored: so whoever hears of it now is judged as well.
    let heard: Vec<Told> = clients.iter().map(Client::told).filter(|told| told.run.is_some()).collect();
    let items = Evidence::items(&stage.place).await;
    let messages = items.iter().filter(|item| item.kind == "user");
    let stored: HashSet<(&str, &str)> =
        messages.filter_map(|item| Some((item.run.as_str(), item.body["text"].as_str()?))).collect();
    let is_lost = |told: &&Told| !stored.contains(&(told.run.as_deref().unwrap(), told.message.as_str()));
    let lost = heard.iter().filter(is_lost);
    lost.map(|told| format!("P1: `{}` was heard of as {:?} and is not stored", told.message, told.run))
        .collect()
}

impl Met {
    fn count(&mut self, has_heard: bool, told: &Told) {
        let is_new = told.connections.first().is_some_and(|heard| heard.is_first);
        match (has_heard, is_new) {
            (true, _) => self.heard += 1,
            (false, true) => self.unstored += 1,
            (false, false) => self.unheard += 1,
        }
    }
}
