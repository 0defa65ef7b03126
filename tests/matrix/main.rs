//! The crash matrix: a turn is held at each of its points while everything happens to it that may happen, on both
//! databases, with the real service and its real task server; then a checker judges what clients were told and what is stored.
//!
//! `MATRIX=all` plays every cell, `MATRIX=sample` some by a seed (`MATRIX_SEED`), anything else the cells whose name holds it.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    unreachable_pub,
    reason = "a test fails by panicking, and what it needs is found by name"
)]

mod accept;
mod cells;
mod checker;
mod client;
mod evidence;
mod ground;
mod model;
mod play;
mod points;
mod restarts;
mod soak;
mod stage;
#[expect(dead_code, reason = "it serves the other tests as well")]
#[path = "../it/support/mod.rs"]
mod support;
mod vitals;

use std::time::{Duration, Instant};

use cells::{Cell, FAULTS, Fault, POINTS, Recovery, meaningless};
use futures_util::{StreamExt, stream};
use parlor_db::testing::Engine;
use support::random::Random;
use tokio::time::timeout;

/// How many cells are played at once.
const AT_ONCE: usize = 3;

/// How many cells a sample has.
const SAMPLE: usize = 80;

/// How long a soak takes unless told otherwise, in seconds.
const SOAK_SECONDS: u64 = 20;

/// How many lives end at the accepted message, in a sample and by `STRAIN=accept`.
const ACCEPTED: [usize; 2] = [8, 200];

/// How many task servers are killed, in a sample and by `STRAIN=restarts`.
const RESTARTED: [usize; 2] = [12, 1_000];

/// How long a cell may take. Reached only when something is broken.
const LONGEST: Duration = Duration::from_secs(180);

/// How a cell went.
struct Played {
    name: String,
    outcome: String,
    faults: Vec<String>,
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_at_whatever_point_the_promises_hold() {
    let begun = Instant::now();
    let playing = stream::iter(chosen()).map(played).buffer_unordered(AT_ONCE);
    let played: Vec<Played> = playing.collect().await;
    ground::Ground::clear();
    let red: Vec<&Played> = played.iter().filter(|played| !played.faults.is_empty()).collect();
    eprintln!("{} cells, {} red, {:.0} s", played.len(), red.len(), begun.elapsed().as_secs_f64());
    let report: Vec<String> = red
        .iter()
        .map(|cell| format!("{} ({})\n{}\n", cell.name, cell.outcome, cell.faults.join("\n")))
        .collect();
    assert!(report.is_empty(), "play one again with MATRIX=<its name>\n\n{}", report.join("\n"));
    assert!(!played.is_empty(), "no cell is named so");
}

/// Plays a cell and prints its line of the table.
async fn played(cell: Cell) -> Played {
    let (name, begun) = (cell.to_string(), Instant::now());
    let (outcome, faults) = match tokio::spawn(timeout(LONGEST, play::play(cell))).await {
        Ok(Ok(Some(played))) => played,
        Ok(Ok(None)) => ("no database".into(), Vec::new()),
        Ok(Err(_elapsed)) => ("hung".into(), vec![format!("it was not over after {LONGEST:?}")]),
        Err(panic) => ("panic".into(), vec![panic.to_string()]),
    };
    let mark = if faults.is_empty() { "ok " } else { "RED" };
    eprintln!("{mark} {:5.1} s  {name:45} {outcome}", begun.elapsed().as_secs_f64());
    Played { name, outcome, faults }
}

/// Chooses the cells as the environment says.
fn chosen() -> Vec<Cell> {
    let wanted = std::env::var("MATRIX").unwrap_or_else(|_| "sample".into());
    match wanted.as_str() {
        "all" => {
            for (point, fault, reason) in unplayed() {
                eprintln!("--          {:45} {reason}", format!("{point}/{}", fault.name()));
            }
            cells::all()
        }
        "sample" => cells::sample(&mut Random::seeded("MATRIX_SEED"), SAMPLE),
        name => cells::all().into_iter().filter(|cell| cell.to_string().contains(name)).collect(),
    }
}

/// Lists the cells that mean nothing, with the reason.
fn unplayed() -> Vec<(&'static str, Fault, &'static str)> {
    let all = POINTS.iter().flat_map(|point| FAULTS.map(|fault| (*point, fault)));
    all.filter_map(|(point, fault)| Some((point, fault, meaningless(point, fault)?))).collect()
}

/// Soaks for `MATRIX_SOAK` seconds on each database, both at once.
#[tokio::test(flavor = "multi_thread")]
async fn many_users_over_many_lives_lose_nothing() {
    let seconds = std::env::var("MATRIX_SOAK").ok().and_then(|seconds| seconds.parse().ok());
    let long = Duration::from_secs(seconds.unwrap_or(SOAK_SECONDS));
    let mut random = Random::seeded("MATRIX_SEED");
    let (sqlite, postgres) = (soak::another(&mut random), soak::another(&mut random));
    let (sqlite, postgres) =
        tokio::join!(soak::soak(Engine::Sqlite, long, sqlite), soak::soak(Engine::Postgres, long, postgres));
    for (name, soaked) in [("sqlite", sqlite), ("postgres", postgres)] {
        let Some(soaked) = soaked else { continue };
        eprintln!("{name}: {} lives, {} turns: {}", soaked.lives, soaked.turns, soaked.ends);
        assert!(soaked.faults.is_empty(), "{name}:\n{}", soaked.faults.join("\n"));
    }
}

/// Kills the service around the accept commit, on both databases at once.
#[tokio::test(flavor = "multi_thread")]
async fn who_heard_a_byte_finds_the_message_after_every_kill() {
    let (lives, begun, mut random) =
        (strain("accept", ACCEPTED), Instant::now(), Random::seeded("MATRIX_SEED"));
    let (sqlite, postgres) = (soak::another(&mut random), soak::another(&mut random));
    let (sqlite, postgres) = tokio::join!(
        accept::accept(Engine::Sqlite, lives, sqlite),
        accept::accept(Engine::Postgres, lives, postgres)
    );
    for (name, done) in [("sqlite", sqlite), ("postgres", postgres)] {
        let Some(done) = done else { continue };
        eprintln!("{name}: {lives} lives, {} turns, killed {}; {}", done.turns, done.met, done.ends);
        assert!(done.faults.is_empty(), "{name}:\n{}", done.faults.join("\n"));
    }
    eprintln!("{:.0} s", begun.elapsed().as_secs_f64());
}

/// Kills the task server, on both databases at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_task_server_that_dies_a_thousand_deaths_leaves_nothing_behind() {
    let (kills, begun, mut random) =
        (strain("restarts", RESTARTED), Instant::now(), Random::seeded("MATRIX_SEED"));
    let (sqlite, postgres) = (soak::another(&mut random), soak::another(&mut random));
    let (sqlite, postgres) = tokio::join!(
        restarts::restarts(Engine::Sqlite, kills, sqlite),
        restarts::restarts(Engine::Postgres, kills, postgres)
    );
    for (name, done) in [("sqlite", sqlite), ("postgres", postgres)] {
        let Some(done) = done else { continue };
        for moment in &done.vitals {
            eprintln!("{name}: {moment}");
        }
        eprintln!("{name}: {kills} deaths, {}; {} turns: {}", done.met, done.turns, done.ends);
        assert!(done.faults.is_empty(), "{name}:\n{}", done.faults.join("\n"));
    }
    eprintln!("{:.0} s", begun.elapsed().as_secs_f64());
}

/// Chooses between a sample and all, as the environment says.
fn strain(name: &str, [sample, all]: [usize; 2]) -> usize {
    if std::env::var("STRAIN").is_ok_and(|wanted| wanted == name) { all } else { sample }
}

#[test]
fn every_cell_is_played_or_says_why_not() {
    let count = POINTS.len() * FAULTS.len();
    let (played, silent) = (cells::all(), unplayed().len());
    let both: Vec<&Cell> = played.iter().filter(|cell| cell.recovery == Recovery::Resume).collect();
    assert_eq!(both.len(), 2 * (count - silent), "on both databases");
    assert_eq!(silent, 37, "each has its reason in `cells`");
}

#[test]
fn the_document_names_every_point_and_every_fault() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/testing.md");
    let document = std::fs::read_to_string(path).unwrap();
    let names = POINTS.into_iter().chain(FAULTS.map(Fault::name));
    let missing: Vec<&str> = names.filter(|name| !document.contains(&format!("`{name}`"))).collect();
    assert_eq!(missing, [""; 0]);
}

#[test]
fn a_sample_has_every_point_and_every_fault() {
    let sample = cells::sample(&mut Random::seeded("MATRIX_SEED"), SAMPLE);
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let here: Vec<&Cell> = sample.iter().filter(|cell| cell.engine == engine).collect();
        assert!(POINTS.iter().all(|point| here.iter().any(|cell| cell.point == *point)));
        assert!(FAULTS.iter().all(|fault| here.iter().any(|cell| cell.fault == *fault)));
    }
    assert_eq!(sample.len(), SAMPLE);
}
