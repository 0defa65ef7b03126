//! What goes wrong: what a user should read comes as an event, the rest as a status with a message; never 5xx after a
//! write, never the clean end of a stream that failed.

use parlor::domain::ModelErrorKind;
use parlor_db::on_both;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    app::TestApp,
    migrations,
    script::{Step, says},
    threads::{Threads, conversation_of, events, input, kinds, thread_of},
};

/// Every operation on a thread.
fn on_a_thread(thread: &str) -> Vec<(&'static str, Value)> {
    let item = format!("msg_{}", uuid::Uuid::now_v7().simple());
    let action = json!({"type": "task.complete", "payload": {"number": 1}});
    let params = json!({
        "thread_id": thread, "item_id": item, "item_ids": [item], "kind": "positive", "title": "T",
        "input": input("hi"), "result": {}, "action": action,
    });
    let operations = [
        "threads.add_user_message",
        "threads.add_client_tool_output",
        "threads.add_structured_input",
        "threads.retry_after_item",
        "threads.custom_action",
        "threads.sync_custom_action",
        "threads.get_by_id",
        "threads.update",
        "threads.delete",
        "items.list",
        "items.feedback",
    ];
    operations.map(|operation| (operation, params.clone())).into()
}

on_both! { migrations();
    async fn a_thread_of_another_is_as_good_as_absent_for_every_operation(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then(says(["Hello"]));
        let of_ada = thread_of(&Threads::of(&app, "ada").create("hi").await);
        let bob = Threads::of(&app, "bob");
        let absent = format!("thr_{}", uuid::Uuid::now_v7().simple());
        for operation in 0..11 {
            let mut heard = Vec::new();
            for thread in [of_ada.as_str(), absent.as_str(), "thr_00000004", "x"] {
                let (name, params) = on_a_thread(thread).remove(operation);
                let response = bob.send(name, params).await;
                assert_eq!(response.status(), 404, "{name}");
                let mut body: Value = response.json().await.unwrap();
                body["request_id"] = Value::Null;
                heard.push(body);
            }
            assert_eq!(heard[0]["message"], "there is no such thread");
            assert!(heard.iter().all(|body| *body == heard[0]), "{heard:?}");
        }
        assert_eq!(app.messages("ada", &conversation_of(&of_ada)).await.len(), 2);
    }

    async fn what_is_no_request_is_refused_with_a_message(place: Place) {
        let app = TestApp::start(&place).await;
        let json = ("content-type", "application/json");
        for (body, status) in [
            ("{", 400), ("{}", 400), (r#"{"type": "threads.nope", "params": {}}"#, 400),
            (r#"{"type": 5}"#, 400), ("[]", 422), (r#"{"type": "threads.get_by_id"}"#, 422),
            (r#"{"type": "threads.create", "params": {"input": {"content": [{"text": "a\u0000"}]}}}"#, 422),
            (r#"{"type": "attachments.create", "params": {"name": "a", "size": 1, "mime_type": "b"}}"#, 400),
            (r#"{"type": "attachments.delete", "params": {"attachment_id": "atc_1"}}"#, 400),
            (r#"{"type": "input.transcribe", "params": {"audio_base64": "", "mime_type": "audio/webm"}}"#, 400),
        ] {
            let response = app.send(Method::POST, "/api/ada/chatkit", &[json], body).await;
            assert_eq!(response.status(), status, "{body}");
            let said: Value = response.json().await.unwrap();
            assert!(said["message"].as_str().is_some_and(|message| !message.is_empty()), "{body}");
        }
        assert_eq!(app.send(Method::POST, "/api/ada/chatkit", &[], "{}").await.status(), 415);
        let large = "x".repeat(300_000);
        assert_eq!(app.send(Method::POST, "/api/ada/chatkit", &[json], large).await.status(), 413);
    }

    async fn what_a_user_should_read_is_an_event_before_anything_is_stored(place: Place) {
        let app = TestApp::start(&place).await;
        let threads = Threads::of(&app, "ada");
        let with = |field: &str, value: Value| {
            let mut input = input("hi");
            input[field] = value;
            input
        };
        for (input, message) in [
            (with("attachments", json!(["atc_1"])), "Attachments are not supported."),
            (input(" "), "This message is empty."),
            (input(&"x".repeat(32_001)), "This message is too long."),
            (with("inference_options", json!({"model": "m9"})), "Model is not on the list of allowed models."),
        ] {
            let told = threads.stream("threads.create", json!({"input": input})).await;
            let error = json!({"type": "error", "code": "custom", "message": message, "allow_retry": false});
            assert_eq!(told, [error]);
        }
        assert_eq!(threads.ask("threads.list", json!({})).await["data"], json!([]));
    }

    async fn a_thread_that_still_answers_says_so(place: Place) {
        let app = TestApp::start(&place).await;
        let threads = Threads::of(&app, "ada");
        app.model.then([Step::Say("Half".into()), Step::Hang]);
        let mut turn = app.say("ada", "tell").await;
        let conversation = turn.until("run.created").await.data["conversation_id"].as_str().unwrap().to_owned();
        let thread = format!("thr_{}", conversation.replace('-', ""));
        let told = threads.add(&thread, "and?").await;
        assert_eq!((kinds(&told), &told[0]["allow_retry"]), (vec!["error".to_owned()], &json!(false)));
        let busy = threads.send("threads.delete", json!({"thread_id": thread})).await;
        assert_eq!(busy.status(), 409);
        assert_eq!(app.messages("ada", &conversation).await.len(), 1);
    }

    async fn a_model_that_fails_ends_the_stream_with_an_error_and_a_retry_where_it_may_help(place: Place) {
        let app = TestApp::start(&place).await;
        let threads = Threads::of(&app, "ada");
        for (steps, allow_retry) in [
            (vec![Step::Fail(ModelErrorKind::Upstream)], true),
            (vec![Step::Fail(ModelErrorKind::Auth)], false),
            (vec![Step::Say("Half".into()), Step::BreakOff], true),
            (vec![Step::Panic], true),
        ] {
            app.model.then(steps);
            let told = threads.create("hi").await;
            let error = told.last().unwrap();
            assert_eq!((&error["type"], &error["allow_retry"]), (&json!("error"), &json!(allow_retry)));
            assert!(!format!("{told:?}").contains("sk-secret"));
            app.model.then(says(["Better."]));
            let params = json!({"thread_id": thread_of(&told), "item_id": told[1]["item"]["id"]});
            let again = threads.stream("threads.retry_after_item", params).await;
            assert_eq!(kinds(&again).last().unwrap(), "thread.item.done");
            assert_eq!(threads.items(&thread_of(&told)).await.len(), 2);
        }
    }

    async fn what_only_follows_a_question_that_was_never_asked_is_an_event(place: Place) {
        let app = TestApp::start(&place).await;
        let threads = Threads::of(&app, "ada");
        app.model.then(says(["Hello"]));
        let thread = thread_of(&threads.create("hi").await);
        let output = json!({"thread_id": thread, "result": {"ok": true}});
        assert_eq!(kinds(&threads.stream("threads.add_client_tool_output", output).await), ["error"]);
        let input = json!({"thread_id": thread, "item_id": "si_1", "input": {"status": "skipped", "answers": {}}});
        let told = threads.send("threads.add_structured_input", input).await;
        assert_eq!(kinds(&events(told).await), ["error"]);
    }

    async fn a_page_of_another_site_may_send_what_the_component_sends(place: Place) {
        let app = TestApp::start_with(&place, &[("CORS_ALLOWED_ORIGINS", "https://app.example.org")]).await;
        let headers = [
            ("origin", "https://app.example.org"), ("access-control-request-method", "POST"),
            ("access-control-request-headers", "content-type,chatkit-frame-instance-id,authorization"),
        ];
        let answer = app.send(Method::OPTIONS, "/chatkit", &headers, "").await;
        let allowed = answer.headers()["access-control-allow-headers"].to_str().unwrap().to_owned();
        for name in ["content-type", "chatkit-frame-instance-id", "authorization", "x-parlor-on-disconnect"] {
            assert!(allowed.split(", ").any(|allowed| allowed == name), "{name}: {allowed}");
        }
        assert_eq!(answer.headers()["access-control-allow-origin"], "https://app.example.org");
    }
}
