//! `/api/{user_id}/conversations/{id}/messages`: what was said, in its order.

use parlor_db::on_both;
use serde_json::{Value, json};

use crate::support::{
    app::{TestApp, conversation_of, problem},
    migrations,
    redact::redacted_json,
    script::{asks, says},
    stream::{Event, data},
};

/// Makes a conversation of three turns, the second with two calls: nine messages.
async fn talk(app: &TestApp) -> (String, Vec<Event>) {
    app.model
        .then(says(["One."]))
        .then(asks([("add_task", json!({"title": "Milk"})), ("add_task", json!({"title": "Bread"}))]))
        .then(says(["Two."]))
        .then(says(["Three."]));
    let conversation = conversation_of(&app.ask("ada", "first").await);
    let second = app.say_in("ada", &conversation, "second").await.rest().await;
    app.say_in("ada", &conversation, "third").await.rest().await;
    (format!("/api/ada/conversations/{conversation}/messages"), second)
}

fn positions(page: &Value) -> Vec<i64> {
    page["data"].as_array().unwrap().iter().map(|message| message["position"].as_i64().unwrap()).collect()
}

on_both! { migrations();
    async fn messages_have_the_shapes_of_the_contract(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then(asks([("list_tasks", json!({"limit": 1}))])).then(says(["Nothing."]));
        let conversation = conversation_of(&app.ask("ada", "hi").await);
        let page = app.read(&format!("/api/ada/conversations/{conversation}/messages")).await;
        insta::allow_duplicates! { insta::assert_snapshot!(redacted_json(&page), @r#"
        {
          "data": [
            {
              "content": "hi",
              "conversation_id": "<id 1>",
              "created_at": "<time>",
              "id": "<id 2>",
              "position": 1,
              "role": "user",
              "run_id": "<id 3>"
            },
            {
              "content": "",
              "conversation_id": "<id 1>",
              "created_at": "<time>",
              "feedback": null,
              "id": "<id 4>",
              "incomplete": false,
              "position": 2,
              "role": "assistant",
              "run_id": "<id 3>",
              "tool_calls": [
                {
                  "arguments": {
                    "limit": 1
                  },
                  "call_id": "<id 5>",
                  "name": "list_tasks",
                  "server": "tasks"
                }
              ]
            },
            {
              "call_id": "<id 5>",
              "content": "No tasks found.",
              "conversation_id": "<id 1>",
              "created_at": "<time>",
              "duration_ms":<ms>,
              "id": "<id 6>",
              "is_error": false,
              "name": "list_tasks",
              "position": 3,
              "result": {
                "next_after": null,
                "tasks": [],
                "total": 0
              },
              "role": "tool",
              "run_id": "<id 3>",
              "server": "tasks",
              "status": "ok",
              "truncated": false
            },
            {
              "content": "Nothing.",
              "conversation_id": "<id 1>",
              "created_at": "<time>",
              "feedback": null,
              "id": "<id 7>",
              "incomplete": false,
              "position": 4,
              "role": "assistant",
              "run_id": "<id 3>",
              "tool_calls": []
            }
          ],
          "next_cursor": null
        }
        "#); }
    }

    async fn messages_tell_what_the_stream_told(place: Place) {
        let app = TestApp::start(&place).await;
        let (path, events) = talk(&app).await;
        let page = app.read(&path).await;
        let stored: Vec<&Value> =
            page["data"].as_array().unwrap().iter().filter(|m| m["role"] == "tool").collect();
        let told: Vec<&Event> = events.iter().filter(|event| event.name == "tool.completed").collect();
        assert_eq!((stored.len(), told.len()), (2, 2));
        for (message, event) in stored.iter().zip(&told) {
            for field in
                ["call_id", "server", "name", "status", "is_error", "result", "truncated", "duration_ms"]
            {
                assert_eq!(message[field], event.data[field], "{field}");
            }
        }
        let last = &page["data"][6];
        let completed = data(&events, "message.completed");
        assert_eq!((&last["id"], &last["content"]), (&completed["message_id"], &completed["content"]));
        assert_eq!(page["data"][2]["id"], data(&events, "run.created")["user_message_id"]);
        assert_eq!(page["data"][3]["id"], told[0].data["message_id"]);
    }

    async fn positions_count_from_one_without_a_gap(place: Place) {
        let app = TestApp::start(&place).await;
        let (path, _) = talk(&app).await;
        assert_eq!(positions(&app.read(&path).await), (1..=9).collect::<Vec<_>>());
        assert_eq!(positions(&app.read(&format!("{path}?order=asc")).await), (1..=9).collect::<Vec<_>>());
        assert_eq!(
            positions(&app.read(&format!("{path}?order=desc")).await),
            (1..=9).rev().collect::<Vec<_>>()
        );
    }

    async fn roles_choose_what_is_shown(place: Place) {
        let app = TestApp::start(&place).await;
        let (path, _) = talk(&app).await;
        let table: [(&str, &[i64]); 5] = [
            ("user", &[1, 3, 8]),
            ("tool", &[5, 6]),
            ("user,assistant", &[1, 2, 3, 4, 7, 8, 9]),
            ("tool,user&order=desc", &[8, 6, 5, 3, 1]),
            ("", &[1, 2, 3, 4, 5, 6, 7, 8, 9]),
        ];
        for (roles, expected) in table {
            let shown = positions(&app.read(&format!("{path}?roles={roles}")).await);
            assert_eq!(shown, expected, "{roles}");
        }
    }

    async fn pages_in_both_directions_meet_each_message_once(place: Place) {
        let app = TestApp::start(&place).await;
        let (path, _) = talk(&app).await;
        for (order, expected) in [("asc", (1..=9).collect::<Vec<i64>>()), ("desc", (1..=9).rev().collect())] {
            let (mut met, mut query) = (Vec::new(), format!("?limit=3&order={order}"));
            loop {
                let page = app.read(&format!("{path}{query}")).await;
                met.extend(positions(&page));
                let Some(cursor) = page["next_cursor"].as_str() else { break };
                query = format!("?limit=3&order={order}&cursor={cursor}");
            }
            assert_eq!(met, expected, "{order}");
        }
    }

    async fn a_query_that_makes_no_sense_is_named(place: Place) {
        let app = TestApp::start(&place).await;
        let (path, _) = talk(&app).await;
        let table = [
            ("roles=system", "roles"),
            ("roles=user,,robot", "roles"),
            ("order=up", "order"),
            ("limit=0", "limit"),
            ("limit=101", "limit"),
            ("cursor=x", "cursor"),
            ("cursor=9999999999999999999999", "cursor"),
        ];
        for (query, field) in table {
            let (status, _, body) = problem(app.get(&format!("{path}?{query}")).await).await;
            assert_eq!((status, &body["errors"][0]["field"]), (422, &json!(field)), "{query}");
        }
    }
}
