//! Pages, as the component really turns them.

use parlor_db::on_both;
use serde_json::{Value, json};

use crate::support::{
    app::TestApp,
    migrations,
    script::{asks, says},
    threads::{Threads, thread_of},
};

/// Turns the pages of a list to its end, by the id of the last element, as the component does.
async fn walk(threads: &Threads<'_>, operation: &str, mut params: Value) -> Vec<String> {
    let mut ids = Vec::new();
    loop {
        let page = threads.ask(operation, params.clone()).await;
        let data = page["data"].as_array().unwrap();
        ids.extend(data.iter().map(|element| element["id"].as_str().unwrap().to_owned()));
        if page["has_more"] == false {
            return ids;
        }
        assert!(!data.is_empty(), "a page that is empty and has more is asked for again for ever");
        assert_eq!(page["after"], json!(ids.last().unwrap()));
        params["after"] = json!(ids.last().unwrap());
    }
}

on_both! { migrations();
    async fn items_come_in_both_directions_whatever_the_page_and_none_is_lost(place: Place) {
        let app = TestApp::start(&place).await;
        let threads = Threads::of(&app, "ada");
        app.model.then(says(["Hello"]));
        let thread = thread_of(&threads.create("hi").await);
        for _ in 0..3 {
            app.model.then(asks([("list_tasks", json!({}))])).then(asks([("list_tasks", json!({}))]));
            app.model.then(says(["There."]));
            threads.add(&thread, "show my tasks").await;
        }
        let whole: Vec<String> =
            threads.items(&thread).await.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(whole.len(), 2 + 3 * 4, "a message, a workflow, a list, an answer each time");
        for limit in [1, 2, 3, 5, 14, 9999] {
            let params = json!({"thread_id": thread, "limit": limit, "order": "asc"});
            assert_eq!(walk(&threads, "items.list", params).await, whole, "{limit}");
            let params = json!({"thread_id": thread, "limit": limit, "order": "desc"});
            let mut backwards = walk(&threads, "items.list", params).await;
            backwards.reverse();
            assert_eq!(backwards, whole, "{limit}");
        }
    }

    async fn a_long_thread_is_opened_from_its_oldest_item_and_paged_to_its_end(place: Place) {
        let app = TestApp::start(&place).await;
        let threads = Threads::of(&app, "ada");
        app.model.then(says(["0"]));
        let thread = thread_of(&threads.create("hi").await);
        for turn in 1..56 {
            app.model.then(vec![crate::support::script::Step::Say(turn.to_string())]);
            threads.add(&thread, "go on").await;
        }
        let opened = threads.ask("threads.get_by_id", json!({"thread_id": thread})).await;
        let first = opened["items"]["data"].as_array().unwrap();
        assert_eq!((first.len(), &opened["items"]["has_more"]), (100, &json!(true)));
        assert_eq!(first[0]["content"][0]["text"], "hi");
        let after = &first[99]["id"];
        let params = json!({"thread_id": thread, "limit": 9999, "order": "asc", "after": after});
        assert_eq!(walk(&threads, "items.list", params).await.len(), 12);
    }

    async fn threads_come_in_both_directions(place: Place) {
        let app = TestApp::start(&place).await;
        let threads = Threads::of(&app, "ada");
        let mut made = Vec::new();
        for _ in 0..5 {
            app.model.then(says(["Hello"]));
            made.push(thread_of(&threads.create("hi").await));
        }
        assert_eq!(walk(&threads, "threads.list", json!({"limit": 2, "order": "asc"})).await, made);
        made.reverse();
        assert_eq!(walk(&threads, "threads.list", json!({"limit": 2})).await, made);
        assert_eq!(walk(&threads, "threads.list", json!({"limit": 9999, "order": "desc"})).await, made);
        let none = Threads::of(&app, "bob").ask("threads.list", json!({"limit": 9999})).await;
        assert_eq!(none, json!({"data": [], "has_more": false}));
    }
}
