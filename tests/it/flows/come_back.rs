//! What a provider asks for with `Retry-After` reaches whoever asked us, once no call is left.

use parlor_db::on_both;
use serde_json::{Value, json};

use crate::support::{
    app::{problem, run_of},
    migrations,
    process::Process,
    provider::{Answer, Provider},
    stream::{Turn, data, text},
};

on_both! { migrations();
    async fn how_long_a_provider_wants_to_be_left_alone_is_told_with_the_failure(place: Place) {
        let provider = Provider::start().await;
        let service = Process::start(&place, &[&provider.settings()[..], &[("LLM_RETRIES", "2")]].concat()).await;
        for (status, name, asked, told) in [
            (429, "retry-after", "3600", json!(3600)),
            (503, "retry-after-ms", "29001", json!(30)),
            (429, "retry-after", "1000000000", json!(86_400)),
            (503, "x-nothing", "9", Value::Null),
        ] {
            provider.otherwise(Answer::error(status, "{}").with(name, asked));
            let events = service.say("ada", "hi", None).await.rest().await;
            assert_eq!(data(&events, "run.failed")["retry_after_seconds"], told, "{asked}");
            let response = service.post("/api/ada/chat", json!({"message": "hi", "stream": false})).await.unwrap();
            let header = response.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
            let (status, _, body) = problem(response).await;
            assert_eq!((status, &body["retry_after_seconds"]), (502, &told), "{asked}");
            assert_eq!(header, told.as_u64().map(|seconds| seconds.to_string()), "{asked}");
        }
    }

    async fn a_pause_that_people_notice_is_told_once_and_a_short_one_is_not(place: Place) {
        let provider = Provider::start().await;
        let service = Process::start(&place, &[&provider.settings()[..], &[("LLM_RETRIES", "2")]].concat()).await;
        for (pause, notices) in [("1100", vec!["model_retrying"]), ("10", vec![])] {
            let busy = Answer::error(429, "{}").with("retry-after-ms", pause);
            provider.then(busy.clone()).then(busy).then(Answer::text(["Hello"]));
            let events = service.say("ada", "hi", None).await.rest().await;
            let told = events.iter().filter(|event| event.name == "notice");
            let codes: Vec<&str> = told.map(|event| event.data["code"].as_str().unwrap()).collect();
            assert_eq!((text(&events).as_str(), codes), ("Hello", notices), "{pause} ms");
        }
    }

    async fn a_failure_that_is_told_from_storage_does_not_say_when_to_come_back(place: Place) {
        let provider = Provider::start().await;
        provider.otherwise(Answer::error(429, "{}").with("retry-after", "3600"));
        let service = Process::start(&place, &provider.settings()).await;
        let run = run_of(&service.say("ada", "hi", None).await.rest().await);
        let path = format!("/api/ada/runs/{run}/events");
        let live = Turn::of(service.get(&path).await).rest().await;
        assert_eq!(data(&live, "run.failed")["retry_after_seconds"], 3600);
        service.terminate().await;
        let service = Process::start(&place, &provider.settings()).await;
        let stored = Turn::of(service.get(&path).await).rest().await;
        assert_eq!(data(&stored, "run.failed").get("retry_after_seconds"), None);
    }
}
