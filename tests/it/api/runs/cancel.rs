//! `POST …/runs/{id}/cancel`: the one way to stop a run.

use parlor_db::on_both;
use reqwest::Method;
use serde_json::{Value, json};

use super::follow;
use crate::support::{
    app::{TestApp, conversation_of, run_of},
    eventually, migrations,
    script::{Step, asks, says},
    stream::{data, names, text},
};

/// Cancels a run, with no body and no content type, as the contract has it.
async fn cancel(app: &TestApp, run: &str) -> Value {
    let response = app.send(Method::POST, &format!("/api/ada/runs/{run}/cancel"), &[], "").await;
    assert_eq!(response.status(), 200);
    response.json().await.unwrap()
}

on_both! { migrations();
    async fn a_cancelled_run_keeps_what_was_shown_and_the_next_turn_works(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then([Step::Say("Half".into()), Step::Hang]).then(says(["Whole."]));
        let mut turn = app.say("ada", "tell").await;
        let mut events = vec![turn.until("run.created").await, turn.until("message.delta").await];
        let (run, conversation) = (run_of(&events), conversation_of(&events));
        let cancelled = cancel(&app, &run).await;
        assert_eq!((&cancelled["status"], &cancelled["error"]), (&json!("cancelled"), &json!(null)));
        events.extend(turn.rest().await);
        assert_eq!(names(&events), ["run.created", "message.delta", "message.completed", "run.cancelled"]);
        let shown = data(&events, "message.completed");
        assert_eq!((&shown["content"], &shown["incomplete"]), (&json!("Half"), &json!(true)));
        assert!(turn.raw().ends_with("data: [DONE]\n\n"));
        assert_eq!(cancelled["last_event_id"], events.last().unwrap().id);
        let again = app.say_in("ada", &conversation, "go on").await.rest().await;
        assert_eq!(text(&again), "Whole.");
        let messages = app.messages("ada", &conversation).await;
        let told: Vec<Value> =
            messages.iter().map(|message| json!([message["role"], message["content"]])).collect();
        let expected = [
            json!(["user", "tell"]),
            json!(["assistant", "Half"]),
            json!(["user", "go on"]),
            json!(["assistant", "Whole."]),
        ];
        assert_eq!(told, expected);
    }

    async fn cancelling_before_the_first_word_leaves_no_empty_message(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then([Step::Hang]).then(says(["Hello"]));
        let mut turn = app.say("ada", "tell").await;
        let mut events = vec![turn.until("run.created").await];
        eventually("the model is asked", || async { (app.model.asked().len() == 1).then_some(()) }).await;
        cancel(&app, &run_of(&events)).await;
        events.extend(turn.rest().await);
        assert_eq!(names(&events), ["run.created", "run.cancelled"]);
        let conversation = conversation_of(&events);
        assert_eq!(app.messages("ada", &conversation).await.len(), 1);
        assert_eq!(text(&app.say_in("ada", &conversation, "again").await.rest().await), "Hello");
    }

    async fn cancelling_twice_is_cancelling_once(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then([Step::Say("Half".into()), Step::Hang]);
        let mut turn = app.say("ada", "tell").await;
        let run = turn.until("run.created").await.data["run_id"].as_str().unwrap().to_owned();
        turn.until("message.delta").await;
        let (first, second) = tokio::join!(cancel(&app, &run), cancel(&app, &run));
        assert_eq!(first, second);
        assert_eq!(cancel(&app, &run).await, first);
    }

    async fn a_finished_run_stays_as_it_is(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then(says(["Hello"]));
        let run = run_of(&app.ask("ada", "hi").await);
        let before = app.read(&format!("/api/ada/runs/{run}")).await;
        assert_eq!(before["status"], "completed");
        assert_eq!(cancel(&app, &run).await, before);
        let app = app.restart(&place).await;
        assert_eq!(cancel(&app, &run).await, before);
    }

    async fn what_a_call_did_before_the_cancel_stays_done_and_told(place: Place) {
        let app = TestApp::start(&place).await;
        app.model
            .then(asks([("add_task", json!({"title": "Milk"}))]))
            .then([Step::Hang])
            .then(says(["It was added."]));
        let mut turn = app.say("ada", "milk").await;
        let mut events = vec![turn.until("run.created").await, turn.until("tool.completed").await];
        eventually("the model is asked again", || async { (app.model.asked().len() == 2).then_some(()) }).await;
        cancel(&app, &run_of(&events)).await;
        events.extend(turn.rest().await);
        assert_eq!(names(&events), ["run.created", "tool.completed", "run.cancelled"]);
        app.say_in("ada", &conversation_of(&events), "well?").await.until("run.completed").await;
        let roles: Vec<&str> = app.model.asked()[2].history.iter().map(|item| item.role().as_str()).collect();
        assert_eq!(roles, ["user", "assistant", "tool", "user"]);
        assert_eq!(app.read("/api/ada/tasks").await["data"][0]["title"], "Milk");
    }

    async fn a_client_that_waits_for_json_gets_the_cancelled_turn(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then([Step::Say("Half".into()), Step::Hang]);
        let waiting = app.chat_json("ada", json!({"message": "tell"}));
        let cancelling = eventually("the run has spoken", || async {
            let conversations = app.read("/api/ada/conversations").await;
            let run = conversations["data"][0]["active_run_id"].as_str()?.to_owned();
            let mut turn = follow(&app, &run, "", &[]).await;
            turn.until("message.delta").await;
            Some(cancel(&app, &run).await)
        });
        let (answer, cancelled) = tokio::join!(waiting, cancelling);
        assert_eq!((&answer["status"], &answer["run_id"]), (&json!("cancelled"), &cancelled["id"]));
        assert_eq!(
            (&answer["message"]["content"], &answer["message"]["incomplete"]),
            (&json!("Half"), &json!(true))
        );
    }
}
