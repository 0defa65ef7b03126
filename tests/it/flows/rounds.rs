//! Fifty kills at random moments. What was acknowledged is there once, every run goes on to its end, no effect comes twice, and
//! the conversation goes on with a provider that refuses broken histories.

use std::time::Duration;

use parlor_db::on_both;
use reqwest::Client;
use serde_json::{Value, json};

use crate::support::{
    app::conversation_of,
    eventually, migrations,
    process::Process,
    provider::{Act, Answer, Provider, finish, said},
    random::Random,
    soon,
    stream::Turn,
};

const ROUNDS: usize = 50;

/// Answers as a model would that adds what it is told to, slowly.
fn answer(request: &Value) -> Answer {
    let last = request["messages"].as_array().unwrap().last().unwrap();
    let text = last["content"].as_str().unwrap_or_default();
    let pause = Act::Pause(Duration::from_millis(8));
    if last["role"] == "user" && text.contains("add ") {
        let title = text.rsplit_once("add ").unwrap().1;
        return Answer::call("add_task", &json!({"title": title}));
    }
    let pieces = ["It ", "is ", "done", "."].map(|piece| [Act::Send(said(piece)), pause.clone()]);
    let mut acts = pieces.concat();
    acts.push(Act::Send(finish("stop")));
    Answer::acts(acts)
}

/// Posts a turn and reads it until it ends or the service dies. Returns whether it was acknowledged.
async fn post(service: &Process, conversation: &str, message: &str) -> bool {
    let body = json!({"message": message, "conversation_id": conversation});
    let request =
        Client::new().post(format!("{}/api/ada/chat", service.base)).header("idempotency-key", message);
    let Ok(response) = soon("an answer or none", request.json(&body).send()).await else { return false };
    if response.status() != 200 {
        return false;
    }
    let _ = Turn::of(response).rest().await;
    true
}

async fn pages(service: &Process, path: &str) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = service.read(&format!("{path}?limit=100&cursor={cursor}")).await;
        all.extend(page["data"].as_array().unwrap().iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => return all,
        }
    }
}

on_both! { migrations();
    async fn whenever_it_is_killed_nothing_is_lost_and_nothing_done_twice(place: Place) {
        let mut random = Random::seeded("PARLOR_SEED");
        let provider = Provider::answering(answer).await;
        let mut service = Process::start(&place, &provider.settings()).await;
        let first = service.say("ada", "hello", None).await.rest().await;
        let conversation = conversation_of(&first);
        let mut acknowledged = vec!["hello".to_owned()];
        for round in 0..ROUNDS {
            let message = format!("add thing-{round}");
            let delay = Duration::from_millis(random.below(90));
            let is_acknowledged = tokio::select! {
                is_acknowledged = post(&service, &conversation, &message) => is_acknowledged,
                () = tokio::time::sleep(delay) => false,
            };
            service.kill().await;
            service = Process::start(&place, &provider.settings()).await;
            if is_acknowledged {
                acknowledged.push(message.clone());
            } else if random.below(2) == 0 {
                // The client tries again with its key: the turn runs now, or is told again.
                assert!(post(&service, &conversation, &message).await);
                acknowledged.push(message.clone());
            }
            let here = format!("/api/ada/conversations/{conversation}");
            eventually("what was cut short is finished", || async {
                service.read(&here).await["active_run_id"].is_null().then_some(())
            })
            .await;
        }
        let last = service.say("ada", "and now?", Some(&conversation)).await.rest().await;
        assert_eq!(last.last().unwrap().name, "run.completed", "{last:?}\n{}", service.log());
        let messages = pages(&service, &format!("/api/ada/conversations/{conversation}/messages")).await;
        for message in &acknowledged {
            let times = messages.iter().filter(|stored| stored["content"] == message.as_str()).count();
            assert_eq!(times, 1, "{message}");
        }
        let positions: Vec<i64> = messages.iter().map(|message| message["position"].as_i64().unwrap()).collect();
        assert_eq!(positions, (1..=i64::try_from(positions.len()).unwrap()).collect::<Vec<_>>());
        let mut titles: Vec<String> =
            pages(&service, "/api/ada/tasks").await.iter().map(|task| task["title"].to_string()).collect();
        let count = titles.len();
        titles.sort();
        titles.dedup();
        assert_eq!(titles.len(), count, "an effect came twice");
        let confirmed = messages.iter().filter(|message| message["status"] == "ok").count();
        assert_eq!(count, confirmed, "every call is confirmed, however often its run was cut short");
        let asked = messages.iter().filter(|message| message["role"] == "user").count();
        let answered = messages.iter().filter(|message| message["tool_calls"] == json!([])).count();
        assert_eq!(answered, asked, "every message is answered in the end");
    }
}
