//! Databases that fail: nothing is claimed that is not stored, and everything goes on when they are back.

use std::{path::PathBuf, process::Command, time::Duration};

use parlor_db::{
    on_both,
    testing::{Engine, Place},
};
use serde_json::{Value, json};

use crate::support::{
    app::{problem, run_of},
    eventually, migrations,
    outage::Outage,
    process::Process,
    provider::{Act, Answer, Provider, call, finish, said},
    script::Gate,
    soon,
    stream::{data, names, text},
};

async fn start(place: &Place, outage: &Outage, provider: &Provider) -> Process {
    let settings = [&provider.settings()[..], &[("DATABASE_URL", outage.url())]].concat();
    Process::start(place, &settings).await
}

/// Lets the end of a run fall into an outage of so many seconds.
async fn the_end_waits(place: &Place, seconds: u64) {
    let (provider, gate) = (Provider::start().await, Gate::closed());
    let mut outage = Outage::of(place).await;
    let service = start(place, &outage, &provider).await;
    provider.then(Answer::acts([
        Act::Send(said("one ")),
        Act::Wait(gate.clone()),
        Act::Send(said("two")),
        Act::Send(finish("stop")),
    ]));
    let mut turn = service.say("ada", "count", None).await;
    let created = turn.until("run.created").await;
    turn.until("message.delta").await;
    outage.begin().await;
    gate.open();
    assert_eq!(turn.until("message.delta").await.data["delta"], "two", "deltas wait for no commit");
    let early = tokio::time::timeout(Duration::from_secs(seconds), turn.next()).await;
    assert!(early.is_err(), "nothing is told before it is stored: {early:?}");
    outage.end().await;
    assert_eq!(names(&turn.rest().await), ["message.completed", "run.completed"]);
    let stored = service.read(&format!("/api/ada/runs/{}", run_of(&[created]))).await;
    assert_eq!(stored["status"], "completed");
}

on_both! { migrations();
    async fn a_turn_that_cannot_be_stored_is_refused_and_its_key_is_not_used_up(place: Place) {
        let provider = Provider::start().await;
        let mut outage = Outage::of(&place).await;
        let service = start(&place, &outage, &provider).await;
        outage.begin().await;
        provider.otherwise(Answer::text(["Hello."]));
        for _ in 0..2 {
            let refused = service.post("/api/ada/chat", json!({"message": "hi"})).await.unwrap();
            assert_eq!(problem(refused).await.1, "storage_unavailable");
        }
        assert!(provider.requests().len() <= 1, "the question went ahead, and none after storage had failed");
        let refused = service.post("/api/ada/chat", json!({"message": "hi"})).await.unwrap();
        assert!(refused.headers().contains_key("retry-after"));
        let (status, code, body) = problem(refused).await;
        assert_eq!((status, code.as_str()), (503, "storage_unavailable"));
        assert_eq!(body["detail"], "storage is temporarily unavailable", "and not a word about why");
        outage.end().await;
        let events = eventually("it is taken again", || async {
            let response = service.post("/api/ada/chat", json!({"message": "hi"})).await.unwrap();
            (response.status() == 200).then_some(response)
        })
        .await;
        assert_eq!(text(&crate::support::stream::Turn::of(events).rest().await), "Hello.");
    }

    async fn a_call_that_cannot_be_written_down_is_not_made(place: Place) {
        let (provider, gate) = (Provider::start().await, Gate::closed());
        let mut outage = Outage::of(&place).await;
        let service = start(&place, &outage, &provider).await;
        let asks = [Act::Send(said("Wait. ")), Act::Wait(gate.clone()), Act::Send(call("add_task", &json!({"title": "milk"})))];
        provider.then(Answer::acts([&asks[..], &[Act::Send(finish("tool_calls"))]].concat()));
        let mut turn = service.say("ada", "add milk", None).await;
        turn.until("message.delta").await;
        outage.begin().await;
        gate.open();
        let early = tokio::time::timeout(Duration::from_secs(7), turn.next()).await;
        assert!(early.is_err(), "nothing is told before it is stored: {early:?}");
        outage.end().await;
        let events = turn.rest().await;
        assert_eq!(names(&events), ["message.completed", "run.failed"]);
        assert_eq!(data(&events, "run.failed")["code"], "storage_unavailable");
        let tasks: Value = service.read("/api/ada/tasks").await;
        assert_eq!(tasks["data"], json!([]));
    }

    async fn the_end_of_a_run_waits_for_a_database_that_is_away_for_a_second(place: Place) {
        the_end_waits(&place, 1).await;
    }

    async fn the_end_of_a_run_waits_for_a_database_that_is_away_for_ten_seconds(place: Place) {
        the_end_waits(&place, 10).await;
    }

    async fn the_end_of_a_run_waits_for_a_database_that_is_away_for_forty_seconds(place: Place) {
        the_end_waits(&place, 40).await;
    }

    async fn two_connections_serve_two_hundred_streams(place: Place) {
        let (provider, gate) = (Provider::start().await, Gate::closed());
        let settings = [&provider.settings()[..], &[("DATABASE_MAX_CONNECTIONS", "2")]].concat();
        let service = Process::start(&place, &settings).await;
        provider.otherwise(Answer::acts([
            Act::Send(said("one ")),
            Act::Wait(gate.clone()),
            Act::Send(said("two")),
            Act::Send(finish("stop")),
        ]));
        let turns = (0..200).map(|user| {
            let service = &service;
            async move {
                let mut turn = service.say(&format!("user-{user}"), "count", None).await;
                turn.until("message.delta").await;
                turn
            }
        });
        let turns = futures_util::future::join_all(turns).await;
        gate.open();
        for mut turn in turns {
            assert_eq!(names(&turn.rest().await), ["message.delta", "message.completed", "run.completed"]);
        }
    }
}

/// A small file system of the test's own, gone when this is dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn of(place: &Place) -> Self {
        let folder = place.folder().join("disk");
        std::fs::create_dir(&folder).unwrap();
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(&folder).status();
        assert!(mounted.is_ok_and(|status| status.success()), "a small tmpfs can be mounted (as root)");
        Self(folder)
    }

    /// Makes it read-only.
    fn freeze(&self) {
        let frozen = Command::new("mount").args(["-o", "remount,ro"]).arg(&self.0).status().unwrap();
        assert!(frozen.success());
    }

    /// Writes until there is no room.
    fn fill(&self) {
        let mut filler = std::fs::File::create(self.0.join("filler")).unwrap();
        while std::io::Write::write(&mut filler, &[0; 4096]).is_ok_and(|written| written > 0) {}
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_turns_and_everything_goes_on_once_there_is_room() {
    let place = Place::fresh(Engine::Sqlite, migrations()).await.unwrap();
    let (disk, provider, gate) = (SmallDisk::of(&place), Provider::start().await, Gate::closed());
    let url = format!("sqlite://{}", disk.0.join("parlor.db").display());
    let settings = [&provider.settings()[..], &[("DATABASE_URL", url.as_str())]].concat();
    let service = Process::start(&place, &settings).await;
    provider.then(Answer::acts([
        Act::Send(said("one ")),
        Act::Wait(gate.clone()),
        Act::Send(said(&"two ".repeat(5_000))),
        Act::Send(finish("stop")),
    ]));
    let mut turn = service.say("ada", "count", None).await;
    turn.until("message.delta").await;
    disk.fill();
    gate.open();
    let refused = eventually("there is no room", || async {
        let long = "x".repeat(20_000);
        let response =
            service.post("/api/bob/chat", json!({"message": long, "stream": false})).await.unwrap();
        (response.status() == 503).then_some(response)
    })
    .await;
    assert_eq!(problem(refused).await.1, "storage_unavailable");
    std::fs::remove_file(disk.0.join("filler")).unwrap();
    assert_eq!(names(&turn.rest().await).last(), Some(&"run.completed"));
    provider.otherwise(Answer::text(["Hello."]));
    let events = soon("a turn", service.say("bob", "hi", None)).await.rest().await;
    assert_eq!(text(&events), "Hello.");
    let ended = service.terminate().await;
    assert_eq!(ended.code, Some(0), "{}", ended.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_written_to_is_named_at_the_start() {
    let place = Place::fresh(Engine::Sqlite, migrations()).await.unwrap();
    let disk = SmallDisk::of(&place);
    disk.freeze();
    let url = format!("sqlite://{}", disk.0.join("parlor.db").display());
    let command = crate::support::process::command(&place, &[("DATABASE_URL", url.as_str())]);
    let (ended, _) = crate::support::process::run_to_end(command).await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.log.contains("parlor.db"), "{}", ended.log);
}
