//! The list of tasks: filtered, in a stable order, page by page.

use parlor_db::on_both;
use serde_json::{Value, json};

use super::added;
use crate::support::{app::TestApp, migrations};

fn numbers(page: &Value) -> Vec<i64> {
    page["data"].as_array().unwrap().iter().map(|task| task["number"].as_i64().unwrap()).collect()
}

on_both! { migrations();
    async fn filters_show_what_fits_all_of_them(place: Place) {
        let app = TestApp::start(&place).await;
        let tasks =
            [("Buy milk", "high"), ("Buy BREAD", "low"), ("100% wool_scarf", "high"), ("Call Zoë", "medium")];
        for (title, priority) in tasks {
            added(&app, "ada", json!({"title": title, "priority": priority, "description": "for Äpfel"}))
                .await;
        }
        app.patch("/api/ada/tasks/1", json!({"status": "completed"})).await;
        let table: [(&str, &[i64]); 14] = [
            ("", &[1, 2, 3, 4]),
            ("status=all", &[1, 2, 3, 4]),
            ("status=pending", &[2, 3, 4]),
            ("status=completed", &[1]),
            ("priority=high", &[1, 3]),
            ("priority=high&status=pending", &[3]),
            ("search=buy", &[1, 2]),
            ("search=bread", &[2]),
            ("search=100%25", &[3]),
            ("search=%25", &[3]),
            ("search=_", &[3]),
            ("search=apfel", &[]),
            ("search=for&priority=medium", &[4]),
            ("search=nothing", &[]),
        ];
        for (query, expected) in table {
            assert_eq!(numbers(&app.read(&format!("/api/ada/tasks?{query}")).await), expected, "{query}");
        }
    }

    async fn a_walk_over_all_pages_meets_each_task_once(place: Place) {
        let app = TestApp::start(&place).await;
        for at in 1..=23 {
            added(&app, "ada", json!({"title": format!("Number {at}")})).await;
        }
        app.delete("/api/ada/tasks/5").await;
        let (mut met, mut path) = (Vec::new(), "/api/ada/tasks?limit=4".to_owned());
        loop {
            let page = app.read(&path).await;
            met.extend(numbers(&page));
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            path = format!("/api/ada/tasks?limit=4&cursor={cursor}");
        }
        assert_eq!(met, (1..=23).filter(|number| *number != 5).collect::<Vec<_>>());
        assert_eq!(numbers(&app.read("/api/ada/tasks").await).len(), 20, "twenty is the default");
        let whole = app.read("/api/ada/tasks?limit=100").await;
        assert_eq!((numbers(&whole).len(), &whole["next_cursor"]), (22, &json!(null)));
    }

    async fn a_page_of_long_tasks_is_whole(place: Place) {
        let app = TestApp::start(&place).await;
        let long = "ñ😀".repeat(2_000);
        for at in 1..=40 {
            added(&app, "ada", json!({"title": format!("Number {at}"), "description": long})).await;
        }
        for query in ["", "?limit=40"] {
            let response = app.get(&format!("/api/ada/tasks{query}")).await;
            assert_eq!(response.status(), 200, "{query}");
            let page: Value = response.json().await.unwrap();
            assert!(page["data"].as_array().unwrap().iter().all(|task| task["description"] == long.as_str()));
        }
    }
}
