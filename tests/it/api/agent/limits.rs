//! How long a turn may take, how much it may say and how much of the past it is told.

use parlor::domain::Item;
use parlor_db::on_both;
use serde_json::json;

use crate::support::{
    app::{TestApp, conversation_of, problem},
    migrations,
    script::{Gate, Step, says},
    soon,
    stream::{data, names, text},
};

fn say(text: &str) -> Step {
    Step::Say(text.into())
}

on_both! { migrations();
    async fn a_model_that_says_nothing_is_waited_for_only_so_long(place: Place) {
        let app = TestApp::start_with(&place, &[("LLM_FIRST_TOKEN_TIMEOUT", "0.1")]).await;
        app.model.then([Step::Hang]).then(says(["Hello"]));
        let events = app.ask("ada", "hi").await;
        assert_eq!(names(&events), ["run.created", "run.failed"]);
        assert_eq!(data(&events, "run.failed")["code"], "model_timeout");
        let again = app.say_in("ada", &conversation_of(&events), "again").await.rest().await;
        assert_eq!(text(&again), "Hello");
    }

    async fn a_model_that_falls_silent_is_waited_for_only_so_long(place: Place) {
        let app = TestApp::start_with(&place, &[("LLM_IDLE_TIMEOUT", "0.1")]).await;
        app.model.then([say("Half"), Step::Hang]);
        let events = app.ask("ada", "hi").await;
        assert_eq!(names(&events), ["run.created", "message.delta", "message.completed", "run.failed"]);
        assert_eq!(data(&events, "run.failed")["code"], "model_timeout");
        assert_eq!(data(&events, "message.completed")["incomplete"], true);
    }

    async fn a_run_that_takes_too_long_is_stopped(place: Place) {
        let app = TestApp::start_with(&place, &[("RUN_TIMEOUT", "0.5")]).await;
        app.model.then([say("Half"), Step::Hang]).then([say("Half"), Step::Hang]);
        let events = app.ask("ada", "hi").await;
        assert_eq!(data(&events, "run.failed")["code"], "run_timeout");
        assert_eq!(data(&events, "message.completed")["content"], "Half");
        let response = app.chat("ada", &[("accept", "application/json")], json!({"message": "hi"})).await;
        let (status, code, _) = problem(response).await;
        assert_eq!((status, code.as_str()), (504, "run_timeout"));
    }

    async fn silence_is_broken_by_comments_from_the_first_byte_on(place: Place) {
        let app = TestApp::start_with(&place, &[("HEARTBEAT", "0.05")]).await;
        let gate = Gate::closed();
        app.model.then([Step::Wait(gate.clone()), say("Hello")]);
        let mut response = app.chat("ada", &[], json!({"message": "hi"})).await;
        let mut heard = String::new();
        while heard.matches(": keep-alive\n\n").count() < 3 {
            let bytes = soon("a comment", response.chunk()).await.unwrap().unwrap();
            heard += std::str::from_utf8(&bytes).unwrap();
        }
        assert!(heard.starts_with("retry: 1000\n\n"), "{heard}");
        gate.open();
        assert!(response.text().await.unwrap().ends_with("data: [DONE]\n\n"));
    }

    async fn a_reply_without_end_is_cut_at_a_mebibyte(place: Place) {
        let app = TestApp::start(&place).await;
        let piece = "é".repeat(100_000);
        app.model.then(vec![say(&piece); 7]);
        let events = app.ask("ada", "tell").await;
        let content = data(&events, "message.completed")["content"].as_str().unwrap();
        assert_eq!((content.len(), content), (1024 * 1024, text(&events).as_str()));
        assert_eq!(data(&events, "message.completed")["incomplete"], true);
        assert_eq!(data(&events, "notice")["code"], "reply_truncated");
        assert_eq!(names(&events).last(), Some(&"run.completed"));
    }

    async fn a_past_that_is_too_long_is_left_out_by_whole_turns(place: Place) {
        let app = TestApp::start_with(&place, &[("MAX_HISTORY_TOKENS", "1000")]).await;
        app.model.then(says(["One"])).then(says(["Two"])).then(says(["Three"]));
        let first = app.ask("ada", &"long ".repeat(1_000)).await;
        assert!(!names(&first).contains(&"notice"), "the newest message is always whole");
        let conversation = conversation_of(&first);
        let second = app.say_in("ada", &conversation, "short").await.rest().await;
        assert_eq!(data(&second, "notice")["code"], "history_trimmed");
        assert_eq!(told(&app)[1], ["short"]);
        assert_eq!(app.messages("ada", &conversation).await.len(), 4, "nothing is forgotten");
    }

    async fn what_was_left_out_stays_out_and_is_told_once(place: Place) {
        let app = TestApp::start_with(&place, &[("MAX_HISTORY_TOKENS", "8000")]).await;
        app.model.then(says(["One"])).then(says(["Two"])).then(says(["Three"]));
        let conversation = conversation_of(&app.ask("ada", &"long ".repeat(5_000)).await);
        let second = app.say_in("ada", &conversation, "short").await.rest().await;
        assert_eq!(data(&second, "notice")["code"], "history_trimmed");
        let third = app.say_in("ada", &conversation, "shorter").await.rest().await;
        assert!(!names(&third).contains(&"notice"), "it was told already");
        assert_eq!(told(&app)[1..], [vec!["short"], vec!["short", "Two", "shorter"]]);
    }

    async fn a_model_with_a_small_window_is_sent_what_fits_into_it(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then(says(["One"])).then(says(["Two"])).then(says(["Three"]));
        let conversation = conversation_of(&app.ask("ada", &"long ".repeat(2_000)).await);
        app.say_in("ada", &conversation, "short").await.rest().await;
        app.model.takes(4_000);
        app.say_in("ada", &conversation, "shorter").await.rest().await;
        let told: Vec<usize> = told(&app).iter().map(Vec::len).collect();
        assert_eq!(told, [1, 3, 3], "the long message is left out, the short ones stay");
    }
}

/// Lists the texts of every request.
fn told(app: &TestApp) -> Vec<Vec<String>> {
    app.model.asked().iter().map(|asked| asked.history.iter().map(words).collect()).collect()
}

fn words(item: &Item) -> String {
    match item {
        Item::User(message) => message.text.clone(),
        Item::Assistant(reply) => reply.text.clone(),
        Item::Tool(result) => result.text.clone(),
    }
}
