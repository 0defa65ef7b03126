//! What a turn costs, whatever becomes of it: calls that were given up or came to nothing are counted too.

use parlor_db::on_both;
use serde_json::{Value, json};

use crate::support::{
    app::run_of,
    eventually, migrations,
    process::Process,
    provider::{Act, Answer, Provider, said},
    stream::data,
};

/// The parts of a usage that these stories are about: calls, whether it is an estimate, input, output.
fn briefly(usage: &Value) -> (Value, Value, bool, Value) {
    let is_read = usage["input_tokens"].as_u64().unwrap() > 100;
    (usage["model_calls"].clone(), usage["estimated"].clone(), is_read, usage["output_tokens"].clone())
}

fn estimate(calls: u64, output: u64) -> (Value, Value, bool, Value) {
    (json!(calls), json!(true), true, json!(output))
}

on_both! { migrations();
    async fn a_turn_that_is_cancelled_counts_what_was_sent_and_what_was_said_until_then(place: Place) {
        let provider = Provider::start().await;
        let service = Process::start(&place, &provider.settings()).await;
        provider.then(Answer::acts([Act::Send(said("twelve bytes")), Act::Hang])).then(Answer::acts([Act::Hang]));
        let mut turn = service.say("ada", "hi", None).await;
        let created = turn.until("run.created").await;
        turn.until("message.delta").await;
        service.post(&format!("/api/ada/runs/{}/cancel", run_of(&[created])), json!(null)).await.unwrap();
        assert_eq!(briefly(&data(&turn.rest().await, "run.cancelled")["usage"]), estimate(1, 4));

        let mut turn = service.say("ada", "hi again", None).await;
        let created = turn.until("run.created").await;
        eventually("the provider is asked", || async { (provider.requests().len() == 2).then_some(()) }).await;
        let run = run_of(&[created]);
        service.post(&format!("/api/ada/runs/{run}/cancel"), json!(null)).await.unwrap();
        turn.rest().await;
        let stored = service.read(&format!("/api/ada/runs/{run}")).await;
        assert_eq!(briefly(&stored["usage"]), estimate(1, 0));
    }

    async fn a_turn_that_fails_counts_the_calls_that_the_provider_took_and_no_others(place: Place) {
        let provider = Provider::start().await;
        let limits = [("LLM_FIRST_TOKEN_TIMEOUT", "0.4"), ("LLM_RETRIES", "1")];
        let service = Process::start(&place, &[&provider.settings()[..], &limits[..]].concat()).await;
        let nothing = (json!(0), json!(false), false, json!(0));
        let lines = [
            (Answer::error(401, "{}"), nothing.clone()),
            (Answer::error(429, "{}").with("retry-after", "0"), nothing.clone()),
            (Answer::error(503, "{}"), nothing),
            (Answer::acts([Act::Hang]), estimate(1, 0)),
            (Answer::acts([]), estimate(2, 0)),
        ];
        for (line, (answer, expected)) in lines.into_iter().enumerate() {
            provider.otherwise(answer);
            let events = service.say("ada", "hi", None).await.rest().await;
            assert_eq!(briefly(&data(&events, "run.failed")["usage"]), expected, "line {line}");
        }
    }
}
