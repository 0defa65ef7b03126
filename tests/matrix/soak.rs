//! The soak: several users talk in several conversations at once while everything happens at random, over many lives of
//! the service. The seed is printed; the checker judges at the end.

use std::{sync::Arc, time::Duration};

use parlor_db::testing::Engine;
use rustix::process::Signal;
use tokio::time::{Instant, sleep, timeout};

use super::{
    cells::POINTS,
    checker,
    client::Client,
    evidence::{Evidence, Run},
    model::Failure,
    play::aftermath,
    stage::Stage,
    support::{random::Random, soon},
};

/// How many users there are, each in two conversations.
const USERS: usize = 4;

/// How often a run is attempted, as the configuration has it.
const RUN_MAX_ATTEMPTS: i32 = 3;

/// What was done in a soak.
pub struct Soaked {
    pub lives: usize,
    pub turns: usize,
    pub ends: String,
    pub faults: Vec<String>,
}

/// Begins another generator, for somebody who works beside the first.
pub fn another(random: &mut Random) -> Random {
    Random(random.below(u64::from(u32::MAX)) | 1)
}

/// Soaks for a while. Nothing if there is no such database here.
pub async fn soak(engine: Engine, long: Duration, mut random: Random) -> Option<Soaked> {
    let settings = [
        ("SHUTDOWN_GRACE", "0.2"),
        ("LLM_FIRST_TOKEN_TIMEOUT", "1"),
        ("LLM_IDLE_TIMEOUT", "1"),
        ("DATABASE_MAX_CONNECTIONS", "4"),
    ];
    let stage = Arc::new(Stage::set(engine, &settings).await?);
    let deadline = Instant::now() + long;
    let talks = (0..2 * USERS).map(|place| {
        let (stage, random) = (Arc::clone(&stage), another(&mut random));
        tokio::spawn(async move { talk(&stage, place, deadline, random).await })
    });
    let talks: Vec<_> = talks.collect();
    while Instant::now() < deadline {
        sleep(Duration::from_millis(50 + random.below(450))).await;
        soon("the fault has happened", strike(&stage, &mut random)).await;
    }
    stage.model.recover();
    stage.points.open();
    let mut clients = Vec::new();
    for talk in talks {
        clients.extend(soon("everybody has heard the end", talk).await.unwrap());
    }
    let (lives, turns) = (stage.past().await.lives + 1, clients.len());
    let evidence = aftermath(&stage, clients).await;
    let mut faults = checker::violations(&evidence);
    faults.extend(given_up_early(&evidence));
    Some(Soaked { lives, turns, ends: ends(&evidence), faults })
}

/// Talks in one conversation, turn after turn, and hangs up now and then.
async fn talk(stage: &Stage, place: usize, deadline: Instant, mut random: Random) -> Vec<Client> {
    let (mut clients, mut conversation) = (Vec::new(), None);
    while Instant::now() < deadline {
        let verb = if random.below(3) == 0 { "hello" } else { "add" };
        let message = format!("{verb} thing {place}-{}", clients.len());
        let client = stage.client(&format!("user-{}", place / 2), conversation.clone(), &message);
        let mut moments = another(&mut random);
        let hanging_up = async {
            loop {
                sleep(Duration::from_millis(10 + moments.below(300))).await;
                client.hang_up().await;
            }
        };
        let told = tokio::select! {
            told = soon("a turn in the soak is over", client.talk()) => told,
            () = hanging_up => unreachable!("it hangs up for ever"),
        };
        conversation = told.conversation.clone();
        clients.push(client);
    }
    clients
}

/// Does one thing that may happen.
async fn strike(stage: &Stage, random: &mut Random) {
    match random.below(16) {
        0 | 1 => {
            stage.kill().await;
            stage.start().await;
        }
        2 => {
            stage.signal(Signal::TERM).await;
            stage.until_it_ends().await;
            stage.start().await;
        }
        3..=7 => kill_at_a_point(stage, random).await,
        8 => stage.signal_child(Signal::KILL).await,
        9 => stage.signal_child(Signal::STOP).await,
        10 => stage.garble_child().await,
        11 => stage.busy().await,
        12 => {
            stage.signal(Signal::STOP).await;
            sleep(Duration::from_millis(random.below(400))).await;
            stage.signal(Signal::CONT).await;
        }
        _ => stage.model.fail(FAILURES[usize::try_from(random.below(5)).unwrap()]),
    }
}

const FAILURES: [Failure; 5] =
    [Failure::Reset, Failure::Stall, Failure::Error, Failure::Garbage, Failure::EndEarly];

/// Kills the service when the next turn comes to some point, if one does soon.
async fn kill_at_a_point(stage: &Stage, random: &mut Random) {
    let point = POINTS[usize::try_from(random.below(POINTS.len() as u64)).unwrap()];
    let held = stage.points.hold(point);
    if let Ok(Ok(_held)) = timeout(Duration::from_secs(1), held).await {
        stage.kill().await;
        stage.start().await;
    }
    stage.points.open();
}

/// Lists the runs that were interrupted although they had attempts left.
fn given_up_early(evidence: &Evidence) -> Vec<String> {
    let is_early = |run: &&Run| run.error.as_deref() == Some("interrupted") && run.attempt < RUN_MAX_ATTEMPTS;
    let early = evidence.runs.iter().filter(is_early);
    early.map(|run| format!("{} was given up in attempt {}", run.id, run.attempt)).collect()
}

/// Counts how the turns ended.
pub fn ends(evidence: &Evidence) -> String {
    let mut ends: Vec<String> = Vec::new();
    for run in &evidence.runs {
        ends.push(run.error.clone().unwrap_or_else(|| run.status.clone()));
    }
    ends.sort();
    let counts = ends.chunk_by(|left, right| left == right).map(|same| format!("{} {}", same.len(), same[0]));
    counts.collect::<Vec<_>>().join(", ")
}
