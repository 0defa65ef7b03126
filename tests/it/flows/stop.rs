//! Stopping and hanging up: what ends a run, and what does not.

use parlor_db::on_both;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::support::{
    app::{conversation_of, problem, run_of},
    eventually, migrations,
    process::{Process, children},
    provider::{Act, Answer, Provider, finish, said},
    script::Gate,
    stream::{Turn, data, names, text},
};

/// Returns an answer that stops in the middle until the gate opens.
fn gated(gate: &Gate) -> Answer {
    Answer::acts([
        Act::Send(said("one ")),
        Act::Wait(gate.clone()),
        Act::Send(said("two")),
        Act::Send(finish("stop")),
    ])
}

on_both! { migrations();
    async fn hanging_up_changes_nothing(place: Place) {
        let (provider, gate) = (Provider::start().await, Gate::closed());
        let service = Process::start(&place, &provider.settings()).await;
        provider.then(gated(&gate));
        let mut turn = service.say("ada", "count", None).await;
        let run = turn.next().await.unwrap().data["run_id"].as_str().unwrap().to_owned();
        turn.until("message.delta").await;
        drop(turn);
        gate.open();
        let path = format!("/api/ada/runs/{run}/events");
        let events = Turn::of(service.get(&path).await).rest().await;
        assert_eq!((text(&events).as_str(), names(&events).last()), ("one two", Some(&"run.completed")));
    }

    async fn a_turn_that_ends_within_the_grace_is_not_lost(place: Place) {
        let (provider, gate) = (Provider::start().await, Gate::closed());
        let service = Process::start(&place, &provider.settings()).await;
        provider.then(gated(&gate));
        let turn = || service.keyed("/api/ada/chat", "count", json!({"message": "count"}));
        let mut first = Turn::of(turn().await);
        first.until("message.delta").await;
        service.signal(Signal::TERM);
        let refused = eventually("new turns are refused", || async {
            let response = service.post("/api/ada/chat", json!({"message": "more"})).await.ok()?;
            (response.status() == 503).then_some(response)
        })
        .await;
        assert!(refused.headers().contains_key("retry-after"));
        assert_eq!(problem(refused).await.1, "shutting_down");
        assert_eq!(service.get("/health/ready").await.status(), 503);
        let again = turn().await;
        assert_eq!((again.status().as_u16(), &again.headers()["idempotent-replayed"]), (200, &"true".parse().unwrap()));
        gate.open();
        assert_eq!(names(&first.rest().await), ["message.delta", "message.completed", "run.completed"]);
        assert_eq!(text(&Turn::of(again).rest().await), "one two");
        let ended = service.ended().await;
        assert_eq!(ended.code, Some(0), "{}", ended.log);
    }

    async fn what_the_grace_does_not_suffice_for_is_interrupted_and_told(place: Place) {
        let (provider, gate) = (Provider::start().await, Gate::closed());
        let settings =
            [&provider.settings()[..], &[("SHUTDOWN_GRACE", "0.2"), ("RUN_RECOVERY", "interrupt")]].concat();
        let service = Process::start(&place, &settings).await;
        provider.otherwise(gated(&gate));
        let mut turns = Vec::new();
        for user in 0..100 {
            let mut turn = service.say(&format!("user-{user}"), "count", None).await;
            turn.until("message.delta").await;
            turns.push(turn);
        }
        let child = children(service.id())[0];
        let ended = service.terminate().await;
        assert_eq!(ended.code, Some(0), "{}", ended.log);
        for mut turn in turns {
            let events = turn.rest().await;
            assert_eq!(names(&events), ["message.completed", "run.failed"]);
            assert_eq!(data(&events, "message.completed")["content"], "one ");
            assert_eq!(data(&events, "run.failed")["code"], "interrupted");
            assert!(turn.raw().ends_with("data: [DONE]\n\n"));
        }
        assert!(!std::path::Path::new(&format!("/proc/{child}")).exists(), "the task server is gone");
        assert!(ended.log.contains("tool server `tasks` is stopped"), "and was waited for: {}", ended.log);
    }

    async fn a_second_signal_ends_it_at_once(place: Place) {
        let (provider, gate) = (Provider::start().await, Gate::closed());
        let service = Process::start(&place, &provider.settings()).await;
        provider.then(gated(&gate));
        let mut turn = service.say("ada", "count", None).await;
        turn.until("message.delta").await;
        service.signal(Signal::TERM);
        eventually("it drains", || async { (service.get("/health/ready").await.status() == 503).then_some(()) }).await;
        assert_eq!(service.terminate().await.code, Some(1));
    }

    async fn cancelling_hangs_up_on_the_provider(place: Place) {
        let provider = Provider::start().await;
        let service = Process::start(&place, &provider.settings()).await;
        provider.then(Answer::acts([Act::Send(said("one ")), Act::Hang]));
        let mut turn = service.say("ada", "count", None).await;
        let run = run_of(&[turn.until("run.created").await]);
        turn.until("message.delta").await;
        service.post(&format!("/api/ada/runs/{run}/cancel"), json!({})).await.unwrap();
        eventually("the provider is hung up on", || async { (provider.hung_up() == 1).then_some(()) }).await;
    }

    async fn cancelling_during_a_call_stores_its_answer_if_it_comes_in_time(place: Place) {
        let provider = Provider::start().await;
        let service = Process::start(&place, &provider.settings()).await;
        provider.then(Answer::call("add_task", &json!({"title": "milk"})));
        let child = Pid::from_raw(children(service.id())[0]).unwrap();
        kill_process(child, Signal::STOP).unwrap();
        let mut turn = service.say("ada", "add milk", None).await;
        let created = turn.until("run.created").await;
        turn.until("tool.started").await;
        let path = format!("/api/ada/runs/{}/cancel", run_of(std::slice::from_ref(&created)));
        let (cancelled, ()) = tokio::join!(service.post(&path, json!({})), async {
            kill_process(child, Signal::CONT).unwrap();
        });
        assert_eq!(cancelled.unwrap().status(), 200);
        let told = turn.rest().await;
        assert_eq!(names(&told), ["tool.completed", "run.cancelled"]);
        assert_eq!(data(&told, "tool.completed")["status"], "ok");
    }

    async fn cancelling_a_call_that_hangs_leaves_it_in_doubt(place: Place) {
        let provider = Provider::start().await;
        let service = Process::start(&place, &provider.settings()).await;
        provider.then(Answer::call("add_task", &json!({"title": "milk"}))).then(Answer::text(["Fine."]));
        let child = Pid::from_raw(children(service.id())[0]).unwrap();
        kill_process(child, Signal::STOP).unwrap();
        let mut turn = service.say("ada", "add milk", None).await;
        let created = turn.until("run.created").await;
        turn.until("tool.started").await;
        let path = format!("/api/ada/runs/{}/cancel", run_of(std::slice::from_ref(&created)));
        assert_eq!(service.post(&path, json!({})).await.unwrap().status(), 200);
        let told = turn.rest().await;
        assert_eq!(names(&told), ["tool.completed", "run.cancelled"]);
        assert_eq!(data(&told, "tool.completed")["status"], "unknown");
        kill_process(child, Signal::CONT).unwrap();
        let next = service.say("ada", "go on", Some(&conversation_of(&[created]))).await.rest().await;
        assert_eq!(text(&next), "Fine.");
    }

    async fn cancelling_keeps_the_text_and_frees_the_conversation(place: Place) {
        let (provider, gate) = (Provider::start().await, Gate::closed());
        let service = Process::start(&place, &provider.settings()).await;
        provider.then(gated(&gate)).then(Answer::text(["Fine."]));
        let mut turn = service.say("ada", "count", None).await;
        let created = turn.until("run.created").await;
        turn.until("message.delta").await;
        let run = run_of(std::slice::from_ref(&created));
        for _ in 0..2 {
            let response = service.post(&format!("/api/ada/runs/{run}/cancel"), json!({})).await.unwrap();
            let cancelled: serde_json::Value = response.json().await.unwrap();
            assert_eq!(cancelled["status"], "cancelled");
        }
        let told = turn.rest().await;
        assert_eq!(names(&told), ["message.completed", "run.cancelled"]);
        assert_eq!(data(&told, "message.completed")["incomplete"], true);
        let next = service.say("ada", "go on", Some(&conversation_of(&[created]))).await.rest().await;
        assert_eq!(text(&next), "Fine.");
    }
}
