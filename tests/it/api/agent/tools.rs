//! Whatever the model asks of its tools, the turn goes on and nobody else is touched.

use parlor_db::on_both;
use serde_json::{Value, json};

use crate::support::{
    app::{TestApp, conversation_of},
    migrations,
    script::{Step, asks, says},
    stream::{Event, data, names, text},
};

/// A turn of one call that fails, and a last word.
const REFUSED: [&str; 5] =
    ["run.created", "tool.started", "tool.completed", "message.delta", "message.completed"];

/// Lists the ends of calls: status and result.
fn outcomes(events: &[Event]) -> Vec<(&Value, &Value)> {
    let ends = events.iter().filter(|event| event.name == "tool.completed");
    ends.map(|event| (&event.data["status"], &event.data["result"])).collect()
}

on_both! { migrations();
    async fn a_tool_that_does_not_exist_is_told_to_the_model(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then(asks([("drop_table", json!({}))])).then(says(["Sorry."]));
        let events = app.ask("ada", "drop it").await;
        assert_eq!(names(&events), [&REFUSED[..], &["run.completed"]].concat());
        let end = data(&events, "tool.completed");
        assert_eq!(
            (&end["status"], &end["is_error"], &end["server"]),
            (&json!("invalid"), &json!(true), &json!(""))
        );
        let expected = "There is no tool `drop_table`. Available tools: add_task, list_tasks, complete_task, \
                        delete_task, update_task, set_priority.";
        assert_eq!(end["result"], expected);
        let told = app.messages("ada", &conversation_of(&events)).await[2].clone();
        assert_eq!((&told["role"], &told["content"]), (&json!("tool"), &json!(expected)));
    }

    async fn arguments_that_are_no_json_object_are_told_to_the_model(place: Place) {
        let app = TestApp::start(&place).await;
        for arguments in [r#"{"title": "mi"#, "[1]", "\"milk\""] {
            app.model.then([Step::Ask("add_task", arguments.into())]).then(says(["Sorry."]));
            let events = app.ask("ada", "milk").await;
            assert_eq!(data(&events, "tool.started")["arguments"], json!({}));
            let sentence = "The arguments of `add_task` are not a JSON object. Send one JSON object.";
            assert_eq!(outcomes(&events), [(&json!("invalid"), &json!(sentence))]);
        }
        assert_eq!(app.read("/api/ada/tasks").await["data"], json!([]));
    }

    async fn the_model_may_correct_itself(place: Place) {
        let app = TestApp::start(&place).await;
        app.model
            .then(asks([
                ("add_task", json!({"name": "Milk"})),
                ("add_task", json!({"title": "Milk", "priority": "urgent"})),
            ]))
            .then(asks([("add_task", json!({"title": "a\0b"}))]))
            .then(asks([("add_task", json!({"title": "Milk", "priority": "high"}))]))
            .then(says(["Added."]));
        let events = app.ask("ada", "milk").await;
        let statuses: Vec<&Value> = outcomes(&events).into_iter().map(|(status, _)| status).collect();
        assert_eq!(statuses, ["invalid", "invalid", "invalid", "ok"]);
        assert!(outcomes(&events)[1].1.as_str().unwrap().contains("priority"));
        assert_eq!(app.read("/api/ada/tasks").await["data"][0]["title"], "Milk");
    }

    async fn a_model_that_cannot_correct_itself_in_two_replies_is_asked_for_words(place: Place) {
        let app = TestApp::start(&place).await;
        for _ in 0..3 {
            app.model.then(asks([("add_task", json!({"name": "Milk"}))]));
        }
        app.model.then(says(["I cannot add that."]));
        let events = app.ask("ada", "milk").await;
        assert_eq!(text(&events), "I cannot add that.");
        assert_eq!(data(&events, "notice")["code"], "max_turns_reached");
        let offered: Vec<bool> = app.model.asked().iter().map(|asked| !asked.tools.is_empty()).collect();
        assert_eq!(offered, [true, true, true, false]);
    }

    async fn a_user_id_from_the_model_is_refused_and_nobody_else_is_touched(place: Place) {
        let app = TestApp::start(&place).await;
        app.post("/api/bob/tasks", json!({"title": "Bob's own"})).await;
        let before = app.read("/api/bob/tasks").await;
        for name in ["user_id", "userId", "_meta", "dev.parlor/user-id"] {
            app.model
                .then(asks([
                    ("add_task", json!({"title": "For Bob", name: "bob"})),
                    ("delete_task", json!({"number": 1, name: "bob"})),
                    ("list_tasks", json!({name: "bob"})),
                ]))
                .then(says(["Sorry."]));
            let events = app.ask("ada", "be bob").await;
            let statuses: Vec<&Value> = outcomes(&events).into_iter().map(|(status, _)| status).collect();
            assert_eq!(statuses, ["invalid", "invalid", "invalid"], "{name}");
        }
        app.model
            .then(asks([("delete_task", json!({"number": 1})), ("list_tasks", json!({}))]))
            .then(says(["None."]));
        let events = app.ask("ada", "delete the first task").await;
        assert_eq!(outcomes(&events)[0].1["code"], "task_not_found");
        assert_eq!(outcomes(&events)[1].1["tasks"], json!([]));
        assert_eq!(app.read("/api/bob/tasks").await, before);
        assert_eq!(app.read("/api/ada/tasks").await["data"], json!([]));
    }

    async fn what_a_tool_refuses_is_told_and_the_turn_goes_on(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then(asks([("complete_task", json!({"number": 99}))])).then(says(["There is no task 99."]));
        let events = app.ask("ada", "99 is done").await;
        assert_eq!(names(&events), [&REFUSED[..], &["run.completed"]].concat());
        let (status, result) = outcomes(&events)[0];
        assert_eq!((status, &result["code"]), (&json!("error"), &json!("task_not_found")));
        let answer = app.model.asked()[1].history[2].clone();
        let parlor::domain::Item::Tool(answer) = answer else { panic!("a tool's answer") };
        assert!(answer.text.contains("99"), "{}", answer.text);
    }

    async fn injection_is_only_text(place: Place) {
        let app = TestApp::start(&place).await;
        let title = "'; DROP TABLE tasks; -- %s {0} \" <script>";
        app.model
            .then(asks([("add_task", json!({"title": title})), ("list_tasks", json!({"search": "%"}))]))
            .then(asks([
                ("complete_task", json!({"title_contains": "'; DROP"})),
                ("list_tasks", json!({"search": "_"})),
            ]))
            .then(says(["Done."]));
        let events = app.ask("ada", "add it").await;
        let found = outcomes(&events);
        assert_eq!(found[1].1["tasks"][0]["title"], title);
        assert_eq!((&found[2].1["task"]["status"], &found[3].1["tasks"]), (&json!("completed"), &json!([])));
    }

    async fn many_calls_of_one_reply_run_one_after_another_in_their_order(place: Place) {
        let app = TestApp::start(&place).await;
        let titles = ["a", "b", "c", "d", "e"];
        app.model.then(asks(titles.map(|title| ("add_task", json!({"title": title}))))).then(says(["Done."]));
        let events = app.ask("ada", "add five").await;
        let calls: Vec<&Event> = events.iter().filter(|event| event.name.starts_with("tool.")).collect();
        for (pair, title) in calls.chunks(2).zip(titles) {
            assert_eq!((pair[0].name.as_str(), pair[1].name.as_str()), ("tool.started", "tool.completed"));
            assert_eq!(pair[0].data["call_id"], pair[1].data["call_id"]);
            assert_eq!(
                (&pair[0].data["arguments"]["title"], &pair[1].data["result"]["task"]["title"]),
                (&json!(title), &json!(title))
            );
        }
        let numbers: Vec<i64> =
            outcomes(&events).iter().map(|(_, result)| result["task"]["number"].as_i64().unwrap()).collect();
        assert_eq!(numbers, [1, 2, 3, 4, 5]);
    }

    async fn a_list_that_is_too_long_comes_in_parts(place: Place) {
        let app = TestApp::start(&place).await;
        for at in 1..=10 {
            let body = json!({"title": format!("Number {at}"), "description": "😀".repeat(4_000)});
            assert_eq!(app.post("/api/ada/tasks", body).await.status(), 201);
        }
        app.model
            .then(asks([("list_tasks", json!({})), ("list_tasks", json!({"after": 3}))]))
            .then(says(["Many."]));
        let events = app.ask("ada", "list").await;
        for (result, first) in outcomes(&events).into_iter().map(|(_, result)| result).zip([1, 4]) {
            let numbers: Vec<i64> = result["tasks"]
                .as_array()
                .unwrap()
                .iter()
                .map(|task| task["number"].as_i64().unwrap())
                .collect();
            assert_eq!(numbers, [first, first + 1, first + 2], "a host keeps 64 KiB of a result");
            assert_eq!((&result["next_after"], &result["total"]), (&json!(first + 2), &json!(10)));
        }
        assert_eq!(data(&events, "tool.completed")["truncated"], false);
    }

    async fn a_model_that_was_told_to_call_nothing_calls_nothing(place: Place) {
        let app = TestApp::start(&place).await;
        let calls = [Step::Say("Done.".into()), Step::Ask("add_task", json!({"title": "milk"}).to_string())];
        app.model.then(calls);
        let events = app.turn("ada", json!({"message": "add milk", "tool_choice": "none"})).await.rest().await;
        assert_eq!(names(&events), ["run.created", "message.delta", "message.completed", "run.completed"]);
        assert_eq!(app.read("/api/ada/tasks").await["data"], json!([]));
    }

    async fn what_is_wrong_is_told_shortly_however_long_the_wrong_thing_is(place: Place) {
        let app = TestApp::start(&place).await;
        let long = "x".repeat(60_000);
        let name: &'static str = long.clone().leak();
        app.model
            .then(asks([
                ("add_task", json!({"title": long})),
                ("add_task", json!({name: 1})),
                (name, json!({})),
            ]))
            .then(says(["Sorry."]));
        let events = app.ask("ada", "add it").await;
        let told: Vec<&str> = outcomes(&events).iter().map(|(_, result)| result.as_str().unwrap()).collect();
        assert!(
            told.iter().all(|sentence| sentence.len() <= 2_000),
            "{:?}",
            told.iter().map(|s| s.len()).collect::<Vec<_>>()
        );
        assert!(told[0].contains("title: value is longer than 200 characters"), "{}", told[0]);
    }
}
