//! `Idempotency-Key` where answers are taken back: of the retry itself, and of the turn whose answer is gone.

use parlor_db::on_both;
use reqwest::Response;
use serde_json::{Value, json};

use crate::support::{
    app::{TestApp, conversation_of, problem},
    migrations,
    script::{Gate, Step, says},
    stream::{Turn, data, names},
    threads::Threads,
};

const FIRST: (&str, &str) = ("idempotency-key", "first");
const AGAIN: (&str, &str) = ("idempotency-key", "again");

async fn retry(app: &TestApp, conversation: &str, key: Option<(&str, &str)>) -> Response {
    let path = format!("/api/ada/conversations/{conversation}/retry");
    let headers: Vec<(&str, &str)> = [("content-type", "application/json")].into_iter().chain(key).collect();
    app.send(reqwest::Method::POST, &path, &headers, "{}").await
}

/// Says hi under the first key and returns the conversation.
async fn begun(app: &TestApp) -> String {
    let response = app.chat("ada", &[FIRST], json!({"message": "hi"})).await;
    conversation_of(&Turn::of(response).rest().await)
}

/// Says hi again under the first key, and returns the run and its answer.
async fn replayed(app: &TestApp) -> (Value, Value) {
    let response = app.chat("ada", &[FIRST], json!({"message": "hi"})).await;
    assert_eq!(
        (response.status().as_u16(), &response.headers()["idempotent-replayed"]),
        (200, &"true".parse().unwrap())
    );
    let events = Turn::of(response).rest().await;
    assert_eq!(names(&events).last(), Some(&"run.completed"));
    (data(&events, "run.created")["run_id"].clone(), data(&events, "message.completed")["content"].clone())
}

on_both! { migrations();
    async fn a_retry_that_is_sent_twice_makes_one_answer(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then(says(["Old"]));
        let conversation = begun(&app).await;
        let gate = Gate::closed();
        app.model.then([Step::Wait(gate.clone()), Step::Say("New".into())]);
        let mut first = Turn::of(retry(&app, &conversation, Some(AGAIN)).await);
        let created = first.until("run.created").await;
        let second = retry(&app, &conversation, Some(AGAIN)).await;
        assert_eq!(second.headers()["idempotent-replayed"], "true");
        gate.open();
        let (first, second) = (first.rest().await, Turn::of(second).rest().await);
        assert_eq!(second, [vec![created], first].concat());
        assert_eq!(app.model.asked().len(), 2);
        let shown: Vec<Value> =
            app.messages("ada", &conversation).await.iter().map(|message| message["content"].clone()).collect();
        assert_eq!(shown, ["hi", "New"]);
    }

    async fn the_key_of_a_turn_whose_answer_was_taken_back_tells_the_one_in_its_place(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then(says(["Old"])).then(says(["New"])).then(says(["Newest"]));
        let conversation = begun(&app).await;
        for answer in ["New", "Newest"] {
            let events = Turn::of(retry(&app, &conversation, None).await).rest().await;
            let run = data(&events, "run.created")["run_id"].clone();
            assert_eq!(replayed(&app).await, (run, json!(answer)));
        }
        let before = replayed(&app).await;
        let app = app.restart(&place).await;
        assert_eq!(replayed(&app).await, before);
        assert!(app.model.asked().is_empty());
    }

    async fn the_key_of_a_message_that_was_taken_back_says_nothing_anew(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then(says(["One"])).then(says(["Two"])).then(says(["Uno"]));
        let conversation = begun(&app).await;
        let second = json!({"message": "second", "conversation_id": conversation});
        let post = || async { Turn::of(app.chat("ada", &[AGAIN], second.clone()).await).rest().await };
        assert_eq!(data(&post().await, "message.completed")["content"], "Two");
        let [thread, message] = [("thr", conversation.clone()), ("msg", {
            app.messages("ada", &conversation).await[0]["id"].as_str().unwrap().to_owned()
        })]
        .map(|(prefix, id)| format!("{prefix}_{}", id.replace('-', "")));
        let params = json!({"thread_id": thread, "item_id": message});
        Threads::of(&app, "ada").stream("threads.retry_after_item", params).await;
        assert_eq!(data(&post().await, "message.completed")["content"], "Uno", "what stands there now");
        assert_eq!((app.messages("ada", &conversation).await.len(), app.model.asked().len()), (2, 3));
    }

    async fn a_key_is_for_one_request_and_a_refused_retry_leaves_it_free(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then(says(["Old"])).then(says(["New"]));
        let conversation = begun(&app).await;
        let (status, code, _) = problem(retry(&app, &conversation, Some(FIRST)).await).await;
        assert_eq!((status, code.as_str()), (422, "idempotency_key_reused"));
        let empty: Value = app.post("/api/ada/conversations", json!({})).await.json().await.unwrap();
        let empty = empty["id"].as_str().unwrap();
        assert_eq!(problem(retry(&app, empty, Some(AGAIN)).await).await.0, 404);
        let events = Turn::of(retry(&app, &conversation, Some(AGAIN)).await).rest().await;
        assert_eq!(data(&events, "message.completed")["content"], "New");
        let (status, code, _) = problem(retry(&app, empty, Some(AGAIN)).await).await;
        assert_eq!((status, code.as_str()), (422, "idempotency_key_reused"));
        let (status, code, _) = problem(retry(&app, empty, Some(("idempotency-key", "ä"))).await).await;
        assert_eq!((status, code.as_str()), (400, "invalid_header"));
    }
}
