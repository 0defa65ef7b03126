//! The next turn of a long conversation, which works on what the last one left: the model is sent what it would be sent if all
//! of it were read anew.

use parlor_db::{
    on_both,
    testing::{Engine, Place},
};
use serde_json::{Value, json};

use crate::support::{
    app::conversation_of,
    migrations,
    process::Process,
    provider::{Answer, Provider},
    stream::{Turn, names, text},
};

/// What the service logs when it works on a history that the last turn left.
const WAS_KEPT: &str = "the history was kept";

async fn start(place: &Place, provider: &Provider) -> Process {
    let own = [("LOG_FORMAT", "json"), ("RUST_LOG", "info,parlor=debug")];
    Process::start(place, &[&provider.settings()[..], &own].concat()).await
}

/// Has a conversation that is long enough to be kept, with a call in it whose arguments are not easily written twice alike.
async fn converse(service: &Process, provider: &Provider) -> String {
    provider.otherwise(Answer::text(["Well, ", "\"yes\"\n\u{1f600}."]));
    let first = service.say("ada", &"long ".repeat(5_000), None).await.rest().await;
    let conversation = conversation_of(&first);
    let odd = json!({"title": "milk", "weight": 0.1_f64 + 0.2, "count": 1.0e300, "least": -4.9e-324});
    provider.then(Answer::call("add_task", &odd)).then(Answer::call("add_task", &json!({"title": "milk"})));
    say(service, &conversation, "add milk").await;
    say(service, &conversation, &"more ".repeat(1_000)).await;
    conversation
}

async fn say(service: &Process, conversation: &str, message: &str) {
    let events = service.say("ada", message, Some(conversation)).await.rest().await;
    assert_eq!(names(&events).last(), Some(&"run.completed"), "{events:?}");
}

/// Asks for another answer to the last message, which is read anew with all that stands before it.
async fn retry(service: &Process, conversation: &str) -> String {
    let path = format!("/api/ada/conversations/{conversation}/retry");
    let response = service.post(&path, json!({})).await.unwrap();
    assert_eq!(response.status(), 200);
    text(&Turn::of(response).rest().await)
}

fn newest(provider: &Provider) -> Value {
    provider.requests().pop().unwrap()
}

/// Counts the turns that worked on what the one before left.
fn kept(service: &Process) -> usize {
    service.log().matches(WAS_KEPT).count()
}

on_both! { migrations();
    async fn the_next_turn_sends_what_a_service_sends_that_has_just_started(place: Place) {
        let provider = Provider::start().await;
        let service = start(&place, &provider).await;
        let conversation = converse(&service, &provider).await;
        let before = kept(&service);
        say(&service, &conversation, "and now?").await;
        say(&service, &conversation, "and then?").await;
        assert_eq!(kept(&service), before + 2);
        let sent = newest(&provider);
        service.terminate().await;
        let service = start(&place, &provider).await;
        retry(&service, &conversation).await;
        assert_eq!(newest(&provider), sent);
        assert_eq!(kept(&service), 0);
    }

    async fn an_answer_that_was_taken_back_is_not_sent_again(place: Place) {
        let provider = Provider::start().await;
        let service = start(&place, &provider).await;
        let conversation = converse(&service, &provider).await;
        provider.then(Answer::text(["It was ", "an error."])).then(Answer::text(["It is right."]));
        say(&service, &conversation, "what is it?").await;
        assert_eq!(retry(&service, &conversation).await, "It is right.");
        let (before, asked) = (kept(&service), provider.requests().len());
        say(&service, &conversation, "and now?").await;
        let sent = newest(&provider).to_string();
        assert!(sent.contains("It is right.") && !sent.contains("an error."), "{sent}");
        assert_eq!((kept(&service), provider.requests().len()), (before + 1, asked + 1));
    }

    async fn a_turn_that_failed_is_in_what_the_next_one_sends(place: Place) {
        let provider = Provider::start().await;
        let service = start(&place, &provider).await;
        let conversation = converse(&service, &provider).await;
        provider.then(Answer::error(400, "{}"));
        service.say("ada", "this fails", Some(&conversation)).await.rest().await;
        let before = kept(&service);
        say(&service, &conversation, "and now?").await;
        let sent = newest(&provider)["messages"].as_array().unwrap().last().unwrap().to_string();
        assert!(sent.contains("this fails") && sent.contains("and now?"), "{sent}");
        assert_eq!(kept(&service), before);
    }

    async fn a_turn_that_another_service_took_is_in_what_the_next_one_sends(place: Place) {
        if place.engine == Engine::Sqlite {
            return; // a file has one service
        }
        let provider = Provider::start().await;
        let service = start(&place, &provider).await;
        let conversation = converse(&service, &provider).await;
        let other = start(&place, &provider).await;
        provider.then(Answer::text(["From elsewhere."]));
        say(&other, &conversation, "are you there?").await;
        let (before, asked) = (kept(&service), provider.requests().len());
        say(&service, &conversation, "and now?").await;
        let sent = newest(&provider).to_string();
        assert!(sent.contains("are you there?") && sent.contains("From elsewhere."), "{sent}");
        assert_eq!(provider.requests().len(), asked + 1, "nothing was asked in vain");
        assert_eq!(kept(&service), before);
    }

    async fn of_a_conversation_that_was_deleted_nothing_is_sent_and_of_one_of_somebody_else_neither(place: Place) {
        let provider = Provider::start().await;
        let service = start(&place, &provider).await;
        let conversation = converse(&service, &provider).await;
        let asked = provider.requests().len();
        let body = json!({"message": "and now?", "conversation_id": conversation});
        let foreign = service.post("/api/bob/chat", body.clone()).await.unwrap();
        let path = format!("{}/api/ada/conversations/{conversation}", service.base);
        let deleted = reqwest::Client::new().delete(path).send().await.unwrap();
        let gone = service.post("/api/ada/chat", body).await.unwrap();
        assert_eq!([foreign.status(), deleted.status(), gone.status()].map(|status| status.as_u16()), [404, 204, 404]);
        assert_eq!(provider.requests().len(), asked);
    }
}
