//! The ChatKit protocol, operation by operation, as the component uses it.

mod actions;
mod disconnect;
mod pages;
mod refusals;
mod retry;

use parlor_db::on_both;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    app::TestApp,
    migrations,
    script::{asks, says},
    threads::{Threads, conversation_of, done, kinds, thread_of},
};

on_both! { migrations();
    async fn a_thread_is_made_by_its_first_message_and_shown_again_under_the_same_ids(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then(asks([("add_task", json!({"title": "Milk"}))])).then(says(["Do", "ne."]));
        app.model.then(says(["Bye."]));
        let threads = Threads::of(&app, "ada");
        let events = threads.create("buy milk").await;
        assert_eq!(kinds(&events), [
            "thread.created", "thread.item.done", "stream_options", "thread.updated",
            "thread.item.added", "workflow.task.updated", "client_effect", "thread.item.done",
            "thread.item.added", "assistant_message.content_part.added",
            "assistant_message.content_part.text_delta", "assistant_message.content_part.done",
            "thread.item.done",
        ]);
        let thread = thread_of(&events);
        let more = threads.add(&thread, "thanks").await;
        assert_eq!(kinds(&more)[..3], ["thread.item.done", "stream_options", "thread.updated"]);
        assert_eq!(threads.items(&thread).await, [done(&events), done(&more)].concat());
        let titled = threads.ask("threads.get_by_id", json!({"thread_id": thread})).await;
        assert_eq!(titled["title"], "buy milk");
    }

    async fn a_conversation_is_a_thread_and_a_thread_a_conversation(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then(says(["Hello"])).then(says(["Again"]));
        let threads = Threads::of(&app, "ada");
        let thread = thread_of(&threads.create("hi").await);
        app.say_in("ada", &conversation_of(&thread), "and more").await.rest().await;
        let text = |item: &Value| item["content"][0]["text"].as_str().unwrap().to_owned();
        let shown: Vec<String> = threads.items(&thread).await.iter().map(text).collect();
        assert_eq!(shown, ["hi", "Hello", "and more", "Again"]);
        let listed = threads.ask("threads.list", json!({"limit": 9999, "order": "desc"})).await;
        assert_eq!((&listed["data"][0]["id"], &listed["has_more"]), (&json!(thread), &json!(false)));
        assert_eq!(listed["data"][0]["items"], json!({"data": [], "has_more": false}));
    }

    async fn a_thread_is_renamed_and_deleted(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then(says(["Hello"]));
        let threads = Threads::of(&app, "ada");
        let thread = thread_of(&threads.create("hi").await);
        let renamed = threads.ask("threads.update", json!({"thread_id": thread, "title": "Groceries"})).await;
        assert_eq!(renamed["title"], "Groceries");
        assert_eq!(threads.ask("threads.delete", json!({"thread_id": thread})).await, json!({}));
        let gone = threads.send("threads.get_by_id", json!({"thread_id": thread})).await;
        assert_eq!(gone.status(), 404);
    }

    async fn without_a_user_in_the_path_a_header_names_the_user(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then(says(["Hello"])).then(says(["Hello"]));
        let bare = Threads { app: &app, path: "/chatkit".into() };
        bare.create("hi").await;
        let body = json!({"type": "threads.list", "params": {}}).to_string();
        let ask = |user: Option<&'static str>| {
            let mut headers = vec![("content-type", "application/json")];
            headers.extend(user.map(|user| ("x-user-id", user)));
            let (app, body) = (&app, body.clone());
            async move { app.send(Method::POST, "/chatkit", &headers, body).await }
        };
        let count = |list: &Value| list["data"].as_array().unwrap().len();
        assert_eq!(count(&ask(None).await.json().await.unwrap()), 1);
        assert_eq!(count(&ask(Some("local")).await.json().await.unwrap()), 1);
        assert_eq!(count(&ask(Some("bob")).await.json().await.unwrap()), 0);
        assert_eq!(ask(Some("a b")).await.status(), 400);
        assert_eq!(count(&Threads::of(&app, "local").ask("threads.list", json!({})).await), 1);
    }

    async fn what_is_quoted_and_tagged_reaches_the_model(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then(says(["Hello"]));
        let input = json!({
            "content": [
                {"type": "input_text", "text": "look at "},
                {"type": "input_tag", "id": "1", "text": "Milk", "data": {}, "interactive": true},
            ],
            "quoted_text": "You have\n2 tasks", "new_field": 5,
        });
        let events = Threads::of(&app, "ada").stream("threads.create", json!({"input": input})).await;
        let said = "> You have\n> 2 tasks\n\nlook at Milk";
        assert_eq!(done(&events)[0]["content"][0]["text"], said);
        let asked = app.model.asked();
        assert!(format!("{:?}", asked[0].history).contains(&format!("{said:?}")));
    }
}
