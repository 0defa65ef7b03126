//! The log as a program reads it: whatever one id finds tells the whole story of a run.

use parlor_db::on_both;
use serde_json::{Value, json};

use crate::support::{
    app::{conversation_of, run_of},
    migrations,
    process::Process,
    provider::{Answer, Provider},
    stream::{Turn, data, names},
};

/// Finds a field of a line, in the line itself or in a span around it.
fn find<'a>(line: &'a Value, field: &str) -> Option<&'a str> {
    let spans = line["spans"].as_array().into_iter().flatten();
    let mut places = std::iter::once(line).chain(spans);
    places.find_map(|place| place.get(field)).and_then(Value::as_str)
}

on_both! { migrations();
    async fn one_id_finds_every_line_of_a_run_and_each_names_the_others(place: Place) {
        let provider = Provider::start().await;
        let settings = [&provider.settings()[..], &[("LOG_FORMAT", "json"), ("RUST_LOG", "debug")]].concat();
        let service = Process::start(&place, &settings).await;
        provider
            .then(Answer::call("add_task", &json!({"title": "milk"})))
            .then(Answer::error(500, "no"));
        let url = format!("{}/api/ada/chat", service.base);
        let request = reqwest::Client::new().post(url).header("x-request-id", "req-7");
        let mut turn = Turn::of(request.json(&json!({"message": "add milk"})).send().await.unwrap());
        let events = turn.rest().await;
        assert_eq!(names(&events).last(), Some(&"run.failed"));
        assert_eq!(data(&events, "tool.completed")["status"], "ok");
        service.say("bob", "hi", None).await.rest().await;
        let log = service.terminate().await.log;

        let (run, conversation) = (run_of(&events), conversation_of(&events));
        let found = |id: &str| -> Vec<Value> {
            let lines = log.lines().filter(|line| line.contains(id));
            lines.map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
        };
        let story = found(&run);
        let messages: Vec<&str> = story.iter().filter_map(|line| line["message"].as_str()).collect();
        for expected in ["request ended", "a tool call ended", "a model call failed", "run ended"] {
            assert!(messages.contains(&expected), "{expected} is not in {messages:?}");
        }
        for line in &story {
            let ids = ["request.id", "run.id", "user.id"].map(|field| find(line, field));
            assert_eq!(ids, [Some("req-7"), Some(run.as_str()), Some("ada")], "{line}");
            if line["message"] != "request ended" {
                assert_eq!(find(line, "conversation.id"), Some(conversation.as_str()), "{line}");
            }
        }
        assert!(found("req-7").len() >= story.len());
        assert_eq!(found(&conversation).len(), story.len() - 1, "all but the request's line");
    }
}
