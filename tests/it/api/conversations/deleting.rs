//! Deleting a conversation: all of it goes, and not while somebody answers in it.

use parlor_db::on_both;
use serde_json::json;

use crate::support::{
    app::{TestApp, conversation_of, problem, run_of},
    migrations,
    script::{Gate, Step, asks, says},
    stream::Turn,
};

on_both! { migrations();
    async fn a_deleted_conversation_is_gone_with_all_it_held(place: Place) {
        let app = TestApp::start(&place).await;
        app.model
            .then(asks([("add_task", json!({"title": "Milk"}))]))
            .then(says(["Added."]))
            .then(says(["Kept."]));
        let events = app.ask("ada", "milk").await;
        let kept = conversation_of(&app.ask("ada", "keep this").await);
        let (conversation, run) = (conversation_of(&events), run_of(&events));
        let path = format!("/api/ada/conversations/{conversation}");
        let response = app.delete(&path).await;
        assert_eq!((response.status().as_u16(), response.bytes().await.unwrap().len()), (204, 0));
        for path in [
            path.clone(),
            format!("{path}/messages"),
            format!("/api/ada/runs/{run}"),
            format!("/api/ada/runs/{run}/events"),
            format!("/api/ada/runs/{run}/events?after=1"),
        ] {
            assert_eq!(problem(app.get(&path).await).await.0, 404, "{path}");
        }
        assert_eq!(problem(app.delete(&path).await).await.0, 404);
        assert_eq!(problem(app.post(&format!("/api/ada/runs/{run}/cancel"), json!({})).await).await.0, 404);
        let listed = app.read("/api/ada/conversations").await["data"].clone();
        assert_eq!((listed.as_array().unwrap().len(), &listed[0]["id"]), (1, &json!(kept)));
        assert_eq!(app.messages("ada", &kept).await.len(), 2);
        let tasks = app.read("/api/ada/tasks").await;
        assert_eq!(tasks["data"][0]["title"], "Milk", "what was done stays done");
    }

    async fn the_key_of_a_deleted_turn_is_free_again(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then(says(["One"])).then(says(["Two"]));
        let post = || app.chat("ada", &[("idempotency-key", "k")], json!({"message": "hi"}));
        let first = Turn::of(post().await).rest().await;
        app.delete(&format!("/api/ada/conversations/{}", conversation_of(&first))).await;
        let again = post().await;
        assert!(!again.headers().contains_key("idempotent-replayed"));
        assert_eq!(Turn::of(again).rest().await[1].data["delta"], "Two");
    }

    async fn a_conversation_stays_while_a_run_is_under_way(place: Place) {
        let app = TestApp::start(&place).await;
        let gate = Gate::closed();
        app.model.then([Step::Wait(gate.clone()), Step::Say("Done".into())]);
        let mut turn = app.say("ada", "hi").await;
        let created = turn.until("run.created").await.data;
        let path = format!("/api/ada/conversations/{}", created["conversation_id"].as_str().unwrap());
        let (status, code, body) = problem(app.delete(&path).await).await;
        assert_eq!((status, code.as_str()), (409, "conversation_busy"));
        assert_eq!(body["active_run_id"], created["run_id"]);
        gate.open();
        turn.until("run.completed").await;
        assert_eq!(app.delete(&path).await.status(), 204);
    }
}
