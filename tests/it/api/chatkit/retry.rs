//! Another answer, by the component and by the route; and what people think of answers.

use parlor_db::on_both;
use serde_json::{Value, json};

use crate::support::{
    app::{TestApp, conversation_of as conversation_of_run},
    migrations,
    script::{asks, says},
    threads::{Threads, conversation_of, done, kinds, thread_of},
};

fn texts(items: &[Value]) -> Vec<&str> {
    items.iter().filter_map(|item| item["content"][0]["text"].as_str()).collect()
}

on_both! { migrations();
    async fn a_retry_takes_back_what_followed_the_message_and_answers_it_anew(place: Place) {
        let app = TestApp::start(&place).await;
        let threads = Threads::of(&app, "ada");
        app.model.then(asks([("list_tasks", json!({}))])).then(says(["Old"])).then(says(["Older"]));
        let events = threads.create("hi").await;
        let (thread, message) = (thread_of(&events), done(&events)[0]["id"].clone());
        threads.add(&thread, "more").await;
        app.model.then(says(["New"]));
        let params = json!({"thread_id": thread, "item_id": message});
        let again = threads.stream("threads.retry_after_item", params).await;
        assert_eq!(kinds(&again)[..2], ["stream_options", "thread.item.added"]);
        let items = threads.items(&thread).await;
        assert_eq!(texts(&items), ["hi", "New"]);
        assert_eq!((&items[0]["id"], &items[1]), (&message, &done(&again)[0]));
        assert_eq!(app.model.asked().last().unwrap().history.len(), 1, "the model sees nothing of it either");
    }

    async fn a_retry_after_an_answer_is_for_the_message_before_it(place: Place) {
        let app = TestApp::start(&place).await;
        let threads = Threads::of(&app, "ada");
        app.model.then(says(["One"])).then(says(["Two"])).then(says(["Deux"]));
        let thread = thread_of(&threads.create("first").await);
        let second = threads.add(&thread, "second").await;
        let params = json!({"thread_id": thread, "item_id": done(&second)[1]["id"]});
        threads.stream("threads.retry_after_item", params).await;
        assert_eq!(texts(&threads.items(&thread).await), ["first", "One", "second", "Deux"]);
    }

    async fn a_retry_of_what_is_gone_says_so_and_changes_nothing(place: Place) {
        let app = TestApp::start(&place).await;
        let threads = Threads::of(&app, "ada");
        app.model.then(says(["One"]));
        let thread = thread_of(&threads.create("first").await);
        for gone in ["msg_ffffffff".to_owned(), format!("msg_{}", uuid::Uuid::now_v7().simple())] {
            let params = json!({"thread_id": thread, "item_id": gone});
            let events = threads.stream("threads.retry_after_item", params).await;
            assert_eq!(kinds(&events), ["error"]);
        }
        assert_eq!(texts(&threads.items(&thread).await), ["first", "One"]);
    }

    async fn the_route_regenerates_the_last_answer_and_the_run_can_be_followed_again(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then(says(["Old"])).then(says(["New"]));
        let events = app.ask("ada", "hi").await;
        let conversation = conversation_of_run(&events);
        let path = format!("/api/ada/conversations/{conversation}/retry");
        let answer: Value = app.post(&path, json!({"stream": false})).await.json().await.unwrap();
        assert_eq!((&answer["message"]["content"], &answer["conversation_id"]), (&json!("New"), &json!(conversation)));
        let shown: Vec<Value> =
            app.messages("ada", &conversation).await.iter().map(|message| message["content"].clone()).collect();
        assert_eq!(shown, ["hi", "New"]);
        let app = app.restart(&place).await;
        let run = answer["run_id"].as_str().unwrap();
        let told = app.get(&format!("/api/ada/runs/{run}/events")).await.text().await.unwrap();
        assert!(told.contains("event: run.created") && told.contains("New") && told.contains("run.completed"), "{told}");
    }

    async fn a_conversation_without_a_message_has_nothing_to_answer(place: Place) {
        let app = TestApp::start(&place).await;
        let made: Value = app.post("/api/ada/conversations", json!({})).await.json().await.unwrap();
        let path = format!("/api/ada/conversations/{}/retry", made["id"].as_str().unwrap());
        assert_eq!(app.post(&path, json!({})).await.status(), 404);
        assert_eq!(app.post(&path, json!({"message": "x"})).await.status(), 422);
        let read = app.read(&format!("/api/ada/conversations/{}", made["id"].as_str().unwrap())).await;
        assert_eq!(read["active_run_id"], Value::Null);
    }

    async fn feedback_is_kept_and_the_last_word_counts(place: Place) {
        let app = TestApp::start(&place).await;
        let threads = Threads::of(&app, "ada");
        app.model.then(asks([("list_tasks", json!({}))])).then(says(["Hello"]));
        let events = threads.create("hi").await;
        let (thread, items) = (thread_of(&events), done(&events));
        let ids: Vec<&Value> = items[1..].iter().map(|item| &item["id"]).collect();
        for kind in ["negative", "positive"] {
            let params = json!({"thread_id": thread, "item_ids": ids, "kind": kind});
            assert_eq!(threads.ask("items.feedback", params).await, json!({}));
        }
        let messages = app.messages("ada", &conversation_of(&thread)).await;
        assert_eq!(messages.last().unwrap()["feedback"], "positive");
        let params = json!({"thread_id": thread, "item_ids": [format!("msg_{}", uuid::Uuid::now_v7().simple())], "kind": "positive"});
        assert_eq!(threads.send("items.feedback", params).await.status(), 404);
        let params = json!({"thread_id": thread, "item_ids": ids, "kind": "so so"});
        assert_eq!(threads.send("items.feedback", params).await.status(), 422);
    }
}
