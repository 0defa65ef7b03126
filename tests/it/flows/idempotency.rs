//! A retry never runs a turn twice: in parallel, after the end, and over a restart.

use std::collections::HashSet;

use parlor_db::on_both;
use reqwest::Client;
use serde_json::{Value, json};

use crate::support::{
    migrations,
    process::Process,
    provider::{Answer, Provider},
    soon,
    stream::{Event, Turn, text},
};

async fn post(http: &Client, service: &Process, key: &str, message: &str) -> (bool, Vec<Event>) {
    let request = http.post(format!("{}/api/ada/chat", service.base)).header("idempotency-key", key);
    let response = soon("an answer", request.json(&json!({"message": message})).send()).await.unwrap();
    assert_eq!(response.status(), 200);
    let is_replay = response.headers().get("idempotent-replayed").is_some_and(|value| value == "true");
    (is_replay, Turn::of(response).rest().await)
}

on_both! { migrations();
    async fn sixty_four_posts_with_one_key_make_one_run(place: Place) {
        let provider = Provider::start().await;
        let service = Process::start(&place, &provider.settings()).await;
        provider.then(Answer::call("add_task", &json!({"title": "milk"}))).then(Answer::text(["Added."]));
        // One client for all: making one takes so long that a connection made before would count as silent.
        let http = Client::new();
        let posts = (0..64).map(|_| post(&http, &service, "one-key", "add milk"));
        let answers = futures_util::future::join_all(posts).await;
        assert_eq!(answers.iter().filter(|(is_replay, _)| !is_replay).count(), 1);
        let transcripts: HashSet<String> = answers.iter().map(|(_, events)| format!("{events:?}")).collect();
        assert_eq!(transcripts.len(), 1);
        assert_eq!(provider.requests().len(), 2, "one for the call, one for the answer");
        let tasks: Value = service.read("/api/ada/tasks").await;
        assert_eq!(tasks["data"].as_array().unwrap().len(), 1);
    }

    async fn a_key_is_remembered_over_a_restart(place: Place) {
        let provider = Provider::start().await;
        let service = Process::start(&place, &provider.settings()).await;
        provider.then(Answer::text(["Hello."]));
        let (_, first) = post(&Client::new(), &service, "kept", "hi").await;
        service.kill().await;
        let service = Process::start(&place, &provider.settings()).await;
        let (is_replay, again) = post(&Client::new(), &service, "kept", "hi").await;
        assert!(is_replay);
        let told_again: Vec<&Event> = first.iter().filter(|event| event.name != "message.delta").collect();
        assert_eq!(again.iter().collect::<Vec<_>>(), told_again);
        assert_eq!((text(&again).as_str(), provider.requests().len()), ("", 1));
    }
}
