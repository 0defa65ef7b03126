//! `POST /api/{user_id}/chat`.

mod again;
mod busy;
mod format;
mod idempotency;
mod text;
mod validation;
mod words;

use parlor_db::on_both;
use serde_json::json;

use crate::support::{
    app::{TestApp, conversation_of},
    migrations,
    script::{asks, says},
    stream::{data, names, text},
};

on_both! { migrations();
    async fn a_turn_is_told_from_its_start_to_its_end(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then(says(["Hello", ", Ada."]));
        let events = app.ask("ada", "hi").await;
        assert_eq!(names(&events), ["run.created", "message.delta", "message.completed", "run.completed"]);
        assert_eq!(text(&events), "Hello, Ada.");
        assert_eq!(data(&events, "message.completed")["content"], "Hello, Ada.");
        let ids: Vec<i64> = events.iter().map(|event| event.id).collect();
        assert_eq!(ids, (1..=5).collect::<Vec<_>>());
        let messages = app.messages("ada", &conversation_of(&events)).await;
        assert_eq!(messages.len(), 2);
    }

    async fn calls_of_one_reply_run_one_after_another(place: Place) {
        let app = TestApp::start(&place).await;
        app.model
            .then(asks([("add_task", json!({"title": "milk"})), ("add_task", json!({"title": "bread"}))]))
            .then(says(["Done."]));
        let events = app.ask("ada", "add milk and bread").await;
        let expected = [
            "run.created",
            "tool.started",
            "tool.completed",
            "tool.started",
            "tool.completed",
            "message.delta",
            "message.completed",
            "run.completed",
        ];
        assert_eq!(names(&events), expected);
    }
}
