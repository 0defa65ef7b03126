//! When the model fails: the run says so in plain words, keeps what was shown, and the conversation goes on.

use parlor::domain::ModelErrorKind;
use parlor_db::on_both;
use serde_json::{Value, json};

use crate::support::{
    app::{TestApp, conversation_of, run_of},
    migrations,
    script::{Step, asks, says},
    stream::{Turn, data, names, text},
};

/// Every way in which a model call fails, with the code of the run and whether trying again may help.
const FAILURES: [(ModelErrorKind, &str, bool); 11] = [
    (ModelErrorKind::Auth, "model_auth", false),
    (ModelErrorKind::Quota, "model_quota", false),
    (ModelErrorKind::RateLimited, "model_rate_limited", true),
    (ModelErrorKind::NotFound, "model_not_found", false),
    (ModelErrorKind::ContextOverflow, "model_context_overflow", false),
    (ModelErrorKind::ContentFiltered, "model_content_filtered", false),
    (ModelErrorKind::InvalidRequest, "model_invalid_request", false),
    (ModelErrorKind::MalformedReply, "model_malformed_reply", true),
    (ModelErrorKind::Upstream, "model_upstream", true),
    (ModelErrorKind::Timeout, "model_timeout", true),
    (ModelErrorKind::StreamLost, "model_stream_lost", true),
];

fn say(text: &str) -> Step {
    Step::Say(text.into())
}

on_both! { migrations();
    async fn every_failure_of_the_model_has_its_code_and_a_plain_sentence(place: Place) {
        let app = TestApp::start(&place).await;
        for (kind, code, is_retryable) in FAILURES {
            app.model.then([Step::Fail(kind)]);
            let mut turn = app.say("ada", "hi").await;
            let events = turn.rest().await;
            assert_eq!(names(&events), ["run.created", "run.failed"]);
            let end = data(&events, "run.failed");
            assert_eq!((&end["code"], &end["retryable"]), (&json!(code), &json!(is_retryable)));
            assert!(end["message"].as_str().is_some_and(|sentence| sentence.ends_with('.')), "{end}");
            assert!(turn.raw().ends_with("data: [DONE]\n\n"));
            let run = app.read(&format!("/api/ada/runs/{}", run_of(&events))).await;
            let expected = json!({"code": code, "message": end["message"], "retryable": is_retryable});
            assert_eq!((&run["status"], &run["error"]), (&json!("failed"), &expected));
            assert_eq!(app.messages("ada", &conversation_of(&events)).await.len(), 1);
        }
    }

    async fn what_was_shown_before_a_failure_is_kept_and_the_next_turn_works(place: Place) {
        let app = TestApp::start(&place).await;
        let failing: [(Vec<Step>, &str); 3] = [
            (vec![say("Half"), Step::BreakOff], "model_stream_lost"),
            (vec![say("Half"), Step::Fail(ModelErrorKind::Upstream)], "model_upstream"),
            (vec![say("Half"), Step::Panic], "internal"),
        ];
        for (reply, code) in failing {
            app.model.then(reply).then(says(["Whole."]));
            let events = app.ask("ada", "hi").await;
            assert_eq!(names(&events), ["run.created", "message.delta", "message.completed", "run.failed"]);
            assert_eq!(data(&events, "run.failed")["code"], code);
            let shown = data(&events, "message.completed");
            assert_eq!((&shown["content"], &shown["incomplete"]), (&json!("Half"), &json!(true)));
            let conversation = conversation_of(&events);
            let again = app.say_in("ada", &conversation, "go on").await.rest().await;
            assert_eq!(text(&again), "Whole.");
            let messages = app.messages("ada", &conversation).await;
            let told: Vec<Value> =
                messages.iter().map(|message| json!([message["content"], message["incomplete"]])).collect();
            let expected = [
                json!(["hi", null]),
                json!(["Half", true]),
                json!(["go on", null]),
                json!(["Whole.", false]),
            ];
            assert_eq!(told, expected);
        }
    }

    async fn a_break_before_the_first_word_leaves_no_empty_message(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then([Step::BreakOff]);
        let events = app.ask("ada", "hi").await;
        assert_eq!(names(&events), ["run.created", "run.failed"]);
        assert_eq!(app.messages("ada", &conversation_of(&events)).await.len(), 1);
    }

    async fn calls_of_a_reply_that_broke_off_are_dropped(place: Place) {
        let app = TestApp::start(&place).await;
        let call = Step::Ask("add_task", json!({"title": "Milk"}).to_string());
        app.model.then([say("Adding"), call, Step::BreakOff]);
        let events = app.ask("ada", "milk").await;
        assert_eq!(data(&events, "run.failed")["code"], "model_stream_lost");
        let stored = app.messages("ada", &conversation_of(&events)).await[1].clone();
        assert_eq!(stored["tool_calls"], json!([]));
        assert_eq!(app.read("/api/ada/tasks").await["data"], json!([]));
    }

    async fn a_failure_after_a_call_keeps_the_call_and_its_answer(place: Place) {
        let app = TestApp::start(&place).await;
        app.model
            .then(asks([("add_task", json!({"title": "Milk"}))]))
            .then([Step::Fail(ModelErrorKind::RateLimited)])
            .then(says(["It was added."]));
        let events = app.ask("ada", "milk").await;
        assert_eq!(names(&events), ["run.created", "tool.started", "tool.completed", "run.failed"]);
        app.say_in("ada", &conversation_of(&events), "well?").await.until("run.completed").await;
        let roles: Vec<&str> = app.model.asked()[2].history.iter().map(|item| item.role().as_str()).collect();
        assert_eq!(roles, ["user", "assistant", "tool", "user"]);
    }

    async fn a_panic_ends_the_run_and_the_service_lives(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then([Step::Panic]).then(says(["Hello"]));
        let events = app.ask("ada", "hi").await;
        assert_eq!(data(&events, "run.failed")["code"], "internal");
        let conversation = conversation_of(&events);
        let shown = app.read(&format!("/api/ada/conversations/{conversation}")).await;
        assert_eq!(shown["active_run_id"], json!(null));
        let again = app.say_in("ada", &conversation, "again").await.rest().await;
        assert_eq!(text(&again), "Hello");
    }

    async fn an_empty_reply_is_a_failure(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then(says([])).then(says(["Hello"]));
        let events = app.ask("ada", "hi").await;
        assert_eq!(data(&events, "run.failed")["code"], "model_malformed_reply");
        let again = app.say_in("ada", &conversation_of(&events), "again").await.rest().await;
        assert_eq!(text(&again), "Hello");
    }

    async fn nothing_of_the_provider_and_nothing_of_a_panic_reaches_a_client(place: Place) {
        let app = TestApp::start(&place).await;
        let failing = [vec![Step::Fail(ModelErrorKind::Upstream)], vec![say("Half"), Step::Panic]];
        for reply in failing {
            let mut seen = String::new();
            for accept in ["text/event-stream", "application/json", "text/plain"] {
                app.model.then(reply.clone());
                let response = app.chat("ada", &[("accept", accept)], json!({"message": "hi"})).await;
                seen += &format!("{:?}", response.headers());
                seen += &response.text().await.unwrap();
            }
            app.model.then(reply.clone());
            let simple = app.post("/api/ada/chat?format=text", json!({"message": "hi"})).await;
            seen += &simple.text().await.unwrap();
            app.model.then(reply.clone());
            let mut turn = Turn::of(app.chat("ada", &[("accept", "*/*")], json!({"message": "hi"})).await);
            let events = turn.rest().await;
            seen += turn.raw();
            let (run, conversation) = (run_of(&events), conversation_of(&events));
            for path in [
                format!("/api/ada/runs/{run}"),
                format!("/api/ada/runs/{run}/events"),
                format!("/api/ada/conversations/{conversation}/messages"),
                "/api/ada/conversations".to_owned(),
            ] {
                seen += &app.get(&path).await.text().await.unwrap();
            }
            for secret in ["sk-secret", "scripted:", "panicked", "provider-body", ".rs:"] {
                assert!(!seen.contains(secret), "{secret} in {seen}");
            }
        }
    }
}
