//! How a turn ends when nothing fails: with one last word, whatever the model does.

use parlor_db::on_both;
use serde_json::{Value, json};

use crate::support::{
    app::{TestApp, conversation_of, run_of},
    migrations,
    script::{Step, asks, says},
    stream::{data, names, text},
};

fn lists() -> Vec<Step> {
    asks([("list_tasks", json!({}))])
}

on_both! { migrations();
    async fn a_model_that_never_stops_asking_gives_a_last_answer_without_tools(place: Place) {
        let app = TestApp::start_with(&place, &[("MAX_TURNS", "2")]).await;
        app.model.then(lists()).then(lists()).then(says(["That is all."]));
        let events = app.ask("ada", "loop").await;
        assert_eq!(data(&events, "notice")["code"], "max_turns_reached");
        assert_eq!((text(&events).as_str(), names(&events).last()), ("That is all.", Some(&"run.completed")));
        let tools: Vec<bool> = app.model.asked().iter().map(|asked| asked.tools.is_empty()).collect();
        assert_eq!(tools, [false, false, true]);
    }

    async fn a_model_that_asks_for_tools_even_then_gets_a_last_word(place: Place) {
        let app = TestApp::start_with(&place, &[("MAX_TURNS", "1")]).await;
        app.model.then(lists()).then(lists()).then(says(["Hello"]));
        let events = app.ask("ada", "loop").await;
        assert_eq!(names(&events).iter().filter(|name| **name == "tool.started").count(), 1);
        assert_eq!(text(&events), "I did what I could within the allowed number of steps.");
        assert_eq!(data(&events, "message.completed")["content"], text(&events));
        let again = app.say_in("ada", &conversation_of(&events), "hi").await.rest().await;
        assert_eq!(text(&again), "Hello");
        assert!(!app.model.asked()[2].tools.is_empty(), "the next message has its tools again");
    }

    async fn a_reply_that_ran_out_is_kept_as_incomplete_and_its_calls_are_not_run(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then([
            Step::Say("Once upon a".into()),
            Step::Ask("add_task", json!({"title": "Milk"}).to_string()),
            Step::RunOut,
        ]);
        let events = app.ask("ada", "tell").await;
        assert_eq!(
            names(&events),
            ["run.created", "message.delta", "notice", "message.completed", "run.completed"]
        );
        assert_eq!(data(&events, "notice")["code"], "reply_truncated");
        let end = data(&events, "message.completed");
        assert_eq!((&end["content"], &end["incomplete"]), (&json!("Once upon a"), &json!(true)));
        let stored = app.messages("ada", &conversation_of(&events)).await[1].clone();
        assert_eq!((&stored["incomplete"], &stored["tool_calls"]), (&json!(true), &json!([])));
        assert_eq!(app.read("/api/ada/tasks").await["data"], json!([]));
    }

    async fn a_reply_that_ran_out_before_its_first_word_says_so(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then([Step::RunOut]);
        let events = app.ask("ada", "tell").await;
        assert_eq!(text(&events), "(The reply was cut off before it began.)");
        assert_eq!(data(&events, "message.completed")["incomplete"], true);
    }

    async fn notices_stand_in_the_json_answer(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then([Step::Say("Once".into()), Step::RunOut]);
        let answer = app.chat_json("ada", json!({"message": "tell"})).await;
        assert_eq!(
            (&answer["status"], &answer["message"]["incomplete"]),
            (&json!("completed"), &json!(true))
        );
        let codes: Vec<&Value> =
            answer["notices"].as_array().unwrap().iter().map(|notice| &notice["code"]).collect();
        assert_eq!(codes, ["reply_truncated"]);
    }

    async fn usage_is_the_sum_of_what_the_provider_counted(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then(lists()).then(lists()).then(says(["Done."]));
        let events = app.ask("ada", "list").await;
        let expected = json!({
            "input_tokens": 21, "output_tokens": 9, "total_tokens": 30, "cached_input_tokens": 0,
            "reasoning_tokens": 0, "model_calls": 3, "estimated": false, "cost_micros": null,
        });
        assert_eq!(data(&events, "run.completed")["usage"], expected);
        assert_eq!(app.read(&format!("/api/ada/runs/{}", run_of(&events))).await["usage"], expected);
    }

    async fn words_before_a_call_are_a_message_of_their_own(place: Place) {
        let app = TestApp::start(&place).await;
        app.model
            .then([Step::Say("Let me see.".into()), Step::Ask("list_tasks", "{}".into())])
            .then(says(["Nothing to do."]));
        let events = app.ask("ada", "what is there?").await;
        let expected = [
            "run.created",
            "message.delta",
            "message.completed",
            "tool.started",
            "tool.completed",
            "message.delta",
            "message.completed",
            "run.completed",
        ];
        assert_eq!(names(&events), expected);
        let started = data(&events, "tool.started");
        assert_eq!(started["message_id"], data(&events, "message.completed")["message_id"]);
        let messages = app.messages("ada", &conversation_of(&events)).await;
        assert_eq!(messages[1]["tool_calls"][0]["call_id"], started["call_id"]);
        assert_eq!(
            (&messages[1]["content"], &messages[3]["content"]),
            (&json!("Let me see."), &json!("Nothing to do."))
        );
    }
}
