//! `/api/{user_id}/conversations`: made, read, renamed, listed and deleted by their owner.

mod deleting;
mod pages;

use parlor_db::on_both;
use serde_json::{Value, json};

use crate::support::{
    app::{TestApp, conversation_of, problem},
    migrations,
    redact::redacted_json,
    script::says,
};

const ABSENT: &str = "01a9c1e0-0000-7000-8000-000000000001";

async fn made(app: &TestApp, user: &str, body: Value) -> Value {
    let response = app.post(&format!("/api/{user}/conversations"), body).await;
    assert_eq!(response.status(), 201);
    response.json().await.unwrap()
}

fn path(user: &str, conversation: &Value) -> String {
    format!("/api/{user}/conversations/{}", conversation["id"].as_str().unwrap())
}

on_both! { migrations();
    async fn a_conversation_is_made_read_and_renamed(place: Place) {
        let app = TestApp::start(&place).await;
        let response = app.post("/api/ada/conversations", json!({"title": "  Shopping "})).await;
        assert_eq!(response.status(), 201);
        let location = response.headers()["location"].to_str().unwrap().to_owned();
        let conversation: Value = response.json().await.unwrap();
        assert_eq!(location, path("ada", &conversation));
        assert_eq!(app.read(&location).await, conversation);
        insta::allow_duplicates! { insta::assert_snapshot!(redacted_json(&conversation), @r#"
        {
          "active_run_id": null,
          "created_at": "<time>",
          "id": "<id 1>",
          "title": "Shopping",
          "updated_at": "<time>"
        }
        "#); }
        let renamed: Value =
            app.patch(&location, json!({"title": "Groceries 🥕"})).await.json().await.unwrap();
        assert_eq!(renamed["title"], "Groceries 🥕");
        assert_eq!(renamed["created_at"], conversation["created_at"]);
        assert!(renamed["updated_at"].as_str() >= conversation["updated_at"].as_str());
        assert_eq!(app.read(&location).await, renamed);
    }

    async fn a_conversation_needs_no_title(place: Place) {
        let app = TestApp::start(&place).await;
        for body in [json!({}), json!({"title": null})] {
            assert_eq!(made(&app, "ada", body).await["title"], json!(null));
        }
    }

    async fn a_title_that_is_none_is_refused(place: Place) {
        let app = TestApp::start(&place).await;
        let conversation = made(&app, "ada", json!({"title": "Kept"})).await;
        let too_long = "ñ".repeat(201);
        let bad =
            [json!(""), json!(" \n"), json!(too_long), json!("a\0b"), json!("a\nb"), json!(5), json!(["a"])];
        for title in bad {
            for response in [
                app.post("/api/ada/conversations", json!({"title": title})).await,
                app.patch(&path("ada", &conversation), json!({"title": title})).await,
            ] {
                let (status, _, body) = problem(response).await;
                let named: Vec<&Value> =
                    body["errors"].as_array().unwrap().iter().map(|e| &e["field"]).collect();
                assert_eq!((status, &named[0]), (422, &&json!("title")), "{title}");
            }
        }
        for body in [json!({}), json!({"title": null}), json!({"title": "x", "id": ABSENT})] {
            let (status, _, _) = problem(app.patch(&path("ada", &conversation), body).await).await;
            assert_eq!(status, 422);
        }
        assert_eq!(app.read(&path("ada", &conversation)).await, conversation);
        let longest = "ñ".repeat(200);
        assert_eq!(made(&app, "ada", json!({"title": longest})).await["title"], longest);
    }

    async fn the_automatic_title_is_the_first_line_of_the_first_message(place: Place) {
        let app = TestApp::start(&place).await;
        let long = "äöü ".repeat(30);
        let sixty: String = long.chars().take(60).collect();
        let table = [
            ("Buy milk\nand bread", "Buy milk"),
            ("\n\n  Hello  \nAda", "Hello"),
            (long.as_str(), sixty.trim_end()),
        ];
        for (message, title) in table {
            app.model.then(says(["Yes."])).then(says(["No."]));
            let conversation = conversation_of(&app.ask("ada", message).await);
            app.say_in("ada", &conversation, "another message").await.rest().await;
            assert_eq!(app.read(&format!("/api/ada/conversations/{conversation}")).await["title"], title);
        }
    }

    async fn the_automatic_title_never_replaces_a_given_one(place: Place) {
        let app = TestApp::start(&place).await;
        let named = made(&app, "ada", json!({"title": "Mine"})).await;
        let unnamed = made(&app, "ada", json!({})).await;
        for (conversation, title) in [(&named, "Mine"), (&unnamed, "Buy milk")] {
            app.model.then(says(["Yes."])).then(says(["No."]));
            let id = conversation["id"].as_str().unwrap();
            app.say_in("ada", id, "Buy milk").await.rest().await;
            assert_eq!(app.read(&path("ada", conversation)).await["title"], title);
            app.patch(&path("ada", conversation), json!({"title": "Renamed"})).await;
            app.say_in("ada", id, "Another line").await.rest().await;
            assert_eq!(app.read(&path("ada", conversation)).await["title"], "Renamed");
        }
    }

    async fn a_foreign_conversation_is_as_absent_as_one_that_never_was(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then(says(["Hello"]));
        let conversation = conversation_of(&app.ask("ada", "hi").await);
        let seen = async |id: &str| {
            let path = format!("/api/bob/conversations/{id}");
            let responses = [
                app.get(&path).await,
                app.patch(&path, json!({"title": "Bob's"})).await,
                app.delete(&path).await,
                app.get(&format!("{path}/messages")).await,
            ];
            let mut told = Vec::new();
            for response in responses {
                let (status, _, mut body) = problem(response).await;
                body["request_id"].take();
                told.push((status, body));
            }
            told
        };
        let foreign = seen(&conversation).await;
        assert!(foreign.iter().all(|(status, _)| *status == 404), "{foreign:?}");
        assert_eq!(foreign, seen(ABSENT).await);
        assert_eq!(app.read("/api/bob/conversations").await, json!({"data": [], "next_cursor": null}));
        assert_eq!(app.read(&format!("/api/ada/conversations/{conversation}")).await["title"], "hi");
    }

    async fn an_id_that_is_none_is_named(place: Place) {
        let app = TestApp::start(&place).await;
        for id in ["x", "1", &ABSENT.to_uppercase(), &ABSENT.replace('-', ""), "%00"] {
            for response in [
                app.get(&format!("/api/ada/conversations/{id}")).await,
                app.patch(&format!("/api/ada/conversations/{id}"), json!({"title": "x"})).await,
                app.delete(&format!("/api/ada/conversations/{id}")).await,
                app.get(&format!("/api/ada/conversations/{id}/messages")).await,
            ] {
                let (status, _, body) = problem(response).await;
                assert_eq!((status, &body["errors"][0]["field"]), (422, &json!("conversation_id")), "{id}");
            }
        }
    }
}
