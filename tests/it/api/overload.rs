//! More than there is room for: refused at once and without a trace, while what is under way goes on.

use parlor_db::on_both;
use serde_json::json;

use crate::support::{
    app::{TestApp, problem, run_of},
    eventually, migrations,
    rows::rows_of,
    script::{Gate, Step, says},
    stream::{Turn, text},
    threads::Threads,
};

/// A reply that waits for the gate.
fn gated(gate: &Gate) -> Vec<Step> {
    vec![Step::Say("one ".into()), Step::Wait(gate.clone()), Step::Say("two".into())]
}

on_both! { migrations();
    async fn a_run_too_many_is_refused_and_leaves_nothing_behind(place: Place) {
        let app = TestApp::start_with(&place, &[("MAX_ACTIVE_RUNS", "1")]).await;
        let gate = Gate::closed();
        app.model.then(gated(&gate)).then(says(["Hello"]));
        let (key, body) = ([("idempotency-key", "count")], json!({"message": "count"}));
        let mut first = Turn::of(app.chat("ada", &key, body.clone()).await);
        first.until("message.delta").await;
        let refused = app.chat("bob", &[("idempotency-key", "hello")], json!({"message": "hi"})).await;
        assert_eq!(refused.headers()["retry-after"], "2");
        let (status, code, _) = problem(refused).await;
        assert_eq!((status, code.as_str()), (503, "overloaded"));
        assert_eq!(rows_of(&place, "bob").await, [] as [String; 0]);
        assert_eq!(app.get("/health/ready").await.status(), 200);
        let again = app.chat("ada", &key, body).await;
        assert_eq!(again.headers()["idempotent-replayed"], "true", "what is known needs no room");
        gate.open();
        assert_eq!(text(&Turn::of(again).rest().await), "one two");
        first.rest().await;
        let later = app.chat("bob", &[("idempotency-key", "hello")], json!({"message": "hi"})).await;
        assert_eq!(text(&Turn::of(later).rest().await), "Hello");
    }

    async fn a_listener_too_many_is_refused_until_another_one_leaves(place: Place) {
        let app = TestApp::start_with(&place, &[("MAX_STREAMS", "1")]).await;
        let gate = Gate::closed();
        app.model.then(gated(&gate));
        let mut first = app.say("ada", "count").await;
        let run = run_of(&[first.until("run.created").await]);
        let path = format!("/api/ada/runs/{run}/events");
        let refusals = [
            app.get(&path).await,
            app.post("/api/bob/chat", json!({"message": "hi"})).await,
            app.post("/api/bob/chat", json!({"message": "hi", "stream": false})).await,
        ];
        for refused in refusals {
            let (status, code, _) = problem(refused).await;
            assert_eq!((status, code.as_str()), (503, "overloaded"));
        }
        assert_eq!(rows_of(&place, "bob").await, [] as [String; 0]);
        drop(first);
        gate.open();
        let second = eventually("the seat is free", || async {
            let response = app.get(&path).await;
            (response.status() == 200).then_some(response)
        })
        .await;
        assert_eq!(text(&Turn::of(second).rest().await), "one two");
    }

    async fn chatkit_users_read_that_the_service_is_busy(place: Place) {
        let app = TestApp::start_with(&place, &[("MAX_ACTIVE_RUNS", "1")]).await;
        let gate = Gate::closed();
        app.model.then(gated(&gate));
        let mut first = app.say("ada", "count").await;
        first.until("message.delta").await;
        let told = Threads::of(&app, "bob").create("hi").await;
        assert_eq!((told.len(), told[0]["type"].as_str()), (1, Some("error")));
        assert_eq!(told[0]["message"], "Too much is under way at once; please try again in a moment.");
        gate.open();
        first.rest().await;
    }
}
