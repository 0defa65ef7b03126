//! Following a run: hung up on at every event, silent for long, long over, and ended by somebody else.

use std::time::Duration;

use parlor::{
    clock::Clock,
    domain::{RunFailure, RunId, RunStatus, Usage, UserId},
    store::{Ending, Store},
};
use parlor_db::{Db, on_both, testing::Place};
use serde_json::{Value, json};

use crate::support::{
    app::{conversation_of, run_of},
    eventually, migrations,
    process::Process,
    provider::{Act, Answer, Provider, call, finish, said},
    script::Gate,
    stream::{Turn, data, names, text},
};

/// Posts a turn, reads so many events, and hangs up.
async fn hang_up_after(service: &Process, user: &str, events: usize) {
    let mut turn = service.say(user, "add milk", None).await;
    for _ in 0..events {
        turn.next().await;
    }
}

async fn conversations(service: &Process, user: &str) -> Vec<Value> {
    service.read(&format!("/api/{user}/conversations")).await["data"].as_array().unwrap().clone()
}

async fn replies(service: &Process, user: &str) -> Option<Vec<String>> {
    let conversation = conversations(service, user).await.first()?.clone();
    if !conversation["active_run_id"].is_null() {
        return None;
    }
    let id = conversation["id"].as_str()?;
    let page = service.read(&format!("/api/{user}/conversations/{id}/messages?roles=assistant")).await;
    let texts = page["data"].as_array()?.iter().filter_map(|message| message["content"].as_str());
    Some(texts.filter(|text| !text.is_empty()).map(str::to_owned).collect())
}

on_both! { migrations();
    async fn whenever_a_client_hangs_up_the_reply_is_saved_once(place: Place) {
        let provider = Provider::answering(|request| {
            let last = request["messages"].as_array().unwrap().last().unwrap().clone();
            if last["role"] == "user" {
                return Answer::call("add_task", &json!({"title": "milk"}));
            }
            Answer::text(["It ", "is ", "on ", "your ", "list."])
        })
        .await;
        let service = Process::start(&place, &provider.settings()).await;
        let whole = service.say("ada", "add milk", None).await.rest().await;
        for events in 0..whole.len() {
            let user = format!("user-{events}");
            hang_up_after(&service, &user, events).await;
            let saved = eventually("the reply is saved", || replies(&service, &user)).await;
            assert_eq!(saved, ["It is on your list."], "hung up after {events} events");
        }
    }

    async fn a_request_that_is_dropped_at_once_leaves_no_run_behind(place: Place) {
        let provider = Provider::start().await;
        let service = Process::start(&place, &provider.settings()).await;
        provider.otherwise(Answer::text(["Hello."]));
        let http = reqwest::Client::new();
        for round in 0..60 {
            let post = http.post(format!("{}/api/ada/chat", service.base)).json(&json!({"message": "hi"})).send();
            let _ = tokio::time::timeout(Duration::from_micros(round * 100), post).await;
        }
        eventually("no run is open", || async {
            let open = conversations(&service, "ada").await;
            open.iter().all(|conversation| conversation["active_run_id"].is_null()).then_some(())
        })
        .await;
    }

    async fn silence_is_broken_from_the_first_byte_on(place: Place) {
        let (provider, gate) = (Provider::start().await, Gate::closed());
        let settings = [&provider.settings()[..], &[("HEARTBEAT", "0.05")]].concat();
        let service = Process::start(&place, &settings).await;
        provider.then(Answer::acts([Act::Wait(gate.clone()), Act::Send(said("Well.")), Act::Send(finish("stop"))]));
        let mut turn = service.say("ada", "hm?", None).await;
        turn.until("run.created").await;
        while turn.raw().matches(": keep-alive\n\n").count() < 3 {
            assert!(turn.read_more().await, "the stream ended in silence");
        }
        assert!(turn.raw().starts_with("retry: 1000\n\n"));
        gate.open();
        assert_eq!(text(&turn.rest().await), "Well.");
    }

    async fn after_the_sweep_stored_items_stand_for_the_deltas_under_their_ids(place: Place) {
        let provider = Provider::start().await;
        let settings = [&provider.settings()[..], &[("LIVE_LOG", "0")]].concat();
        let service = Process::start(&place, &settings).await;
        provider.then(Answer::call("add_task", &json!({"title": "milk"}))).then(Answer::text(["Add", "ed."]));
        let live = service.say("ada", "add milk", None).await.rest().await;
        let path = format!("/api/ada/runs/{}/events", run_of(&live));
        let stored = Turn::of(service.get(&path).await).rest().await;
        let lasting: Vec<_> = live.iter().filter(|event| event.name != "message.delta").cloned().collect();
        assert_eq!(stored, lasting);
        for event in &live {
            let response = service.get(&format!("{path}?after={}", event.id)).await;
            if event.id == live.last().unwrap().id {
                assert_eq!(response.status(), 204);
                continue;
            }
            let tail: Vec<_> = lasting.iter().filter(|lasting| lasting.id > event.id).cloned().collect();
            assert_eq!(Turn::of(response).rest().await, tail, "after {}", event.id);
        }
    }

    async fn a_run_cut_short_at_any_moment_was_told_as_it_is_stored(place: Place) {
        let provider = Provider::answering(|request| {
            let messages = request["messages"].as_array().unwrap();
            match messages.last().unwrap()["role"].as_str() {
                Some("tool") if messages.len() > 12 => Answer::text(["En", "ough."]),
                _ => Answer::acts([
                    Act::Send(said("Well. ")),
                    Act::Send(call("add_task", &json!({"title": "milk"}))),
                    Act::Send(finish("tool_calls")),
                ]),
            }
        })
        .await;
        for timeout in ["0.01", "0.02", "0.03", "0.05"] {
            let settings = [&provider.settings()[..], &[("RUN_TIMEOUT", timeout), ("LIVE_LOG", "0")]].concat();
            let service = Process::start(&place, &settings).await;
            for round in 0..12 {
                let told = service.say(&format!("user-{round}"), "add milk", None).await.rest().await;
                let ids: Vec<i64> = told.iter().map(|event| event.id).collect();
                assert_eq!(ids, (1..=i64::try_from(ids.len()).unwrap()).collect::<Vec<_>>(), "{told:?}");
                let path = format!("/api/user-{round}/runs/{}/events", run_of(&told));
                let stored = Turn::of(service.get(&path).await).rest().await;
                let lasting: Vec<_> = told.into_iter().filter(|event| event.name != "message.delta").collect();
                assert_eq!(stored, lasting);
            }
            service.kill().await;
        }
    }

    async fn a_run_that_somebody_else_ended_is_told_as_they_stored_it(place: Place) {
        let (provider, gate) = (Provider::start().await, Gate::closed());
        let service = Process::start(&place, &provider.settings()).await;
        provider.then(Answer::acts([
            Act::Send(said("one ")), Act::Wait(gate.clone()), Act::Send(said("two")), Act::Send(finish("stop")),
        ]));
        let mut turn = service.say("ada", "count", None).await;
        let created = turn.until("run.created").await;
        turn.until("message.delta").await;
        end_elsewhere(&place, &created.data).await;
        gate.open();
        let told = turn.rest().await;
        assert_eq!(names(&told), ["message.delta", "run.failed"]);
        assert_eq!((data(&told, "run.failed")["code"].as_str(), told.last().unwrap().id), (Some("interrupted"), 10_000_001));
        let stored = service.read(&format!("/api/ada/runs/{}", run_of(std::slice::from_ref(&created)))).await;
        assert_eq!((&stored["status"], &stored["attempt"]), (&json!("failed"), &json!(2)));
        provider.then(Answer::text(["Fine."]));
        let next = service.say("ada", "again", Some(&conversation_of(&[created]))).await.rest().await;
        assert_eq!(text(&next), "Fine.");
    }
}

/// Ends a run as another process would that took it for abandoned.
async fn end_elsewhere(place: &Place, created: &Value) {
    let store = Store::new(Db::open(&place.url, 2), Clock::system());
    let run: RunId = created["run_id"].as_str().unwrap().parse().unwrap();
    let ending = Ending {
        run,
        user: UserId::parse("ada").unwrap(),
        conversation: created["conversation_id"].as_str().unwrap().parse().unwrap(),
        attempt: 1,
        ends_as_attempt: 2,
        next_event: 10_000_001.into(),
        status: RunStatus::Failed,
        failure: Some(RunFailure::Interrupted),
        reply: None,
        context_start: None,
        usage: Usage::default(),
        first_delta_at: None,
    };
    store.end_run(ending).await.unwrap();
    store.close().await;
}
