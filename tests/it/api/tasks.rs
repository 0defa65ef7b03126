//! `/api/{user_id}/tasks`: the task list for clients that show one.

mod lists;
mod refusals;

use parlor_db::on_both;
use serde_json::{Value, json};

use crate::support::{
    app::{TestApp, problem},
    migrations,
    redact::redacted_json,
    script::{asks, says},
};

async fn added(app: &TestApp, user: &str, body: Value) -> Value {
    let response = app.post(&format!("/api/{user}/tasks"), body).await;
    assert_eq!(response.status(), 201);
    response.json().await.unwrap()
}

on_both! { migrations();
    async fn a_task_is_added_read_changed_and_deleted(place: Place) {
        let app = TestApp::start(&place).await;
        let body = json!({"title": "Milk", "description": "oat, 2 l", "priority": "high"});
        let response = app.post("/api/ada/tasks", body).await;
        assert_eq!(response.status(), 201);
        assert_eq!(response.headers()["location"], "/api/ada/tasks/1");
        let task: Value = response.json().await.unwrap();
        insta::allow_duplicates! { insta::assert_snapshot!(redacted_json(&task), @r#"
        {
          "completed_at": null,
          "created_at": "<time>",
          "description": "oat, 2 l",
          "number": 1,
          "priority": "high",
          "status": "pending",
          "title": "Milk",
          "updated_at": "<time>"
        }
        "#); }
        assert_eq!(app.read("/api/ada/tasks/1").await, task);
        let response = app.patch("/api/ada/tasks/1", json!({"title": "Bread", "status": "completed"})).await;
        assert_eq!(response.status(), 200);
        let changed: Value = response.json().await.unwrap();
        let (title, status) = (&changed["title"], &changed["status"]);
        assert_eq!(
            (title, status, &changed["priority"]),
            (&json!("Bread"), &json!("completed"), &json!("high"))
        );
        assert!(changed["completed_at"].is_string());
        assert_eq!(app.read("/api/ada/tasks/1").await, changed);
        let response = app.delete("/api/ada/tasks/1").await;
        assert_eq!((response.status().as_u16(), response.bytes().await.unwrap().len()), (204, 0));
        let (status, code, _) = problem(app.get("/api/ada/tasks/1").await).await;
        assert_eq!((status, code.as_str()), (404, "not_found"));
    }

    async fn a_task_can_be_opened_again_and_lose_its_description(place: Place) {
        let app = TestApp::start(&place).await;
        added(&app, "ada", json!({"title": "Milk", "description": "oat"})).await;
        app.patch("/api/ada/tasks/1", json!({"status": "completed"})).await;
        let body = json!({"status": "pending", "description": ""});
        let task: Value = app.patch("/api/ada/tasks/1", body).await.json().await.unwrap();
        let expected = [&json!("pending"), &json!(null), &json!(null)];
        assert_eq!([&task["status"], &task["completed_at"], &task["description"]], expected);
    }

    async fn each_user_has_their_own_numbers_and_none_is_used_again(place: Place) {
        let app = TestApp::start(&place).await;
        for (user, number) in [("ada", 1), ("ada", 2), ("bob", 1), ("ada", 3)] {
            assert_eq!(added(&app, user, json!({"title": "x"})).await["number"], number, "{user}");
        }
        assert_eq!(app.delete("/api/ada/tasks/3").await.status(), 204);
        assert_eq!(added(&app, "ada", json!({"title": "x"})).await["number"], 4);
    }

    async fn a_foreign_task_is_as_absent_as_one_that_never_was(place: Place) {
        let app = TestApp::start(&place).await;
        added(&app, "ada", json!({"title": "Ada's"})).await;
        added(&app, "ada", json!({"title": "Ada's too"})).await;
        let before = app.read("/api/ada/tasks").await;
        added(&app, "bob", json!({"title": "Bob's"})).await;
        let seen = async |number: i64| {
            let path = format!("/api/bob/tasks/{number}");
            let mut told: Vec<(u16, Value)> = Vec::new();
            for response in
                [app.get(&path).await, app.patch(&path, json!({"title": "x"})).await, app.delete(&path).await]
            {
                let (status, _, mut body) = problem(response).await;
                body["request_id"].take();
                told.push((status, body));
            }
            told
        };
        let absent = seen(i64::MAX).await;
        assert!(absent.iter().all(|(status, _)| *status == 404), "{absent:?}");
        assert_eq!(seen(2).await, absent);
        assert_eq!(app.read("/api/ada/tasks").await, before);
    }

    async fn the_list_shows_what_the_chat_did_and_the_chat_what_the_list_did(place: Place) {
        let app = TestApp::start(&place).await;
        added(&app, "ada", json!({"title": "Milk"})).await;
        app.model
            .then(asks([
                ("add_task", json!({"title": "Bread", "priority": "low"})),
                ("complete_task", json!({"title_contains": "milk"})),
                ("set_priority", json!({"number": 1, "priority": "high"})),
                ("list_tasks", json!({})),
            ]))
            .then(says(["Done."]));
        let answer = app.chat_json("ada", json!({"message": "tidy up"})).await;
        let listed = app.read("/api/ada/tasks").await;
        assert_eq!(answer["tool_calls"][3]["result"]["tasks"].as_array().unwrap().len(), 2);
        let shown: Vec<_> = listed["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|task| (&task["title"], &task["status"], &task["priority"]))
            .collect();
        let word = |text: &str| json!(text);
        assert_eq!(
            shown,
            [
                (&word("Milk"), &word("completed"), &word("high")),
                (&word("Bread"), &word("pending"), &word("low")),
            ]
        );
    }
}
