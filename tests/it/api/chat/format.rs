//! In which format a turn is answered, and under which headers.

use parlor_db::on_both;
use serde_json::json;

use crate::support::{
    app::{TestApp, problem},
    migrations,
    redact::{is_id, redacted, redacted_json},
    script::{Step, asks, says},
};
use parlor::domain::ModelErrorKind;

on_both! { migrations();
    async fn the_bytes_of_a_native_stream_are_those_of_the_contract(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then(asks([("add_task", json!({"title": "Milk"}))])).then(says(["Added ", "it."]));
        let response = app.chat("ada", &[], json!({"message": "milk", "stream": true})).await;
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let body = redacted(&response.text().await.unwrap());
        let body = body.split_inclusive("\n\n").collect::<Vec<_>>();
        assert_eq!(body.first(), Some(&"retry: 1000\n\n"));
        assert_eq!(body.last(), Some(&"data: [DONE]\n\n"));
        insta::allow_duplicates! { insta::assert_snapshot!(body[1..body.len() - 1].concat().replace("\\n", "\n"), @r#"
        id: 1
        event: run.created
        data: {"run_id":"<id 1>","conversation_id":"<id 2>","user_message_id":"<id 3>","provider":"custom","model":"scripted","attempt":1}

        id: 2
        event: tool.started
        data: {"message_id":"<id 4>","call_id":"<id 5>","server":"tasks","name":"add_task","arguments":{"title":"Milk"}}

        id: 3
        event: tool.completed
        data: {"message_id":"<id 4>","call_id":"<id 5>","server":"tasks","name":"add_task","status":"ok","is_error":false,"result":{"task":{"completed_at":null,"created_at":"<time>","description":null,"number":1,"priority":"medium","status":"pending","title":"Milk","updated_at":"<time>"}},"truncated":false,"duration_ms":<ms>}

        id: 4
        event: message.delta
        data: {"message_id":"<id 6>","delta":"Added "}

        id: 5
        event: message.delta
        data: {"message_id":"<id 6>","delta":"it."}

        id: 6
        event: message.completed
        data: {"message_id":"<id 6>","content":"Added it.","incomplete":false}

        id: 7
        event: run.completed
        data: {"run_id":"<id 1>","usage":{"input_tokens":14,"output_tokens":6,"total_tokens":20,"cached_input_tokens":0,"reasoning_tokens":0,"model_calls":2,"estimated":false,"cost_micros":null}}
        "#); }
    }

    async fn the_json_answer_is_one_chat_object(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then(asks([("add_task", json!({"title": "Milk"}))])).then(says(["Added ", "it."]));
        let answer = app.chat_json("ada", json!({"message": "milk"})).await;
        insta::allow_duplicates! { insta::assert_snapshot!(redacted_json(&answer), @r#"
        {
          "conversation_id": "<id 1>",
          "message": {
            "content": "Added it.",
            "conversation_id": "<id 1>",
            "created_at": "<time>",
            "feedback": null,
            "id": "<id 2>",
            "incomplete": false,
            "position": 4,
            "role": "assistant",
            "run_id": "<id 3>",
            "tool_calls": []
          },
          "notices": [],
          "run_id": "<id 3>",
          "status": "completed",
          "tool_calls": [
            {
              "arguments": {
                "title": "Milk"
              },
              "call_id": "<id 4>",
              "duration_ms":<ms>,
              "is_error": false,
              "message_id": "<id 5>",
              "name": "add_task",
              "result": {
                "task": {
                  "completed_at": null,
                  "created_at": "<time>",
                  "description": null,
                  "number": 1,
                  "priority": "medium",
                  "status": "pending",
                  "title": "Milk",
                  "updated_at": "<time>"
                }
              },
              "server": "tasks",
              "status": "ok",
              "truncated": false
            }
          ],
          "usage": {
            "cached_input_tokens": 0,
            "cost_micros": null,
            "estimated": false,
            "input_tokens": 14,
            "model_calls": 2,
            "output_tokens": 6,
            "reasoning_tokens": 0,
            "total_tokens": 20
          }
        }
        "#); }
    }

    async fn the_client_chooses_the_format(place: Place) {
        let app = TestApp::start(&place).await;
        let (events, json, plain) = ("text/event-stream", "application/json", "text/plain; charset=utf-8");
        let table: [(Option<&str>, Option<bool>, &str); 10] = [
            (None, None, events),
            (Some("*/*"), None, events),
            (Some("text/event-stream"), None, events),
            (Some("image/png"), None, events),
            (Some("application/json, text/event-stream"), None, events),
            (Some("application/json"), None, json),
            (Some("text/plain"), None, plain),
            (Some("application/json"), Some(true), events),
            (Some("text/event-stream"), Some(false), json),
            (Some("text/plain"), Some(false), json),
        ];
        for (accept, stream, expected) in table {
            app.model.then(says(["Hello"]));
            let headers: Vec<(&str, &str)> = accept.map(|accept| ("accept", accept)).into_iter().collect();
            let response = app.chat("ada", &headers, json!({"message": "hi", "stream": stream})).await;
            assert_eq!(response.headers()["content-type"], expected, "{accept:?} {stream:?}");
            response.bytes().await.unwrap();
        }
    }

    async fn plain_text_is_the_words_and_nothing_else(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then(says(["Hello,\n", "data: Ada."]));
        let response = app.chat("ada", &[("accept", "text/plain")], json!({"message": "hi"})).await;
        assert_eq!(response.text().await.unwrap(), "Hello,\ndata: Ada.");
    }

    async fn the_simple_stream_restores_the_text_and_ends_with_done(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then(says(["Hello,", "\n\ndata: Ada.", " 😀"]));
        let response = app.post("/api/ada/chat?format=text", json!({"message": "hi"})).await;
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let expected = "retry: 1000\n\ndata: Hello,\n\ndata: \ndata: \ndata: data: Ada.\n\ndata:  😀\n\ndata: [DONE]\n\n";
        assert_eq!(response.text().await.unwrap(), expected);
    }

    async fn the_simple_stream_tells_a_failure_in_plain_words(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then([Step::Fail(ModelErrorKind::Upstream)]);
        let response = app.post("/api/ada/chat?format=text", json!({"message": "hi"})).await;
        let expected = "retry: 1000\n\nevent: error\ndata: AI service temporarily unavailable. Please try again.\n\n\
                        data: [DONE]\n\n";
        assert_eq!(response.text().await.unwrap(), expected);
    }

    async fn a_format_that_does_not_exist_is_refused_before_anything_happens(place: Place) {
        let app = TestApp::start(&place).await;
        let response = app.post("/api/ada/chat?format=xml", json!({"message": "hi"})).await;
        let (status, code, _) = problem(response).await;
        assert_eq!((status, code.as_str()), (422, "invalid_request"));
        assert!(app.model.asked().is_empty());
    }

    async fn the_headers_say_what_was_started_and_keep_proxies_quiet(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then(says(["Hello"]));
        let response =
            app.chat("ada", &[("accept-encoding", "gzip, br, zstd")], json!({"message": "hi"})).await;
        let header =
            |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let (run, conversation) = (header("x-run-id").unwrap(), header("x-conversation-id").unwrap());
        assert!(is_id(&run) && is_id(&conversation) && is_id(&header("x-request-id").unwrap()));
        assert_eq!(header("location"), Some(format!("/api/ada/runs/{run}/events")));
        assert_eq!(header("cache-control").as_deref(), Some("no-cache, no-transform"));
        assert_eq!(header("x-accel-buffering").as_deref(), Some("no"));
        assert_eq!(header("content-encoding"), None);
        assert_eq!(header("idempotent-replayed"), None);
        assert_eq!(app.read(&format!("/api/ada/runs/{run}")).await["conversation_id"], conversation.as_str());
    }

    async fn a_failed_run_is_a_problem_for_a_client_that_wants_json(place: Place) {
        let app = TestApp::start(&place).await;
        let table = [
            (ModelErrorKind::Upstream, 502, "model_upstream"),
            (ModelErrorKind::Auth, 502, "model_auth"),
            (ModelErrorKind::RateLimited, 502, "model_rate_limited"),
            (ModelErrorKind::Timeout, 504, "model_timeout"),
        ];
        for (kind, expected, named) in table {
            app.model.then([Step::Fail(kind)]);
            let response = app.chat("ada", &[("accept", "application/json")], json!({"message": "hi"})).await;
            let run = response.headers()["x-run-id"].to_str().unwrap().to_owned();
            let (status, code, body) = problem(response).await;
            assert_eq!((status, code.as_str()), (expected, named));
            assert_eq!(body["run_id"], run.as_str());
            let stored = app.read(&format!("/api/ada/runs/{run}")).await;
            assert_eq!((&stored["error"]["code"], &stored["status"]), (&json!(named), &json!("failed")));
            assert_eq!(stored["conversation_id"], body["conversation_id"]);
            assert!(!body.to_string().contains("sk-secret"), "{body}");
        }
    }
}
