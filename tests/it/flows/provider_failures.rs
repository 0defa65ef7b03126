//! Everything that a provider can do wrong, one line each: how the run ends, what the user reads, and how often the
//! provider was asked.

use std::time::Duration;

use parlor_db::on_both;
use serde_json::json;

use crate::support::{
    app::conversation_of,
    migrations,
    process::Process,
    provider::{Act, Answer, Provider, call, finish, said},
    stream::{data, names, text},
};

const TEMPORARY: &str = "AI service temporarily unavailable. Please try again.";
const BUSY: &str = "The AI service is busy. Please try again in a moment.";
const OPERATOR: &str = "AI service unavailable. Please contact whoever runs this service.";
const BROKEN: &str = "The answer broke off. Please try again.";
const LATE: &str = "The AI service did not answer in time. Please try again.";

/// Time for what was said to leave before the connection breaks.
const SENT: Act = Act::Pause(Duration::from_millis(50));

/// What the provider does each time, the code of the run, what the user reads, and how often the provider is asked.
type Line = (Answer, &'static str, &'static str, usize);

fn refusals() -> Vec<Line> {
    let quota = r#"{"error":{"message":"You exceeded your quota","type":"insufficient_quota","code":429}}"#;
    let array = r#"[{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","details":[{"retryDelay":"0.1s"}]}}]"#;
    vec![
        (
            Answer::error(401, r#"{"error":{"message":"no such key sk-canary-5f1e"}}"#),
            "model_auth",
            OPERATOR,
            1,
        ),
        (
            Answer::error(402, r#"{"error":{"message":"Insufficient credits","code":402}}"#),
            "model_quota",
            OPERATOR,
            1,
        ),
        (
            Answer::error(404, r#"{"error":{"message":"No endpoints found for x:free.","code":404}}"#),
            "model_not_found",
            OPERATOR,
            1,
        ),
        (Answer::error(404, "<!doctype html><title>Not Found</title>"), "model_not_found", OPERATOR, 1),
        (
            Answer::error(400, r#"{"error":"model does not support tools"}"#),
            "model_invalid_request",
            OPERATOR,
            1,
        ),
        (Answer::error(429, quota), "model_quota", OPERATOR, 1),
        (Answer::error(429, array), "model_rate_limited", BUSY, 3),
        (Answer::error(429, "{}").with("retry-after", "0"), "model_rate_limited", BUSY, 3),
        (Answer::error(429, "{}").with("retry-after", "3600"), "model_rate_limited", BUSY, 1),
        (Answer::error(429, "{}").with("retry-after-ms", "20"), "model_rate_limited", BUSY, 3),
        (
            Answer::error(429, "{}")
                .with("date", "Fri, 20 Nov 2026 07:00:00 GMT")
                .with("retry-after", "Fri, 20 Nov 2026 08:00:00 GMT"),
            "model_rate_limited",
            BUSY,
            1,
        ),
        (
            Answer::error(503, "{}")
                .with("date", "Fri, 20 Nov 2026 07:00:00 GMT")
                .with("retry-after", "Fri, 20 Nov 2026 07:00:00 GMT"),
            "model_upstream",
            TEMPORARY,
            3,
        ),
        (Answer::error(500, "sk-canary-5f1e").with("retry-after", "0"), "model_upstream", TEMPORARY, 3),
        (
            Answer::error(529, r#"{"object":"error","message":"overloaded"}"#).with("retry-after", "0"),
            "model_upstream",
            TEMPORARY,
            3,
        ),
        (Answer::error(200, "<!doctype html><title>Sign in</title>"), "model_malformed_reply", TEMPORARY, 2),
        (
            Answer::error(200, r#"{"error":{"message":"Provider returned error","code":402}}"#),
            "model_quota",
            OPERATOR,
            1,
        ),
        (
            Answer::error(302, "").with("location", "http://127.0.0.1:9/"),
            "model_invalid_request",
            OPERATOR,
            1,
        ),
    ]
}

fn breakdowns() -> Vec<Line> {
    let in_stream = |error: &str| format!("data: {{\"error\":{error}}}\n\n");
    let filtered = finish("content_filter");
    let half_a_call = call("add_task", &json!({"title": "milk"}));
    vec![
        (Answer::acts([Act::Break]), "model_upstream", TEMPORARY, 3),
        (Answer::acts([]), "model_stream_lost", BROKEN, 3),
        (Answer::acts([Act::Send(half_a_call.clone()), SENT, Act::Break]), "model_stream_lost", BROKEN, 1),
        (Answer::acts([Act::Send(half_a_call.clone())]), "model_stream_lost", BROKEN, 1),
        (Answer::acts([Act::Send(said("Half")), SENT, Act::Break]), "model_stream_lost", BROKEN, 1),
        (Answer::acts([Act::Send(said("Half"))]), "model_stream_lost", BROKEN, 1),
        (Answer::acts([Act::Send(said("Half")), Act::Send(half_a_call)]), "model_stream_lost", BROKEN, 1),
        (Answer::acts([Act::Hang]), "model_timeout", LATE, 1),
        (Answer::acts([Act::Send(said("Half")), Act::Hang]), "model_timeout", LATE, 1),
        (
            Answer::acts([Act::Send(in_stream(r#"{"code":502,"message":"sk-canary-5f1e"}"#))]),
            "model_upstream",
            TEMPORARY,
            3,
        ),
        (
            Answer::acts([Act::Send(said("Half")), Act::Send(in_stream(r#"{"code":502}"#))]),
            "model_upstream",
            TEMPORARY,
            1,
        ),
        (Answer::acts([Act::Send("data: no json\n\n".into())]), "model_malformed_reply", TEMPORARY, 2),
        (Answer::acts([Act::Send(finish("stop"))]), "model_malformed_reply", TEMPORARY, 2),
        (
            Answer::acts([Act::Send(filtered)]),
            "model_content_filtered",
            "The AI service declined to answer this.",
            1,
        ),
    ]
}

on_both! { migrations();
    async fn each_failure_has_its_code_its_sentence_and_its_number_of_calls(place: Place) {
        for (line, (answer, code, sentence, calls)) in refusals().into_iter().chain(breakdowns()).enumerate() {
            let provider = Provider::start().await;
            let limits = [("LLM_FIRST_TOKEN_TIMEOUT", "0.4"), ("LLM_IDLE_TIMEOUT", "0.4"), ("LLM_RETRIES", "2")];
            let service = Process::start(&place, &[&provider.settings()[..], &limits[..]].concat()).await;
            provider.otherwise(answer);
            let events = service.say("ada", "hi", None).await.rest().await;
            let end = data(&events, "run.failed");
            assert_eq!((&end["code"], &end["message"]), (&json!(code), &json!(sentence)), "line {line}");
            assert_eq!(provider.requests().len(), calls, "line {line}, {code}");
            let ended = service.terminate().await;
            assert!(!ended.log.contains("sk-canary-5f1e"), "line {line}: the key is in the log");
        }
    }

    async fn a_provider_that_recovers_in_time_is_heard_once(place: Place) {
        let provider = Provider::start().await;
        let service = Process::start(&place, &[&provider.settings()[..], &[("LLM_RETRIES", "2")]].concat()).await;
        let busy = Answer::error(429, "{}").with("retry-after", "0");
        provider.then(busy.clone()).then(busy).then(Answer::text(["Hello ", "there"]));
        let events = service.say("ada", "hi", None).await.rest().await;
        assert_eq!((text(&events).as_str(), provider.requests().len()), ("Hello there", 3));
    }

    async fn when_the_usual_provider_is_down_another_answers_and_users_are_told(place: Place) {
        let (down, up) = (Provider::start().await, Provider::start().await);
        down.otherwise(Answer::error(401, "{}"));
        up.otherwise(Answer::text(["Here I am."]));
        let settings = [
            ("OPENAI_API_KEY", "sk-one"),
            ("OPENAI_BASE_URL", &down.url),
            ("OPENAI_DEFAULT_MODEL", "gpt-4o-mini"),
            ("GROQ_API_KEY", "gsk-two"),
            ("GROQ_BASE_URL", &up.url),
            ("LLM_FALLBACKS", "groq/openai/gpt-oss-120b"),
        ];
        let service = Process::start(&place, &settings).await;
        let events = service.say("ada", "hi", None).await.rest().await;
        assert_eq!((text(&events).as_str(), &data(&events, "notice")["code"]), ("Here I am.", &json!("provider_fallback")));
        assert_eq!((down.keys(), up.keys()), (vec!["Bearer sk-one".into()], vec!["Bearer gsk-two".into()]));
        assert_eq!(up.requests()[0]["model"], "openai/gpt-oss-120b");
        let cost = &data(&events, "run.completed")["usage"]["cost_micros"];
        assert_eq!(cost, &json!(5), "11 tokens at 0.15 and 5 at 0.60 millionths of a dollar");
    }

    async fn what_a_stand_in_thinks_goes_back_to_it_and_who_names_the_usual_model_gets_no_stand_in(place: Place) {
        let (down, up) = (Provider::start().await, Provider::start().await);
        down.otherwise(Answer::error(401, "{}"));
        let thought = "data: {\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"They want milk.\"}}]}\n\n";
        let title = json!({"title": "milk"});
        up.then(Answer::acts([
            Act::Send(thought.into()),
            Act::Send(call("add_task", &title)),
            Act::Send(finish("stop")),
        ]));
        up.otherwise(Answer::text(["Added."]));
        let settings = [
            ("OPENAI_API_KEY", "sk-one"),
            ("OPENAI_BASE_URL", down.url.as_str()),
            ("OPENAI_DEFAULT_MODEL", "gpt-4o-mini"),
            ("LLM_BASE_URL", &up.url),
            ("LLM_FALLBACKS", "custom/llama3"),
        ];
        let service = Process::start(&place, &settings).await;
        let events = service.say("ada", "add milk", None).await.rest().await;
        service.say("ada", "thanks", Some(&conversation_of(&events))).await.rest().await;
        for request in &up.requests()[1..] {
            assert_eq!(request["messages"][2]["reasoning_content"], "They want milk.");
        }
        let named = json!({"message": "hi", "model": "gpt-4o-mini", "stream": false});
        assert_eq!(service.post("/api/ada/chat", named).await.unwrap().status(), 502);
        assert!(service.log().contains("model.provider=\"custom\" model.name=\"llama3\""));
    }

    async fn while_the_usual_model_rests_its_stand_in_answers_and_the_service_is_degraded(place: Place) {
        let (down, up) = (Provider::start().await, Provider::start().await);
        down.otherwise(Answer::error(503, "{}").with("retry-after", "3600"));
        up.otherwise(Answer::text(["Here I am."]));
        let settings = [
            ("OPENAI_API_KEY", "sk-one"),
            ("OPENAI_BASE_URL", down.url.as_str()),
            ("OPENAI_DEFAULT_MODEL", "gpt-4o-mini"),
            ("LLM_BASE_URL", &up.url),
            ("LLM_FALLBACKS", "custom/llama3"),
        ];
        let service = Process::start(&place, &settings).await;
        for _ in 0..22 {
            assert_eq!(text(&service.say("ada", "hi", None).await.rest().await), "Here I am.");
        }
        assert_eq!(down.requests().len(), 20, "two turns did not ask it any more");
        let ready = service.read("/health/ready").await;
        assert_eq!((&ready["status"], &ready["parts"]["model"]["status"]), (&json!("degraded"), &json!("down")));
    }

    async fn a_turn_is_replayed_though_its_model_has_a_successor_by_now(place: Place) {
        let provider = Provider::start().await;
        provider.then(Answer::error(404, "{}")).otherwise(Answer::text(["Hello"]));
        let service = Process::start(&place, &[("GROQ_API_KEY", "k"), ("GROQ_BASE_URL", &provider.url)]).await;
        let body = json!({"message": "hi", "model": "llama-3.3-70b-versatile", "stream": false});
        let first = service.keyed("/api/ada/chat", "once", body.clone()).await;
        assert_eq!((first.status().as_u16(), first.headers().get("idempotent-replayed")), (200, None));
        let again = service.keyed("/api/ada/chat", "once", body.clone()).await;
        assert_eq!((again.status().as_u16(), again.headers()["idempotent-replayed"].to_str().unwrap()), (200, "true"));
        assert_eq!(service.keyed("/api/ada/chat", "twice", body).await.status(), 200);
        assert_eq!(provider.requests().len(), 3);
        service.kill().await;
        let named = [("GROQ_API_KEY", "k"), ("GROQ_BASE_URL", &provider.url), ("GROQ_DEFAULT_MODEL", "other")];
        let service = Process::start(&place, &named).await;
        let known = json!({"message": "hi", "model": "llama-3.3-70b-versatile", "stream": false});
        assert_eq!(service.keyed("/api/ada/chat", "once", known.clone()).await.status(), 200);
        assert_eq!(service.keyed("/api/ada/chat", "new", known).await.status(), 422);
    }

    async fn a_request_may_name_a_model_of_the_list_and_no_other(place: Place) {
        let (usual, other) = (Provider::start().await, Provider::start().await);
        usual.otherwise(Answer::text(["usual"]));
        other.otherwise(Answer::text(["other"]));
        let settings = [
            ("OPENAI_API_KEY", "sk-one"),
            ("OPENAI_BASE_URL", usual.url.as_str()),
            ("OPENAI_DEFAULT_MODEL", "gpt-4o-mini"),
            ("LLM_BASE_URL", &other.url),
            ("LLM_ALLOWED_MODELS", "openai/o3-mini, custom/llama3"),
        ];
        let service = Process::start(&place, &settings).await;
        for (fields, answered, model) in [
            (json!({}), &usual, "gpt-4o-mini"),
            (json!({"model": "o3-mini"}), &usual, "o3-mini"),
            (json!({"provider": "custom"}), &other, "llama3"),
            (json!({"provider": "custom", "model": "llama3"}), &other, "llama3"),
        ] {
            let mut body = json!({"message": "hi", "stream": false});
            body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            assert_eq!(service.post("/api/ada/chat", body).await.unwrap().status(), 200);
            assert_eq!(answered.requests().last().unwrap()["model"], model);
        }
        for (field, fields) in [
            ("model", json!({"model": "gpt-4"})),
            ("model", json!({"provider": "openai", "model": "llama3"})),
            ("provider", json!({"provider": "groq"})),
        ] {
            let mut body = json!({"message": "hi"});
            body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            let refused = service.post("/api/ada/chat", body).await.unwrap();
            assert_eq!(refused.status(), 422);
            let problem: serde_json::Value = refused.json().await.unwrap();
            assert_eq!(problem["errors"][0]["field"], field);
        }
    }

    async fn a_model_that_keeps_failing_is_left_alone_and_turns_are_refused_without_a_trace(place: Place) {
        let provider = Provider::start().await;
        let service = Process::start(&place, &provider.settings()).await;
        provider.then(Answer::text(["Hello"]));
        let keyed = || service.keyed("/api/ada/chat", "once", json!({"message": "first", "stream": false}));
        assert_eq!(keyed().await.status(), 200);
        provider.otherwise(Answer::error(500, "{}"));
        for _ in 0..19 {
            service.say("ada", "hi", None).await.rest().await;
        }
        let asked = provider.requests().len();
        let refused = service.post("/api/ada/chat", json!({"message": "hi"})).await.unwrap();
        assert_eq!(refused.status(), 503);
        assert!((1..=16).contains(&refused.headers()["retry-after"].to_str().unwrap().parse::<u32>().unwrap()));
        let problem: serde_json::Value = refused.json().await.unwrap();
        assert_eq!((&problem["code"], &problem["detail"]), (&json!("model_unavailable"), &json!(TEMPORARY)));
        assert_eq!(provider.requests().len(), asked);
        let conversations = service.read("/api/ada/conversations?limit=100").await;
        assert_eq!(conversations["data"].as_array().unwrap().len(), 20);
        let ready = service.read("/health/ready").await;
        assert_eq!((&ready["status"], &ready["parts"]["model"]["status"]), (&json!("degraded"), &json!("down")));
        let replayed = keyed().await;
        assert_eq!((replayed.status().as_u16(), replayed.headers()["idempotent-replayed"].to_str().unwrap()), (200, "true"));
    }

    async fn a_parameter_that_the_model_refuses_is_left_out_from_then_on(place: Place) {
        let provider = Provider::start().await;
        let settings = [("OPENAI_API_KEY", "k"), ("OPENAI_BASE_URL", &provider.url), ("LLM_RETRIES", "0")];
        let service = Process::start(&place, &settings).await;
        let refusal = r#"{"error":{"message":"Unsupported parameter","param":"parallel_tool_calls","code":"unsupported_parameter"}}"#;
        provider.then(Answer::error(400, refusal)).otherwise(Answer::text(["Hello"]));
        for _ in 0..2 {
            assert_eq!(text(&service.say("ada", "hi", None).await.rest().await), "Hello");
        }
        let sent: Vec<bool> =
            provider.requests().iter().map(|request| request.get("parallel_tool_calls").is_some()).collect();
        assert_eq!(sent, [true, false, false]);
    }

    async fn what_a_model_thinks_is_told_only_if_it_was_asked_for_and_is_never_text(place: Place) {
        let thought = "data: {\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"They want milk.\"}}]}\n\n";
        for (setting, told) in [("false", 0), ("true", 1)] {
            let provider = Provider::start().await;
            let service =
                Process::start(&place, &[&provider.settings()[..], &[("REASONING_DELTAS", setting)]].concat()).await;
            let acts = [Act::Send(thought.into()), Act::Send(call("add_task", &json!({"title": "milk"}))), Act::Send(finish("stop"))];
            provider.then(Answer::acts(acts)).then(Answer::text(["Added."]));
            let events = service.say("ada", "add milk", None).await.rest().await;
            assert_eq!(names(&events).iter().filter(|name| **name == "reasoning.delta").count(), told);
            assert_eq!(text(&events), "Added.");
            assert_eq!(provider.requests()[1]["messages"][2]["reasoning_content"], "They want milk.");
            service.kill().await;
        }
    }
}
