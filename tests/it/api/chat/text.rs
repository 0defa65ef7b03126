//! What the model says arrives as it was said, whatever it is.

use parlor_db::on_both;
use serde_json::json;

use crate::support::{
    app::{TestApp, conversation_of},
    migrations,
    script::{Gate, Step, says},
    stream::{data, text},
};

/// Text that a careless frame would break.
const HOSTILE: [&str; 6] =
    ["\n\ndata: x", "\r\nevent: run.completed\r\n", "id: 99\n\n", "😀👩‍👩‍👧", "\u{2028}\u{85}\"\\", ": comment"];

on_both! { migrations();
    async fn no_text_can_break_the_stream(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then(says(HOSTILE));
        let events = app.ask("ada", "hi").await;
        assert_eq!(text(&events), HOSTILE.concat());
        assert_eq!(data(&events, "message.completed")["content"], HOSTILE.concat());
        let messages = app.messages("ada", &conversation_of(&events)).await;
        assert_eq!(messages[1]["content"], HOSTILE.concat());
    }

    async fn nul_in_a_reply_becomes_the_replacement_character(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then(says(["a\0b"]));
        let events = app.ask("ada", "hi").await;
        assert_eq!(text(&events), "a\u{fffd}b");
        let messages = app.messages("ada", &conversation_of(&events)).await;
        assert_eq!(messages[1]["content"], "a\u{fffd}b");
    }

    async fn a_message_comes_back_as_it_was_sent(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then(says(["Hello"]));
        let message = "  Zeile 1\r\nZeile 2\t\u{202e}bidi\u{200b} 😀 '; DROP TABLE items; -- \\u0000 ";
        let events = app.ask("ada", message).await;
        let messages = app.messages("ada", &conversation_of(&events)).await;
        assert_eq!(messages[0]["content"], message);
    }

    async fn a_delta_goes_out_while_the_model_is_still_speaking(place: Place) {
        let app = TestApp::start(&place).await;
        let gate = Gate::closed();
        app.model.then([Step::Say("One".into()), Step::Wait(gate.clone()), Step::Say(", two".into())]);
        let mut turn = app.say("ada", "count").await;
        assert_eq!(turn.until("message.delta").await.data["delta"], "One");
        gate.open();
        assert_eq!(turn.until("message.completed").await.data["content"], "One, two");
    }

    async fn a_bare_text_goes_out_while_the_model_is_still_speaking(place: Place) {
        let app = TestApp::start(&place).await;
        let gate = Gate::closed();
        app.model.then([Step::Say("One".into()), Step::Wait(gate.clone()), Step::Say(", two".into())]);
        let mut response = app.chat("ada", &[("accept", "text/plain")], json!({"message": "count"})).await;
        assert_eq!(response.chunk().await.unwrap().as_deref(), Some("One".as_bytes()));
        gate.open();
        assert_eq!(response.text().await.unwrap(), ", two");
    }
}
