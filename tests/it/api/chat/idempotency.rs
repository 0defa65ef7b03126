//! `Idempotency-Key`: two requests that are one.

use futures_util::future::join_all;
use parlor::domain::ModelErrorKind;
use parlor_db::on_both;
use serde_json::{Value, json};

use crate::support::{
    app::{TestApp, problem},
    migrations,
    script::{Gate, Step, asks, says},
    stream::{Event, Turn, names},
};

const KEY: [(&str, &str); 1] = [("idempotency-key", "a key, 42!")];

async fn told(app: &TestApp, body: &Value) -> Vec<Event> {
    let response = app.chat("ada", &KEY, body.clone()).await;
    assert_eq!(response.status(), 200);
    Turn::of(response).rest().await
}

on_both! { migrations();
    async fn the_same_key_tells_the_same_run_again(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then(asks([("add_task", json!({"title": "Milk"}))])).then(says(["Added ", "it."]));
        let first = told(&app, &json!({"message": "milk"})).await;
        let response = app.chat("ada", &KEY, json!({"message": "milk"})).await;
        assert_eq!(response.headers()["idempotent-replayed"], "true");
        assert_eq!(Turn::of(response).rest().await, first);
        assert_eq!(app.model.asked().len(), 2);
        assert_eq!(app.read("/api/ada/tasks").await["data"].as_array().unwrap().len(), 1);
    }

    async fn a_retry_attaches_to_the_running_turn_from_its_start(place: Place) {
        let app = TestApp::start(&place).await;
        let gate = Gate::closed();
        app.model.then([Step::Say("One".into()), Step::Wait(gate.clone()), Step::Say(", two".into())]);
        let mut first = Turn::of(app.chat("ada", &KEY, json!({"message": "count"})).await);
        let mut heard = vec![first.next().await.unwrap(), first.until("message.delta").await];
        let mut second = Turn::of(app.chat("ada", &KEY, json!({"message": "count"})).await);
        gate.open();
        heard.extend(first.rest().await);
        assert_eq!(second.rest().await, heard);
    }

    async fn sixteen_posts_with_one_key_make_one_run(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then(says(["Once."]));
        let tellings = join_all((0..16).map(|_| async { told(&app, &json!({"message": "hi"})).await })).await;
        assert!(tellings.iter().all(|telling| *telling == tellings[0]), "{tellings:?}");
        assert_eq!(app.model.asked().len(), 1);
        let conversations = app.read("/api/ada/conversations").await["data"].clone();
        assert_eq!(conversations.as_array().unwrap().len(), 1);
        assert_eq!(app.messages("ada", conversations[0]["id"].as_str().unwrap()).await.len(), 2);
    }

    async fn the_same_key_with_another_body_is_refused(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then(says(["Hello"]));
        told(&app, &json!({"message": "hi"})).await;
        let conversation = "01a9c1e0-0000-7000-8000-000000000001";
        for body in [json!({"message": "ho"}), json!({"message": "hi", "conversation_id": conversation})] {
            let (status, code, _) = problem(app.chat("ada", &KEY, body).await).await;
            assert_eq!((status, code.as_str()), (422, "idempotency_key_reused"));
        }
    }

    async fn how_the_answer_is_wanted_is_no_part_of_what_is_asked(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then(says(["Hello"]));
        let first = told(&app, &json!({"message": "hi"})).await;
        let named = json!({"message": "hi", "stream": false, "timezone": "Asia/Tokyo"});
        let answer: Value = app.chat("ada", &KEY, named).await.json().await.unwrap();
        assert_eq!(
            (&answer["run_id"], &answer["message"]["content"]),
            (&first[0].data["run_id"], &json!("Hello"))
        );
        let plain = app.chat("ada", &[KEY[0], ("accept", "text/plain")], json!({"message": "hi"})).await;
        assert_eq!(plain.text().await.unwrap(), "Hello");
    }

    async fn a_key_belongs_to_its_user(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then(says(["Hello, Ada"])).then(says(["Hello, Bob"]));
        told(&app, &json!({"message": "hi"})).await;
        let response = app.chat("bob", &KEY, json!({"message": "hi"})).await;
        assert!(!response.headers().contains_key("idempotent-replayed"));
        assert_eq!(Turn::of(response).rest().await[1].data["delta"], "Hello, Bob");
    }

    async fn a_key_that_cannot_be_one_is_refused(place: Place) {
        let app = TestApp::start(&place).await;
        let long = "k".repeat(256);
        for key in ["", long.as_str(), "schlüssel", "tab\there"] {
            let response = app.chat("ada", &[("idempotency-key", key)], json!({"message": "hi"})).await;
            let (status, code, _) = problem(response).await;
            assert_eq!((status, code.as_str()), (400, "invalid_header"), "{key:?}");
        }
        app.model.then(says(["Hello"]));
        let longest = "k".repeat(255);
        assert_eq!(
            app.chat("ada", &[("idempotency-key", &longest)], json!({"message": "hi"})).await.status(),
            200
        );
    }

    async fn a_refused_request_leaves_the_key_free(place: Place) {
        let app = TestApp::start(&place).await;
        let absent = json!({"message": "hi", "conversation_id": "01a9c1e0-0000-7000-8000-000000000001"});
        assert_eq!(app.chat("ada", &KEY, absent).await.status(), 404);
        assert_eq!(app.chat("ada", &KEY, json!({"message": " "})).await.status(), 422);
        let gate = Gate::closed();
        app.model.then([Step::Wait(gate.clone()), Step::Say("One".into())]).then(says(["Two"]));
        let mut busy = app.say("ada", "count").await;
        let conversation = busy.until("run.created").await.data["conversation_id"].clone();
        let body = json!({"message": "next", "conversation_id": conversation});
        assert_eq!(app.chat("ada", &KEY, body.clone()).await.status(), 409);
        gate.open();
        busy.rest().await;
        let events = told(&app, &body).await;
        assert_eq!(events[1].data["delta"], "Two");
    }

    async fn a_failed_run_replays_as_failed_in_every_format(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then([Step::Say("Half".into()), Step::Fail(ModelErrorKind::Upstream)]);
        let first = told(&app, &json!({"message": "hi"})).await;
        assert_eq!(names(&first).last(), Some(&"run.failed"));
        assert_eq!(told(&app, &json!({"message": "hi"})).await, first);
        let headers = [KEY[0], ("accept", "application/json")];
        let response = app.chat("ada", &headers, json!({"message": "hi"})).await;
        assert_eq!(response.headers()["idempotent-replayed"], "true");
        let (status, code, body) = problem(response).await;
        assert_eq!((status, code.as_str()), (502, "model_upstream"));
        assert_eq!(body["run_id"], first[0].data["run_id"]);
        assert_eq!(app.model.asked().len(), 1);
    }

    async fn a_key_is_remembered_over_a_restart(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then(says(["Hello"]));
        let first = told(&app, &json!({"message": "hi"})).await;
        let app = app.restart(&place).await;
        let again = told(&app, &json!({"message": "hi"})).await;
        let stored: Vec<Event> = first.into_iter().filter(|event| event.name != "message.delta").collect();
        assert_eq!(again, stored);
        assert!(app.model.asked().is_empty());
    }
}
