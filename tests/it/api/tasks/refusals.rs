//! What a task cannot be, and who is told what about it.

use parlor_db::on_both;
use serde_json::{Value, json};

use super::added;
use crate::support::{
    app::{TestApp, problem},
    migrations,
};

/// Returns the names of the fields that a 422 names.
async fn faults(response: reqwest::Response) -> Vec<String> {
    let status = response.status();
    let (_, code, body) = problem(response).await;
    assert_eq!((status.as_u16(), code.as_str()), (422, "invalid_request"), "{body}");
    body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["field"].as_str().unwrap().to_owned())
        .collect()
}

on_both! { migrations();
    async fn a_task_that_cannot_be_is_refused_and_the_field_named(place: Place) {
        let app = TestApp::start(&place).await;
        let (long_title, long_text) = ("ñ".repeat(201), "x".repeat(4_001));
        let table: [(Value, &[&str]); 14] = [
            (json!({}), &["title"]),
            (json!({"title": null}), &["title"]),
            (json!({"title": " "}), &["title"]),
            (json!({"title": 1}), &["title"]),
            (json!({"title": long_title}), &["title"]),
            (json!({"title": "a\0b"}), &["title"]),
            (json!({"title": "a\nb"}), &["title"]),
            (json!({"title": "a\u{1b}b"}), &["title"]),
            (json!({"title": "x", "description": long_text}), &["description"]),
            (json!({"title": "x", "description": "a\0b"}), &["description"]),
            (json!({"title": "x", "priority": "urgent"}), &["priority"]),
            (json!({"title": "x", "status": "completed"}), &["status"]),
            (json!({"title": "x", "user_id": "bob", "number": 7}), &["number", "user_id"]),
            (json!({"title": "", "priority": 1, "extra": 2}), &["title", "priority", "extra"]),
        ];
        for (body, expected) in table {
            assert_eq!(faults(app.post("/api/ada/tasks", body.clone()).await).await, expected, "{body}");
        }
        assert_eq!(app.read("/api/ada/tasks").await["data"], json!([]));
        let longest =
            added(&app, "ada", json!({"title": "ñ".repeat(200), "description": "ñ".repeat(4_000)})).await;
        assert_eq!((&longest["number"], &longest["priority"]), (&json!(1), &json!("medium")));
    }

    async fn a_change_that_cannot_be_is_refused_and_the_field_named(place: Place) {
        let app = TestApp::start(&place).await;
        let before = added(&app, "ada", json!({"title": "Milk"})).await;
        let table: [(Value, &str); 7] = [
            (json!({}), "body"),
            (json!({"title": null}), "body"),
            (json!({"title": ""}), "title"),
            (json!({"status": "done"}), "status"),
            (json!({"priority": "none"}), "priority"),
            (json!({"number": 2}), "number"),
            (json!([]), "body"),
        ];
        for (body, field) in table {
            assert_eq!(faults(app.patch("/api/ada/tasks/1", body.clone()).await).await, [field], "{body}");
        }
        assert_eq!(app.read("/api/ada/tasks/1").await, before);
    }

    async fn a_number_that_is_none_is_named(place: Place) {
        let app = TestApp::start(&place).await;
        for number in ["0", "-1", "x", "1.0", "99999999999999999999"] {
            let path = format!("/api/ada/tasks/{number}");
            assert_eq!(faults(app.get(&path).await).await, ["number"], "{number}");
            assert_eq!(faults(app.patch(&path, json!({"title": "x"})).await).await, ["number"], "{number}");
            assert_eq!(faults(app.delete(&path).await).await, ["number"], "{number}");
        }
    }

    async fn a_query_that_makes_no_sense_is_named(place: Place) {
        let app = TestApp::start(&place).await;
        let too_long = format!("search={}", "x".repeat(201));
        let table = [
            ("status=done", "status"),
            ("priority=urgent", "priority"),
            ("limit=0", "limit"),
            ("limit=101", "limit"),
            ("cursor=x", "cursor"),
            ("cursor=-1", "cursor"),
            (too_long.as_str(), "search"),
        ];
        for (query, field) in table {
            assert_eq!(faults(app.get(&format!("/api/ada/tasks?{query}")).await).await, [field], "{query}");
        }
    }
}
