//! Texts that mean something to a database, a shell, a template, a browser or a log. Here they mean themselves: each is
//! stored, found and shown as it was written, or refused by name, wherever it goes in.

use parlor_db::on_both;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    app::{TestApp, conversation_of},
    migrations,
    rows::rows_of,
    script::{asks, says},
    stream::data,
};

/// None holds a control character: those are refused in titles, which another test shows.
const TEXTS: [&str; 30] = [
    "'",
    "''",
    "\"",
    "`",
    "\\",
    "\\'",
    "%",
    "_",
    "!",
    "?",
    "$1",
    ":user_id",
    "--",
    "/*",
    "'; DROP TABLE tasks; --",
    "' OR '1'='1",
    "') OR user_id = 'bob' --",
    "1; UPDATE tasks SET user_id = 'ada' WHERE user_id = 'bob'",
    "' UNION SELECT title FROM tasks WHERE user_id = 'bob' --",
    "x'); ATTACH DATABASE 'parlor.db' AS other; --",
    "'||(SELECT pg_sleep(30))||'",
    "\u{2019} OR 1=1 \u{2014}",
    "\u{ff07} OR 1=1",
    "{{7*7}} ${7*7} #{7*7} %s %n {0}",
    "$(touch /tmp/x) `id` | cat",
    "../../etc/passwd",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "{\"dev.parlor/user-id\": \"bob\"}",
    "data: [DONE]",
    "\u{202e}gnirts a \u{200b}",
];

/// Writes a text so that it stands in a path or a query.
fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Adds a task, finds it again, and lets the model complete it by its title.
async fn as_a_task(app: &TestApp, text: &str) {
    let added = app.post("/api/ada/tasks", json!({"title": text, "description": text})).await;
    assert_eq!(added.status(), 201, "{text}");
    let added: Value = added.json().await.unwrap();
    assert_eq!((&added["title"], &added["description"]), (&json!(text), &json!(text)));
    let found = app.read(&format!("/api/ada/tasks?limit=100&search={}", escaped(text))).await;
    let titles: Vec<&str> =
        found["data"].as_array().unwrap().iter().map(|task| task["title"].as_str().unwrap()).collect();
    assert!(titles.contains(&text), "{text}: {titles:?}");
    assert!(titles.iter().all(|title| title.contains(text)), "{text}: {titles:?}");
    app.model.then(asks([("complete_task", json!({"title_contains": text}))])).then(says(["Done."]));
    let events = app.ask("ada", text).await;
    let result = &data(&events, "tool.completed")["result"];
    assert_eq!(
        (&result["task"]["number"], &result["task"]["status"]),
        (&added["number"], &json!("completed"))
    );
    assert_eq!(app.messages("ada", &conversation_of(&events)).await[0]["content"], text);
}

/// Gives the text to a conversation for its title, and to a turn for its key and its metadata.
async fn around_a_turn(app: &TestApp, text: &str) {
    let made = app.post("/api/ada/conversations", json!({"title": text})).await;
    assert_eq!(made.status(), 201, "{text}");
    let made: Value = made.json().await.unwrap();
    let read = app.read(&format!("/api/ada/conversations/{}", made["id"].as_str().unwrap())).await;
    assert_eq!(read["title"], text);
    let body = json!({"message": text, "metadata": {"page": text}});
    let is_key = text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    let key: &[(&str, &str)] = if is_key { &[("idempotency-key", text)] } else { &[] };
    app.model.then(says(["Hello."]));
    let first = app.chat("ada", key, body.clone()).await;
    assert_eq!(first.status(), 200, "{text}");
    let run = first.headers()["x-run-id"].clone();
    drop(first.bytes().await);
    if is_key {
        let again = app.chat("ada", key, body).await;
        assert_eq!((again.headers().get("x-run-id"), again.status().as_u16()), (Some(&run), 200), "{text}");
    }
}

on_both! { migrations();
    async fn every_text_is_only_text_wherever_it_is_taken(place: Place) {
        let app = TestApp::start(&place).await;
        app.post("/api/bob/tasks", json!({"title": "Bob's own"})).await;
        app.model.then(says(["Hello."]));
        app.ask("bob", "hi").await;
        let before = rows_of(&place, "bob").await;
        for text in TEXTS {
            as_a_task(&app, text).await;
            around_a_turn(&app, text).await;
        }
        assert_eq!(rows_of(&place, "bob").await, before);
        let page = app.read("/api/ada/tasks?limit=100").await;
        assert_eq!(page["data"].as_array().unwrap().len(), TEXTS.len(), "and nothing is gone");
    }

    async fn no_text_where_an_id_or_a_number_belongs_gets_further_than_the_door(place: Place) {
        let app = TestApp::start(&place).await;
        for text in TEXTS {
            let text = escaped(text);
            let paths = [
                format!("/api/{text}/tasks"),
                format!("/api/ada/tasks/{text}"),
                format!("/api/ada/runs/{text}"),
                format!("/api/ada/conversations/{text}/messages"),
                format!("/api/ada/conversations?cursor={text}"),
                format!("/api/ada/conversations?limit={text}"),
                format!("/api/ada/tasks?status={text}"),
                format!("/api/ada/tasks?cursor={text}"),
            ];
            for path in paths {
                assert_eq!(app.send(Method::GET, &path, &[], "").await.status(), 422, "{path}");
            }
        }
    }
}
