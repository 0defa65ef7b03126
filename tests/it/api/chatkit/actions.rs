//! The list of tasks as a widget, and its button.

use parlor_db::on_both;
use serde_json::{Value, json};

use crate::support::{
    app::TestApp,
    migrations,
    script::{asks, says},
    threads::{Threads, done, kinds, thread_of},
};

/// Shows Ada's two tasks; returns the thread and the widget.
async fn shown(app: &TestApp) -> (String, Value) {
    for title in ["Milk", "Bread"] {
        assert_eq!(app.post("/api/ada/tasks", json!({"title": title})).await.status(), 201);
    }
    app.model.then(asks([("list_tasks", json!({"status": "all"}))])).then(says(["There."]));
    let events = Threads::of(app, "ada").create("show my tasks").await;
    let items = done(&events);
    assert_eq!(items[2]["type"], "widget");
    (thread_of(&events), items[2].clone())
}

/// Returns whether each row has a button.
fn buttons(widget: &Value) -> Vec<bool> {
    let rows = widget["widget"]["children"].as_array().unwrap();
    rows.iter()
        .map(|row| row["children"].as_array().unwrap().iter().any(|part| part["type"] == "Button"))
        .collect()
}

fn press(thread: &str, widget: &Value, number: i64) -> Value {
    let action = json!({"type": "task.complete", "payload": {"number": number}});
    json!({"thread_id": thread, "item_id": widget["id"], "action": action})
}

on_both! { migrations();
    async fn the_button_completes_the_task_and_the_list_shows_it_now_and_after_a_reload(place: Place) {
        let app = TestApp::start(&place).await;
        let (thread, widget) = shown(&app).await;
        assert_eq!(buttons(&widget), [true, true]);
        let threads = Threads::of(&app, "ada");
        let events = threads.stream("threads.custom_action", press(&thread, &widget, 2)).await;
        assert_eq!(kinds(&events), ["stream_options", "thread.item.replaced", "client_effect"]);
        let replaced = &events[1]["item"];
        assert_eq!((buttons(replaced), &replaced["id"]), (vec![true, false], &widget["id"]));
        assert_eq!(app.read("/api/ada/tasks/2").await["status"], "completed");
        assert_eq!(threads.items(&thread).await[2], *replaced);
        assert_eq!(app.model.asked().len(), 2, "no model is asked");
    }

    async fn the_button_can_be_answered_at_once(place: Place) {
        let app = TestApp::start(&place).await;
        let (thread, widget) = shown(&app).await;
        let answer = Threads::of(&app, "ada").ask("threads.sync_custom_action", press(&thread, &widget, 1)).await;
        assert_eq!(buttons(&answer["updated_item"]), [false, true]);
    }

    async fn a_button_that_does_nothing_says_why(place: Place) {
        let app = TestApp::start(&place).await;
        let (thread, widget) = shown(&app).await;
        let threads = Threads::of(&app, "ada");
        let mut other = press(&thread, &widget, 1);
        other["action"]["type"] = json!("task.sell");
        let mut nowhere = press(&thread, &widget, 1);
        nowhere["item_id"] = Value::Null;
        for params in [other, nowhere, press(&thread, &widget, 99)] {
            assert_eq!(kinds(&threads.stream("threads.custom_action", params.clone()).await), ["error"]);
            assert!(threads.send("threads.sync_custom_action", params).await.status().is_client_error());
        }
        assert_eq!(app.read("/api/ada/tasks/1").await["status"], "pending");
    }

    async fn nobody_presses_the_button_of_another(place: Place) {
        let app = TestApp::start(&place).await;
        let (thread, widget) = shown(&app).await;
        let bob = Threads::of(&app, "bob");
        assert_eq!(app.post("/api/bob/tasks", json!({"title": "Own"})).await.status(), 201);
        app.model.then(says(["Hello"]));
        let own = thread_of(&bob.create("hi").await);
        let foreign = bob.send("threads.custom_action", press(&thread, &widget, 1)).await;
        assert_eq!(foreign.status(), 404);
        assert_eq!(kinds(&bob.stream("threads.custom_action", press(&own, &widget, 1)).await), ["error"]);
        for user in ["ada", "bob"] {
            assert_eq!(app.read(&format!("/api/{user}/tasks/1")).await["status"], "pending");
        }
    }
}
