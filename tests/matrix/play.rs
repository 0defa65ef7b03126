//! Plays one cell: a turn is held at the point, the fault strikes, the turn goes on; then the same conversation is used
//! again, the service is stopped, and what is left is handed to the checker.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use tokio::time::timeout;

use super::{
    cells::{Cell, Fault, allowed, place},
    checker,
    client::{Client, Told},
    evidence::Evidence,
    model::Failure,
    points::Held,
    stage::{Stage, survivors},
    support::{eventually, soon},
};

const USER: &str = "ada";

/// How often a provider that stumbles does so, and how often it is asked again.
const STUMBLES: usize = 2;

/// How long what is frozen stays so.
const FROZEN: Duration = Duration::from_millis(700);

/// Plays a cell and returns how the turn ended and what does not hold. Nothing if there is no such database here.
pub async fn play(cell: Cell) -> Option<(String, Vec<String>)> {
    let grace = if cell.fault == Fault::StopNow { "0.05" } else { "20" };
    let connections = if cell.fault == Fault::PoolFull { "2" } else { "4" };
    let silence = if cell.fault == Fault::Provider(Failure::Stall) { "1" } else { "30" };
    let retries = if matches!(cell.fault, Fault::Stumble(_)) { STUMBLES } else { 0 }.to_string();
    let settings = [
        ("LLM_RETRIES", retries.as_str()),
        ("SHUTDOWN_GRACE", grace),
        ("DATABASE_MAX_CONNECTIONS", connections),
        ("LLM_FIRST_TOKEN_TIMEOUT", silence),
        ("LLM_IDLE_TIMEOUT", silence),
        ("RUN_RECOVERY", cell.recovery.as_str()),
    ];
    let stage = Stage::set(cell.engine, &settings).await?;
    let held = stage.points.hold(cell.point);
    let client = stage.client(USER, None, "add milk");
    let (_, ()) = tokio::join!(soon("the turn is over", client.talk()), async {
        let held = soon("the point is reached", held).await.expect("somebody came to the point");
        if place(cell.point) >= place("asked") {
            // The model may be asked, and answer, while the message is still being stored: nothing is promised before.
            eventually("the message is acknowledged", || async { client.run() }).await;
        }
        strike(cell, held, &stage, &client).await;
    });
    stage.model.recover();
    let unmet = stage.model.stumbles_left();
    let evidence = aftermath(&stage, vec![client]).await;
    let outcome = outcome(&evidence);
    let mut faults = checker::violations(&evidence);
    if unmet > 0 {
        faults.push(format!("the provider failed {unmet} times less often than it was to"));
    }
    if !allowed(&cell).contains(&outcome.as_str()) {
        faults.push(format!("it may end as {:?} and ended as {outcome}", allowed(&cell)));
    }
    if faults.is_empty() {
        stage.place.leave().await;
    } else {
        faults.extend(stage.past().await.logs.into_iter().flat_map(|log| last_lines(&log)));
    }
    Some((outcome, faults))
}

/// Lets the fault happen to a turn that is held, and lets go of it.
async fn strike(cell: Cell, held: Held, stage: &Stage, client: &Client) {
    match cell.fault {
        Fault::HangUp => client.hang_up().await,
        Fault::Cancel => return cancel(held, stage, client).await,
        Fault::CancelKill => {
            request_cancel(stage, client).await;
            return kill(cell, held, stage).await;
        }
        Fault::Stop => {
            stage.signal(Signal::TERM).await;
            stage.until_it_logs("stopping: nothing new begins").await;
            drop(held);
            stage.until_it_ends().await;
            return stage.start().await;
        }
        Fault::StopNow => {
            stage.signal(Signal::TERM).await;
            stage.until_it_logs("the grace is over").await;
            drop(held);
            stage.until_it_ends().await;
            return stage.start().await;
        }
        Fault::Kill | Fault::KillTwice | Fault::KillThrice => return kill(cell, held, stage).await,
        Fault::Freeze => {
            stage.signal(Signal::STOP).await;
            drop(held);
            tokio::time::sleep(FROZEN).await;
            return stage.signal(Signal::CONT).await;
        }
        Fault::Provider(failure) => stage.model.fail(failure),
        Fault::Stumble(stumble) => stage.model.stumble(stumble, STUMBLES),
        Fault::ChildKill => stage.signal_child(Signal::KILL).await,
        Fault::ChildFreeze => stage.signal_child(Signal::STOP).await,
        Fault::ChildGarbage => stage.garble_child().await,
        Fault::Outage => {
            tokio::join!(stage.outage(), let_go(held));
            return;
        }
        Fault::Busy => {
            tokio::join!(stage.busy(), let_go(held));
            return;
        }
        Fault::PoolFull => return crowd(held, stage, client).await,
    }
    drop(held);
}

/// Kills the service, and the next one when the turn has come to the same point again, as often as the cell says.
async fn kill(cell: Cell, mut held: Held, stage: &Stage) {
    let times = match cell.fault {
        Fault::KillTwice => 2,
        Fault::KillThrice => 3,
        _ => 1,
    };
    for more in (0..times).rev() {
        stage.kill().await;
        drop(held);
        let again = (more > 0).then(|| stage.points.hold(cell.point));
        stage.start().await;
        let Some(again) = again else { return };
        held = soon("the point is reached again", again).await.expect("somebody came to the point");
    }
}

/// Lets go a moment later, when what happens beside it has begun.
async fn let_go(held: Held) {
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(held);
}

/// Cancels the run, twice, as impatient people do.
async fn cancel(held: Held, stage: &Stage, client: &Client) {
    for held in [Some(held), None] {
        tokio::join!(request_cancel(stage, client), async { drop(held) });
    }
}

/// Cancels the run and returns once that is answered, which must not take long.
async fn request_cancel(stage: &Stage, client: &Client) {
    let run = eventually("the client knows its run", || async { client.run() }).await;
    let service = stage.service().await;
    let path = format!("/api/{USER}/runs/{run}/cancel");
    loop {
        let cancelling = service.as_ref().unwrap().post(&path, Value::Null);
        let cancelled = timeout(Duration::from_secs(20), cancelling).await.expect("an answer").unwrap();
        match cancelled.status().as_u16() {
            200 => return,
            // A Postgres that syncs for seconds because somebody beside us drops databases.
            503 => {}
            other => panic!("{other}: {:?}", cancelled.text().await),
        }
    }
}

/// Has many readers read until the turn is over.
async fn crowd(held: Held, stage: &Stage, client: &Client) {
    let reading = async {
        let http = reqwest::Client::new();
        let base = stage.service().await.as_ref().unwrap().base.clone();
        while !client.told().is_over() {
            let reads =
                (0..40).map(|_| http.get(format!("{base}/api/{USER}/conversations?limit=100")).send());
            for read in futures_util::future::join_all(reads).await {
                let status = read.unwrap().status();
                assert!(status == 200 || status == 503, "{status}");
            }
        }
    };
    tokio::join!(reading, let_go(held));
}

/// Uses every conversation once more, hears every turn again, stops the service, and gathers what is left.
pub async fn aftermath(stage: &Stage, clients: Vec<Client>) -> Evidence {
    stage.points.open();
    let (mut turns, restarts) = (Vec::new(), stage.past().await.lives);
    for client in clients {
        turns.push(soon("the turn is heard again", client.hear_again()).await);
    }
    let mut conversations: Vec<(String, String)> = turns.iter().filter_map(Told::place).collect();
    conversations.sort();
    conversations.dedup();
    let mut stuck = Vec::new();
    for (user, conversation) in conversations {
        let message = format!("and now, {user} in {conversation}?");
        let client = stage.client(&user, Some(conversation.clone()), &message);
        soon("the next turn is over", client.talk()).await;
        let turn = soon("the next turn is heard again", client.hear_again()).await;
        if turn.again.last().is_none_or(|event| event.name != "run.completed") {
            stuck.push(conversation);
        }
        turns.push(turn);
    }
    let left_open = stage.left_open().await;
    stage.stop().await;
    let past = stage.past().await;
    let mut evidence = Evidence { restarts, turns, stuck, ..Evidence::read(&stage.place).await };
    evidence.questions = stage.model.requests();
    evidence.survivors = survivors(&past.children).await;
    evidence.survivors.extend(left_open);
    evidence.texts = past.logs.into_iter().map(|log| ("the log".into(), log)).collect();
    evidence.texts.extend(evidence.turns.iter().map(|turn| ("a stream".into(), format!("{turn:?}"))));
    evidence.texts.extend(
        evidence.items.iter().map(|item| ("an item".into(), item.body.to_string())).collect::<Vec<_>>(),
    );
    evidence
}

/// Says how the first turn ended.
fn outcome(evidence: &Evidence) -> String {
    let run = evidence.turns.first().and_then(|turn| turn.run.as_ref());
    let run = evidence.runs.iter().find(|stored| Some(&stored.id) == run);
    run.map_or("lost".into(), |run| match &run.error {
        Some(code) => format!("{}:{code}", run.status),
        None => run.status.clone(),
    })
}

fn last_lines(log: &str) -> Vec<String> {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(15)..].iter().map(|line| format!("  | {line}")).collect()
}
