//! What is refused before anything happens, with a status that says why.

use parlor_db::on_both;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    app::{TestApp, conversation_of, problem},
    migrations,
    script::says,
};

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];
const ABSENT: &str = "01a9c1e0-0000-7000-8000-000000000001";

/// Posts a body to a route and returns the status and the code.
async fn refusal(app: &TestApp, headers: &[(&str, &str)], body: impl Into<reqwest::Body>) -> (u16, String) {
    let (status, code, _) = problem(app.send(Method::POST, "/api/ada/chat", headers, body).await).await;
    (status, code)
}

/// Posts a turn that must be 422 and returns the names of the fields that are wrong, in their order.
async fn faults(app: &TestApp, body: Value) -> Vec<String> {
    let response = app.post("/api/ada/chat", body.clone()).await;
    assert_eq!(response.status(), 422, "{body}");
    let (_, code, answer) = problem(response).await;
    assert_eq!(code, "invalid_request");
    let errors = answer["errors"].as_array().unwrap();
    assert!(errors.iter().all(|error| error["message"].as_str().is_some_and(|text| !text.is_empty())));
    errors.iter().map(|error| error["field"].as_str().unwrap().to_owned()).collect()
}

on_both! { migrations();
    async fn a_field_that_is_wrong_is_named(place: Place) {
        let app = TestApp::start(&place).await;
        let longest = "ñ".repeat(32_000);
        let many: serde_json::Map<String, Value> = (0..17).map(|at| (format!("n{at}"), "x".into())).collect();
        let table = [
            (json!({}), "message"),
            (json!({"message": null}), "message"),
            (json!({"message": ""}), "message"),
            (json!({"message": " \n\t\u{a0}"}), "message"),
            (json!({"message": 5}), "message"),
            (json!({"message": ["hi"]}), "message"),
            (json!({"message": "a\0b"}), "message"),
            (json!({"message": format!("{longest}x")}), "message"),
            (json!({"message": "hi", "conversation_id": 7}), "conversation_id"),
            (json!({"message": "hi", "conversation_id": "x"}), "conversation_id"),
            (json!({"message": "hi", "conversation_id": ABSENT.to_uppercase()}), "conversation_id"),
            (json!({"message": "hi", "conversation_id": ABSENT.replace('-', "")}), "conversation_id"),
            (json!({"message": "hi", "stream": "true"}), "stream"),
            (json!({"message": "hi", "provider": "gemini"}), "provider"),
            (json!({"message": "hi", "model": "gpt-99"}), "model"),
            (json!({"message": "hi", "tool_choice": "always"}), "tool_choice"),
            (json!({"message": "hi", "timezone": "Mars/Olympus"}), "timezone"),
            (json!({"message": "hi", "timezone": "+02:00"}), "timezone"),
            (json!({"message": "hi", "metadata": []}), "metadata"),
            (json!({"message": "hi", "metadata": many}), "metadata"),
            (json!({"message": "hi", "metadata": {"a": 1}}), "metadata.a"),
            (json!({"message": "hi", "metadata": {"a": "x\0"}}), "metadata.a"),
            (json!({"message": "hi", "metadata": {"a": "x".repeat(513)}}), "metadata.a"),
            (json!({"message": "hi", "user_id": "bob"}), "user_id"),
            (json!({"message": "hi", "message_": null}), "message_"),
            (json!([]), "body"),
            (json!("hi"), "body"),
        ];
        for (body, field) in table {
            assert_eq!(faults(&app, body).await, [field]);
        }
        assert!(app.model.asked().is_empty());
        assert_eq!(app.read("/api/ada/conversations").await["data"], json!([]));
    }

    async fn every_fault_comes_in_one_list(place: Place) {
        let app = TestApp::start(&place).await;
        let body = json!({
            "message": "", "conversation_id": "x", "stream": 1, "tool_choice": "x", "timezone": "x",
            "metadata": {"a": 1}, "user_id": "bob",
        });
        let expected =
            ["message", "conversation_id", "stream", "tool_choice", "timezone", "metadata.a", "user_id"];
        assert_eq!(faults(&app, body).await, expected);
    }

    async fn the_longest_message_is_counted_in_characters(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then(says(["Long."]));
        let longest = "😀".repeat(32_000);
        let conversation = conversation_of(&app.ask("ada", &longest).await);
        assert_eq!(app.messages("ada", &conversation).await[0]["content"], longest);
    }

    async fn what_is_configured_may_also_be_named(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then(says(["Hello"]));
        let body =
            json!({"message": "hi", "provider": "custom", "model": "scripted", "conversation_id": null});
        app.turn("ada", body).await.until("run.completed").await;
    }

    async fn a_body_that_cannot_be_read_is_malformed(place: Place) {
        let app = TestApp::start(&place).await;
        let deep = format!("{{\"metadata\": {}{}}}", "[".repeat(200), "]".repeat(200));
        let malformed = |code: &str| (400, code.to_owned());
        for body in ["", "{", "message=hi", "{\"message\": \"hi\"} x", &deep] {
            assert_eq!(refusal(&app, &JSON, body.to_owned()).await, malformed("malformed_json"), "{body}");
        }
        let half = r#"{"message": "\ud800"}"#.to_owned();
        assert_eq!(refusal(&app, &JSON, half).await, (422, "invalid_request".into()));
        let not_utf8 = b"{\"message\": \"\xff\"}".to_vec();
        assert_eq!(refusal(&app, &JSON, not_utf8).await, malformed("malformed_request"));
    }

    async fn a_body_over_the_limit_is_refused(place: Place) {
        let app = TestApp::start(&place).await;
        let limit = 256 * 1024;
        let around = r#"{"message": "hi", "metadata": {"a": ""}}"#.len();
        let body = |bytes: usize| {
            format!(r#"{{"message": "hi", "metadata": {{"a": "{}"}}}}"#, "x".repeat(bytes - around))
        };
        assert_eq!(body(limit).len(), limit);
        assert_eq!(refusal(&app, &JSON, body(limit)).await, (422, "invalid_request".into()));
        assert_eq!(refusal(&app, &JSON, body(limit + 1)).await, (413, "body_too_large".into()));
        let pieces = futures_util::stream::iter([Ok::<_, std::io::Error>(body(limit)), Ok(" ".into())]);
        let unannounced = reqwest::Body::wrap_stream(pieces);
        assert_eq!(refusal(&app, &JSON, unannounced).await, (413, "body_too_large".into()));
    }

    async fn only_json_is_read(place: Place) {
        let app = TestApp::start(&place).await;
        let body = r#"{"message": "hi"}"#;
        for content_type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""] {
            let refused = refusal(&app, &[("content-type", content_type)], body).await;
            assert_eq!(refused, (415, "unsupported_media_type".into()), "{content_type:?}");
        }
        assert_eq!(refusal(&app, &[], body).await, (415, "unsupported_media_type".into()));
        app.model.then(says(["Hello"]));
        let headers = [("content-type", "Application/JSON; charset=utf-8")];
        assert_eq!(app.send(Method::POST, "/api/ada/chat", &headers, body).await.status(), 200);
    }

    async fn faults_are_told_in_the_order_of_the_contract(place: Place) {
        let app = TestApp::start(&place).await;
        let all_wrong = json!({"message": "", "conversation_id": ABSENT}).to_string();
        let bad_key = [JSON[0], ("idempotency-key", "")];
        let too_long = "x".repeat(256 * 1024 + 1);
        assert_eq!(refusal(&app, &[("idempotency-key", "")], too_long.clone()).await.0, 415);
        assert_eq!(refusal(&app, &bad_key, too_long).await.0, 413);
        assert_eq!(refusal(&app, &bad_key, all_wrong.clone()).await.0, 400);
        assert_eq!(refusal(&app, &JSON, all_wrong).await.0, 422);
        let absent = json!({"message": "hi", "conversation_id": ABSENT}).to_string();
        assert_eq!(refusal(&app, &JSON, absent).await, (404, "not_found".into()));
    }

    async fn a_foreign_conversation_is_not_found_and_no_new_one_is_made(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then(says(["Hello"]));
        let conversation = conversation_of(&app.ask("ada", "hi").await);
        let post = |id: String| app.post("/api/bob/chat", json!({"message": "hi", "conversation_id": id}));
        let (status, _, mut foreign) = problem(post(conversation.clone()).await).await;
        let (_, _, mut absent) = problem(post(ABSENT.into()).await).await;
        foreign["request_id"].take();
        absent["request_id"].take();
        assert_eq!((status, &foreign), (404, &absent));
        assert_eq!(app.read("/api/bob/conversations").await["data"], json!([]));
        assert_eq!(app.messages("ada", &conversation).await.len(), 2);
        assert_eq!(app.model.asked().len(), 1);
    }

    async fn a_user_is_named_by_what_identity_providers_hand_out(place: Place) {
        let app = TestApp::start(&place).await;
        let longest = "a".repeat(128);
        for user in ["auth0%7C65f", "ada@example.org", "a+b~c=d-e_f:g.h", longest.as_str()] {
            app.model.then(says(["Hello"]));
            let response = app.chat(user, &[], json!({"message": "hi"})).await;
            let events = response.headers()["location"].to_str().unwrap().to_owned();
            response.bytes().await.unwrap();
            assert_eq!(app.get(&events).await.status(), 200, "{events}");
        }
        let too_long = "a".repeat(129);
        for user in ["-a", ".a", "a%20b", "a%2Fb", "%C3%A4", "a%00", too_long.as_str()] {
            let (status, code, body) =
                problem(app.post(&format!("/api/{user}/chat"), json!({"message": "hi"})).await).await;
            assert_eq!(
                (status, code.as_str(), &body["errors"][0]["field"]),
                (422, "invalid_request", &json!("user_id"))
            );
        }
        let response = app.post("/api/%ff/chat", json!({"message": "hi"})).await;
        let (status, code, _) = problem(response).await;
        assert_eq!((status, code.as_str()), (400, "malformed_request"));
    }
}
