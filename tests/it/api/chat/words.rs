//! What the model is told beside the message: instructions that never change, the time, and how to use tools.

use parlor::domain::{Item, ToolChoice};
use parlor_db::on_both;
use serde_json::json;

use crate::support::{
    app::{TestApp, conversation_of},
    migrations,
    script::{Asked, asks, says},
};

/// Returns what stands before the newest message of the user.
fn context(asked: &Asked) -> String {
    let newest = asked.history.iter().rev().find_map(|item| match item {
        Item::User(message) => Some(message.context.clone()),
        Item::Assistant(_) | Item::Tool(_) => None,
    });
    newest.unwrap()
}

on_both! { migrations();
    async fn the_tool_choice_binds_the_first_question_only(place: Place) {
        let app = TestApp::start(&place).await;
        for (word, choice) in [("required", ToolChoice::Required), ("auto", ToolChoice::Auto)] {
            let before = app.model.asked().len();
            app.model.then(asks([("list_tasks", json!({}))])).then(says(["Done."]));
            app.turn("ada", json!({"message": "hi", "tool_choice": word})).await.rest().await;
            let choices: Vec<_> = app.model.asked()[before..].iter().map(|asked| asked.tool_choice).collect();
            assert_eq!(choices, [choice, ToolChoice::Auto], "{word}");
        }
    }

    async fn instructions_stay_the_same_and_the_time_stands_with_the_message(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then(says(["Hello"])).then(says(["Again"]));
        let body = json!({"message": "hi", "timezone": "Asia/Tokyo", "metadata": {"locale": "ja"}});
        let conversation = conversation_of(&app.turn("ada", body).await.rest().await);
        app.say_in("ada", &conversation, "and now").await.rest().await;
        let asked = app.model.asked();
        assert_eq!(asked[0].instructions, asked[1].instructions);
        assert_eq!(asked[0].tools, asked[1].tools);
        assert_eq!(asked[0].history[0], asked[1].history[0], "the prefix stays, with the time that it had");
        assert!(context(&asked[0]).ends_with(", Asia/Tokyo; locale: ja]"), "{}", context(&asked[0]));
        assert!(context(&asked[1]).ends_with(", UTC]"), "{}", context(&asked[1]));
        for part in ["ada", "Tokyo", "20"] {
            assert!(!asked[0].instructions.contains(part), "{part}");
        }
    }

    async fn the_next_turn_tells_calls_and_answers_again(place: Place) {
        let app = TestApp::start(&place).await;
        app.model
            .then(asks([("add_task", json!({"title": "Milk"}))]))
            .then(says(["Added."]))
            .then(says(["Yes."]));
        let conversation = conversation_of(&app.ask("ada", "milk").await);
        app.say_in("ada", &conversation, "sure?").await.rest().await;
        let history = app.model.asked()[2].history.clone();
        let roles: Vec<&str> = history.iter().map(|item| item.role().as_str()).collect();
        assert_eq!(roles, ["user", "assistant", "tool", "assistant", "user"]);
        let Item::Assistant(reply) = &history[1] else { panic!("a reply") };
        assert_eq!(history[2].answers(), Some(reply.calls[0].id));
    }

    async fn the_model_is_never_told_who_asks(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then(asks([("add_task", json!({"title": "Milk"}))])).then(says(["Added."]));
        app.ask("user-7f3a", "milk").await;
        assert!(!format!("{:?}", app.model.asked()).contains("user-7f3a"));
    }
}
