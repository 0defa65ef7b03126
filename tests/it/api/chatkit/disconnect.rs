//! Stop in the component is a connection that drops.

use futures_util::StreamExt;
use parlor_db::on_both;
use reqwest::Response;
use serde_json::{Value, json};

use crate::support::{
    app::TestApp,
    eventually, migrations,
    script::{Gate, Step, says},
    soon,
    threads::{Threads, conversation_of, events, input, kinds, parse, thread_of},
};

/// Reads until the stream has said this, and hangs up.
async fn read_until(response: Response, said: &str) -> Vec<Value> {
    assert_eq!(response.status(), 200);
    let (mut bytes, mut read) = (response.bytes_stream(), String::new());
    while !read.contains(said) {
        let chunk = soon("the stream goes on", bytes.next()).await.unwrap().unwrap();
        read.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    parse(&read)
}

/// Waits for the end of the only run of a conversation and returns its messages.
async fn ended(app: &TestApp, thread: &str) -> (Value, Vec<Value>) {
    let conversation = conversation_of(thread);
    let path = format!("/api/ada/conversations/{conversation}");
    let over = || async { app.read(&path).await["active_run_id"].is_null().then_some(()) };
    eventually("the run is over", over).await;
    let messages = app.messages("ada", &conversation).await;
    let run = messages[0]["run_id"].as_str().unwrap().to_owned();
    (app.read(&format!("/api/ada/runs/{run}")).await, messages)
}

on_both! { migrations();
    async fn hanging_up_stops_the_turn_and_keeps_what_was_shown_under_its_id(place: Place) {
        let app = TestApp::start(&place).await;
        let threads = Threads::of(&app, "ada");
        app.model.then([Step::Say("Half".into()), Step::Hang]).then(says(["Whole."]));
        let response = threads.send("threads.create", json!({"input": input("tell")})).await;
        let shown = read_until(response, "Half").await;
        let (run, _) = ended(&app, &thread_of(&shown)).await;
        assert_eq!(run["status"], "cancelled");
        let items = threads.items(&thread_of(&shown)).await;
        let begun = shown.iter().find(|event| event["type"] == "thread.item.added").unwrap();
        assert_eq!((&items[1]["id"], &items[1]["content"][0]["text"]), (&begun["item"]["id"], &json!("Half")));
        let next = threads.add(&thread_of(&shown), "go on").await;
        assert_eq!(kinds(&next).last().unwrap(), "thread.item.done");
    }

    async fn hanging_up_before_the_first_word_stops_the_turn_too(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then([Step::Hang]);
        let response = Threads::of(&app, "ada").send("threads.create", json!({"input": input("tell")})).await;
        let shown = read_until(response, "stream_options").await;
        let (run, messages) = ended(&app, &thread_of(&shown)).await;
        assert_eq!((&run["status"], messages.len()), (&json!("cancelled"), 1));
    }

    async fn a_request_may_say_that_the_turn_goes_on(place: Place) {
        let app = TestApp::start(&place).await;
        let gate = Gate::closed();
        app.model.then([Step::Say("Ha".into()), Step::Wait(gate.clone()), Step::Say("lf".into())]);
        let headers = [("x-parlor-on-disconnect", "continue")];
        let params = json!({"input": input("tell")});
        let response = Threads::of(&app, "ada").send_with("threads.create", params, &headers).await;
        let shown = read_until(response, "\"Ha\"").await;
        gate.open();
        let (run, messages) = ended(&app, &thread_of(&shown)).await;
        assert_eq!((&run["status"], &messages[1]["content"]), (&json!("completed"), &json!("Half")));
    }

    async fn the_operator_may_say_that_turns_go_on_and_a_request_that_one_stops(place: Place) {
        let app = TestApp::start_with(&place, &[("CHATKIT_ON_DISCONNECT", "continue")]).await;
        let threads = Threads::of(&app, "ada");
        let gate = Gate::closed();
        app.model.then([Step::Say("Ha".into()), Step::Wait(gate.clone()), Step::Say("lf".into())]);
        let response = threads.send("threads.create", json!({"input": input("tell")})).await;
        let shown = read_until(response, "\"Ha\"").await;
        gate.open();
        assert_eq!(ended(&app, &thread_of(&shown)).await.0["status"], "completed");
        app.model.then([Step::Say("Half".into()), Step::Hang]);
        let headers = [("x-parlor-on-disconnect", "cancel")];
        let params = json!({"input": input("tell")});
        let shown = read_until(threads.send_with("threads.create", params, &headers).await, "Half").await;
        assert_eq!(ended(&app, &thread_of(&shown)).await.0["status"], "cancelled");
        let wrong = [("x-parlor-on-disconnect", "perhaps")];
        assert_eq!(threads.send_with("threads.list", json!({}), &wrong).await.status(), 400);
    }

    async fn a_turn_that_is_stopped_elsewhere_ends_the_stream_in_order(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then([Step::Say("Half".into()), Step::Hang]);
        let threads = Threads::of(&app, "ada");
        let response = threads.send("threads.create", json!({"input": input("tell")})).await;
        let run = eventually("there is a run", || async {
            let listed = app.read("/api/ada/conversations").await;
            let run = listed["data"][0]["active_run_id"].as_str().map(str::to_owned);
            if app.model.asked().is_empty() { None } else { run }
        }).await;
        app.post(&format!("/api/ada/runs/{run}/cancel"), json!({})).await;
        let told = events(response).await;
        assert_eq!(kinds(&told).last().unwrap(), "notice");
    }
}
