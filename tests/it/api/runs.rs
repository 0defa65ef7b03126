//! `/api/{user_id}/runs/{id}`: read, followed from anywhere, cancelled.

mod cancel;
mod events;
mod following;

use parlor_db::on_both;
use serde_json::{Value, json};

use crate::support::{
    app::{TestApp, problem, run_of},
    migrations,
    redact::redacted_json,
    script::{Gate, Step, asks, says},
    stream::Turn,
};

const ABSENT: &str = "01a9c1e0-0000-7000-8000-000000000001";

/// Follows a run with headers and a query of the test's own.
async fn follow(app: &TestApp, run: &str, query: &str, headers: &[(&str, &str)]) -> Turn {
    let path = format!("/api/ada/runs/{run}/events{query}");
    let response = app.send(reqwest::Method::GET, &path, headers, "").await;
    assert_eq!(response.status(), 200, "{path}");
    Turn::of(response)
}

/// Adds a task and says three words: a run with every common event.
fn add_and_say(app: &TestApp) {
    app.model.then(asks([("add_task", json!({"title": "Milk"}))])).then(says(["I ", "added ", "it."]));
}

on_both! { migrations();
    async fn a_run_has_the_shape_of_the_contract(place: Place) {
        let app = TestApp::start(&place).await;
        add_and_say(&app);
        let events = app.ask("ada", "milk").await;
        let run = app.read(&format!("/api/ada/runs/{}", run_of(&events))).await;
        assert_eq!(run["last_event_id"], events.last().unwrap().id);
        let times = ["created_at", "first_delta_at", "ended_at"].map(|name| run[name].as_str().unwrap());
        assert!(times.is_sorted(), "{times:?}");
        insta::allow_duplicates! { insta::assert_snapshot!(redacted_json(&run), @r#"
        {
          "attempt": 1,
          "conversation_id": "<id 1>",
          "created_at": "<time>",
          "ended_at": "<time>",
          "error": null,
          "first_delta_at": "<time>",
          "id": "<id 2>",
          "last_event_id": 8,
          "model": "scripted",
          "provider": "custom",
          "resumes": null,
          "status": "completed",
          "usage": {
            "cached_input_tokens": 0,
            "cost_micros": null,
            "estimated": false,
            "input_tokens": 14,
            "model_calls": 2,
            "output_tokens": 6,
            "reasoning_tokens": 0,
            "total_tokens": 20
          }
        }
        "#); }
    }

    async fn a_run_under_way_is_running_and_has_not_ended(place: Place) {
        let app = TestApp::start(&place).await;
        let gate = Gate::closed();
        app.model.then([Step::Wait(gate.clone()), Step::Say("Done".into())]);
        let mut turn = app.say("ada", "hi").await;
        let id = turn.until("run.created").await.data["run_id"].as_str().unwrap().to_owned();
        let run = app.read(&format!("/api/ada/runs/{id}")).await;
        let expected = [&json!("running"), &json!(null), &json!(null), &json!(null)];
        assert_eq!([&run["status"], &run["ended_at"], &run["first_delta_at"], &run["error"]], expected);
        gate.open();
        turn.until("run.completed").await;
    }

    async fn a_foreign_run_is_as_absent_as_one_that_never_was(place: Place) {
        let app = TestApp::start(&place).await;
        let gate = Gate::closed();
        app.model.then(says(["Hello"])).then([Step::Say("Half".into()), Step::Wait(gate.clone())]);
        let finished = run_of(&app.ask("ada", "hi").await);
        let mut turn = app.say("ada", "wait").await;
        let running = turn.until("run.created").await.data["run_id"].as_str().unwrap().to_owned();
        let seen = async |run: &str| {
            let path = format!("/api/bob/runs/{run}");
            let mut told: Vec<(u16, Value)> = Vec::new();
            for response in [
                app.get(&path).await,
                app.get(&format!("{path}/events")).await,
                app.get(&format!("{path}/events?after=99999999")).await,
                app.post(&format!("{path}/cancel"), json!({})).await,
            ] {
                let (status, _, mut body) = problem(response).await;
                body["request_id"].take();
                told.push((status, body));
            }
            told
        };
        let absent = seen(ABSENT).await;
        assert!(absent.iter().all(|(status, _)| *status == 404), "{absent:?}");
        assert_eq!(seen(&finished).await, absent);
        assert_eq!(seen(&running).await, absent);
        gate.open();
        turn.until("run.completed").await;
    }

    async fn an_id_that_is_none_is_named(place: Place) {
        let app = TestApp::start(&place).await;
        for response in [
            app.get("/api/ada/runs/x").await,
            app.get("/api/ada/runs/x/events").await,
            app.post("/api/ada/runs/x/cancel", json!({})).await,
        ] {
            let (status, _, body) = problem(response).await;
            assert_eq!((status, &body["errors"][0]["field"]), (422, &json!("run_id")));
        }
    }
}
