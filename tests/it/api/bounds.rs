//! What is too large or too deep before anybody knows what it is: refused, and the service goes on.

use parlor_db::on_both;
use reqwest::Method;
use serde_json::json;

use crate::support::{
    app::{TestApp, problem},
    migrations,
    script::{Step, says},
    stream::data,
};

const JSON: (&str, &str) = ("content-type", "application/json");

/// A list in a list in a list, so many times.
fn nested(depth: usize) -> String {
    format!("{}{}", "[".repeat(depth), "]".repeat(depth))
}

on_both! { migrations();
    async fn a_head_that_is_too_long_or_has_too_many_headers_is_refused(place: Place) {
        let app = TestApp::start(&place).await;
        let long = "x".repeat(17 * 1024);
        let names: Vec<String> = (0..70).map(|number| format!("x-pad-{number}")).collect();
        let many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
        for headers in [&[("x-pad", long.as_str())][..], &many] {
            assert_eq!(app.send(Method::GET, "/health/live", headers, "").await.status(), 431);
        }
        assert_eq!(app.send(Method::GET, "/health/live", &many[..50], "").await.status(), 200);
    }

    async fn json_that_is_too_deep_is_refused_wherever_it_comes_from(place: Place) {
        let app = TestApp::start(&place).await;
        for depth in [200, 100_000] {
            let body = format!(r#"{{"message": "hi", "metadata": {}}}"#, nested(depth));
            for path in ["/api/ada/chat", "/api/ada/tasks", "/api/ada/conversations"] {
                let answer = app.send(Method::POST, path, &[JSON], body.clone()).await;
                let (status, code, _) = problem(answer).await;
                assert_eq!((status, code.as_str()), (400, "malformed_json"), "{path} {depth}");
            }
        }
        let arguments = format!(r#"{{"title": {}}}"#, nested(20_000));
        app.model.then([Step::Ask("add_task", arguments)]).then(says(["Sorry."]));
        assert_eq!(data(&app.ask("ada", "deep").await, "tool.completed")["status"], "invalid");
        assert_eq!(app.read("/api/ada/tasks").await["data"], json!([]));
    }
}
