//! One turn of a conversation at a time; other conversations go on.

use parlor_db::on_both;
use serde_json::json;

use crate::support::{
    app::{TestApp, problem},
    eventually, migrations,
    script::{Gate, Step, says},
    stream::text,
};

on_both! { migrations();
    async fn a_busy_conversation_refuses_another_turn_and_names_the_run(place: Place) {
        let app = TestApp::start(&place).await;
        let gate = Gate::closed();
        app.model.then([Step::Wait(gate.clone()), Step::Say("One".into())]).then(says(["Two"]));
        let mut turn = app.say("ada", "count").await;
        let created = turn.until("run.created").await.data;
        let conversation = created["conversation_id"].as_str().unwrap();
        let again = json!({"message": "hurry", "conversation_id": conversation});
        let (status, code, body) = problem(app.post("/api/ada/chat", again).await).await;
        assert_eq!((status, code.as_str()), (409, "conversation_busy"));
        assert_eq!(body["active_run_id"], created["run_id"]);
        let shown = app.read(&format!("/api/ada/conversations/{conversation}")).await;
        assert_eq!(shown["active_run_id"], created["run_id"]);
        gate.open();
        turn.rest().await;
        app.say_in("ada", conversation, "now").await.rest().await;
        let contents: Vec<_> =
            app.messages("ada", conversation).await.iter().map(|m| m["content"].clone()).collect();
        assert_eq!(contents, ["count", "One", "now", "Two"]);
    }

    async fn of_many_turns_at_once_one_is_accepted(place: Place) {
        let app = TestApp::start(&place).await;
        let gate = Gate::closed();
        app.model.then([Step::Wait(gate.clone()), Step::Say("One".into())]);
        let made: serde_json::Value =
            app.post("/api/ada/conversations", json!({})).await.json().await.unwrap();
        let body = json!({"message": "me", "conversation_id": made["id"]});
        let posts = (0..12).map(|_| app.post("/api/ada/chat", body.clone()));
        let answers = futures_util::future::join_all(posts).await;
        gate.open();
        let accepted = answers.iter().filter(|answer| answer.status() == 200).count();
        let busy = answers.iter().filter(|answer| answer.status() == 409).count();
        assert_eq!((accepted, busy), (1, 11));
        for answer in answers {
            answer.bytes().await.unwrap();
        }
        assert_eq!(app.messages("ada", made["id"].as_str().unwrap()).await.len(), 2);
    }

    async fn another_conversation_does_not_wait(place: Place) {
        let app = TestApp::start(&place).await;
        let gate = Gate::closed();
        app.model.then([Step::Wait(gate.clone()), Step::Say("One".into())]);
        let mut first = app.say("ada", "count").await;
        eventually("the model is asked", || async { app.model.asked().first().map(|_| ()) }).await;
        app.model.then(says(["Two"]));
        let second = app.ask("ada", "hello").await;
        assert_eq!(text(&second), "Two");
        gate.open();
        first.until("run.completed").await;
    }
}
