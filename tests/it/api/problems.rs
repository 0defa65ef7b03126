//! What every route has in common: who is let in, ids of requests, and refusals that give nothing away.

use parlor_db::{Db, on_both};
use reqwest::Method;
use sea_query::{Alias, Query};
use serde_json::json;

use crate::support::{
    app::{TestApp, conversation_of, problem},
    migrations,
    redact::is_id,
    script::says,
};

on_both! { migrations();
    async fn a_problem_has_the_shape_of_the_contract(place: Place) {
        let app = TestApp::start(&place).await;
        let response = app.send(Method::GET, "/nowhere", &[("x-request-id", "req-1")], "").await;
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        let (_, _, body) = problem(response).await;
        let expected = json!({
            "type": "urn:parlor:no_such_route", "title": "No such route", "status": 404,
            "detail": "there is no such route", "code": "no_such_route", "request_id": "req-1",
        });
        assert_eq!(body, expected);
        let (_, _, body) = problem(app.post("/api/ada/chat", json!({"message": 5})).await).await;
        assert_eq!(body["errors"], json!([{"field": "message", "message": "must be a string"}]));
    }

    async fn a_route_that_does_not_exist_is_a_problem(place: Place) {
        let app = TestApp::start(&place).await;
        for path in ["/nowhere", "/api", "/api/ada", "/api/ada/chat/", "/api/ada/chat/x", "/API/ada/chat", "/health"]
        {
            let (status, code, _) = problem(app.get(path).await).await;
            assert_eq!((status, code.as_str()), (404, "no_such_route"), "{path}");
        }
    }

    async fn a_method_that_a_route_does_not_take_is_refused_with_those_it_takes(place: Place) {
        let app = TestApp::start(&place).await;
        let table = [
            (Method::GET, "/api/ada/chat", "POST"),
            (Method::PUT, "/api/ada/conversations", "GET,HEAD,POST"),
            (Method::POST, "/api/ada/conversations/x", "GET,HEAD,PATCH,DELETE"),
            (Method::DELETE, "/api/ada/runs/x", "GET,HEAD"),
            (Method::GET, "/api/ada/runs/x/cancel", "POST"),
            (Method::POST, "/health/live", "GET,HEAD"),
        ];
        for (method, path, allowed) in table {
            let response = app.send(method, path, &[], "").await;
            assert_eq!(response.headers()["allow"], allowed, "{path}");
            let (status, code, _) = problem(response).await;
            assert_eq!((status, code.as_str()), (405, "method_not_allowed"), "{path}");
        }
    }

    async fn head_is_get_without_a_body(place: Place) {
        let app = TestApp::start(&place).await;
        for (path, status) in
            [("/health/ready", 200), ("/api/ada/conversations", 200), ("/api/ada/tasks/1", 404)]
        {
            let response = app.send(Method::HEAD, path, &[], "").await;
            assert_eq!(
                (response.status().as_u16(), response.bytes().await.unwrap().len()),
                (status, 0),
                "{path}"
            );
        }
    }

    async fn a_foreign_host_is_refused(place: Place) {
        let app = TestApp::start(&place).await;
        let refused = [
            "evil.example",
            "evil.example:8000",
            "localhost.evil.example",
            "192.0.2.1",
            "127.0.0.1@evil.example",
        ];
        for host in refused {
            for path in ["/health/live", "/api/ada/conversations", "/nowhere"] {
                let (status, code, _) =
                    problem(app.send(Method::GET, path, &[("host", host)], "").await).await;
                assert_eq!((status, code.as_str()), (421, "wrong_host"), "{host} {path}");
            }
        }
        for host in ["localhost", "LocalHost:1", "127.0.0.1:8000", "[::1]", "[::1]:8000"] {
            assert_eq!(
                app.send(Method::GET, "/health/live", &[("host", host)], "").await.status(),
                200,
                "{host}"
            );
        }
    }

    async fn a_foreign_origin_is_refused(place: Place) {
        let app = TestApp::start(&place).await;
        let refused = [
            "https://evil.example",
            "null",
            "http://localhost.evil.example",
            "http://127.0.0.1.evil.example",
            "",
        ];
        for origin in refused {
            let headers = [("origin", origin), ("content-type", "application/json")];
            let response = app.send(Method::POST, "/api/ada/chat", &headers, r#"{"message": "hi"}"#).await;
            let (status, code, _) = problem(response).await;
            assert_eq!((status, code.as_str()), (403, "forbidden"), "{origin:?}");
        }
        for origin in
            ["http://localhost:3000", "https://localhost", "http://127.0.0.1:5173", "http://[::1]:8000"]
        {
            let response = app.send(Method::GET, "/api/ada/tasks", &[("origin", origin)], "").await;
            assert_eq!(response.status(), 200, "{origin}");
        }
        assert!(app.model.asked().is_empty());
    }

    async fn other_hosts_and_origins_are_let_in_by_name(place: Place) {
        let settings = [("ALLOWED_HOSTS", "parlor.test"), ("CORS_ALLOWED_ORIGINS", "https://app.test")];
        let app = TestApp::start_with(&place, &settings).await;
        let table = [
            ("parlor.test", "https://app.test", 200),
            ("parlor.test", "https://app.test:444", 403),
            ("parlor.test", "http://app.test", 403),
            ("evil.example", "https://app.test", 421),
        ];
        for (host, origin, expected) in table {
            let headers = [("host", host), ("origin", origin)];
            let response = app.send(Method::GET, "/health/live", &headers, "").await;
            assert_eq!(response.status(), expected, "{host} {origin}");
        }
    }

    async fn what_is_broken_inside_is_an_internal_error_and_not_described(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then(says(["Hello"]));
        let conversation = conversation_of(&app.ask("ada", "hi").await);
        let db = Db::open(&place.url, 2);
        let spoil = Query::update().table(Alias::new("items")).value(Alias::new("body"), "no JSON").to_owned();
        let spoilt = db.write(move |tx| Box::pin(async move { tx.execute(&spoil).await })).await;
        assert_eq!(spoilt.unwrap(), 2);
        let (status, code, body) =
            problem(app.get(&format!("/api/ada/conversations/{conversation}/messages")).await).await;
        assert_eq!((status, code.as_str()), (500, "internal"));
        assert_eq!(body["detail"], "something went wrong on our side");
        assert_eq!(body.as_object().unwrap().len(), 6, "{body}");
    }

    async fn a_request_keeps_its_id_if_it_is_one(place: Place) {
        let app = TestApp::start(&place).await;
        let longest = "a".repeat(64);
        let id_of = async |sent: &str| {
            let response = app.send(Method::GET, "/health/live", &[("x-request-id", sent)], "").await;
            response.headers()["x-request-id"].to_str().unwrap().to_owned()
        };
        for id in ["req_1-A", "7", longest.as_str()] {
            assert_eq!(id_of(id).await, id);
        }
        let too_long = "a".repeat(65);
        for id in ["", "a b", "a;b", "ä", "<script>", too_long.as_str()] {
            assert!(is_id(&id_of(id).await), "{id:?}");
        }
        app.model.then(says(["Hello"]));
        let response = app.chat("ada", &[("x-request-id", "mine")], json!({"message": "hi"})).await;
        assert_eq!(response.headers()["x-request-id"], "mine");
    }

    async fn hostile_requests_are_refused_without_a_word_about_the_inside(place: Place) {
        let app = TestApp::start(&place).await;
        let paths = [
            "/api/ada/conversations?cursor='",
            "/api/ada/conversations/%00",
            "/api/ada/runs/..%2f..%2fetc",
            "/api/ada/tasks/1%20OR%201=1",
            "/api/%ff/tasks",
            "/api/ada/tasks?search=%ff",
            "/api/ada/tasks?limit=%",
            "/api/ada'--/tasks",
            "/api/ada/conversations?limit=1;DROP",
            "/%2e%2e/%2e%2e/etc/passwd",
        ];
        for path in paths {
            let response = app.get(path).await;
            assert!(response.status().is_client_error(), "{path}: {}", response.status());
            let (_, _, body) = problem(response).await;
            for word in ["panicked", ".rs:", "sqlx", "SELECT", "sqlite", "postgres", "stack", "parlor_"] {
                assert!(!body.to_string().contains(word), "{path}: {body}");
            }
        }
    }
}
