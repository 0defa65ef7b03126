//! `parlor check`: whether all that the settings name is there, and nothing is changed by looking.

use std::{collections::BTreeSet, ffi::OsString, time::Instant};

use axum::{Router, routing::get};
use parlor_db::{
    on_both,
    testing::{Engine, Place},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{
    migrations,
    process::{command, run_to_end},
    provider::Provider,
};

const KEY: &str = "sk-canary-5f1e";

/// Runs the check and returns its exit code and what it found, one line per finding. No key is ever shown.
async fn check(place: &Place, settings: &[(&str, &str)]) -> (Option<i32>, Vec<String>) {
    let mut check = command(place, settings);
    check.arg("check");
    let (ended, said) = run_to_end(check).await;
    assert!(!said.contains("canary") && !ended.log.contains("canary"), "{said}\n{}", ended.log);
    let is_finding = |line: &&str| ["ok ", "warning ", "failed "].iter().any(|word| line.starts_with(word));
    (
        ended.code,
        said.lines()
            .filter(is_finding)
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect(),
    )
}

/// Finds the line of a subject.
fn about<'a>(found: &'a [String], subject: &str) -> &'a str {
    let line =
        found.iter().find(|line| line.split_once(' ').is_some_and(|(_, rest)| rest.starts_with(subject)));
    line.unwrap_or_else(|| panic!("nothing about {subject} in {found:?}"))
}

fn files(place: &Place) -> BTreeSet<OsString> {
    std::fs::read_dir(place.folder()).unwrap().map(|entry| entry.unwrap().file_name()).collect()
}

/// Publishes something as the keys of an identity provider.
async fn publishing(keys: Value) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/keys", listener.local_addr().unwrap());
    let router = Router::new().route("/keys", get(move || std::future::ready(keys.to_string())));
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// Returns an address at which nobody listens.
fn nobody() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

on_both! { migrations();
    async fn all_that_is_there_is_named_and_nothing_is_touched(place: Place) {
        let provider = Provider::start().await;
        provider.lists(200, &json!({"data": [{"id": "other"}, {"id": "scripted"}]}));
        let before = files(&place);
        let (code, found) = check(&place, &provider.settings()).await;
        assert_eq!(code, Some(0), "{found:?}");
        assert_eq!(about(&found, "database"), format!("ok database {} is current", place.url));
        let tasks = match place.engine {
            Engine::Sqlite => "will be created",
            Engine::Postgres => "is current",
        };
        assert_eq!(about(&found, "tasks"), format!("ok tasks {} {tasks}", place.url.beside("tasks.db")));
        assert_eq!(
            about(&found, "tool server"),
            "ok tool server `tasks` has 6 tools: add_task, list_tasks, complete_task, delete_task, update_task, set_priority"
        );
        assert_eq!(about(&found, "provider"), "ok provider custom lists scripted");
        assert_eq!((found.len(), provider.keys()), (4, vec![format!("Bearer {KEY}")]));
        assert!(provider.requests().is_empty(), "no model was asked");
        assert_eq!(files(&place), before);
    }

    async fn a_key_that_is_refused_is_named_and_what_the_provider_says_of_it_is_not_shown(place: Place) {
        let provider = Provider::start().await;
        for status in [401, 403] {
            provider.lists(status, &json!({"error": {"message": format!("no such key {KEY}")}}));
            let (code, found) = check(&place, &provider.settings()).await;
            let line = about(&found, "provider");
            assert!(line.starts_with("failed provider LLM_API_KEY: custom: it refuses the key"), "{line}");
            assert_eq!(code, Some(1));
        }
        let hosted = [("LLM_PROVIDER", "groq"), ("GROQ_API_KEY", KEY), ("GROQ_BASE_URL", provider.url.as_str())];
        let (_, found) = check(&place, &hosted).await;
        assert!(about(&found, "provider").contains("GROQ_API_KEY"), "{found:?}");
    }

    async fn a_model_that_is_not_listed_or_will_be_shut_down_is_a_warning(place: Place) {
        let provider = Provider::start().await;
        for (list, expected) in [
            (json!([{"id": "other"}]), "warning provider custom answers, but does not list scripted; see LLM_MODEL"),
            (
                json!([{"id": "scripted", "shutdown_date": "2027-01-14"}]),
                "warning provider custom shuts scripted down on 2027-01-14; see LLM_MODEL",
            ),
        ] {
            provider.lists(200, &json!({"data": list}));
            let (code, found) = check(&place, &provider.settings()).await;
            assert_eq!((code, about(&found, "provider")), (Some(0), expected));
        }
        let groq = [("LLM_PROVIDER", "groq"), ("GROQ_API_KEY", KEY), ("GROQ_BASE_URL", provider.url.as_str())];
        provider.lists(200, &json!({"data": [{"id": "openai/gpt-oss-120b"}]}));
        let (_, found) = check(&place, &groq).await;
        assert_eq!(about(&found, "provider"), "ok provider groq lists openai/gpt-oss-120b", "the successor counts");
    }

    async fn who_only_stands_in_may_be_away(place: Place) {
        let (provider, nobody) = (Provider::start().await, format!("http://{}/v1", nobody()));
        provider.lists(200, &json!({"data": [{"id": "scripted"}, {"id": "other"}]}));
        let more = [
            ("GROQ_API_KEY", KEY), ("GROQ_BASE_URL", nobody.as_str()), ("LLM_FALLBACKS", "groq/one"),
            ("LLM_ALLOWED_MODELS", "custom/other"),
        ];
        let (code, found) = check(&place, &[&provider.settings()[..], &more].concat()).await;
        assert_eq!(about(&found, "provider"), "ok provider custom lists scripted");
        assert_eq!(about(&found, "allowed"), "ok allowed custom lists other");
        let line = about(&found, "fallback");
        assert!(line.starts_with("warning fallback GROQ_BASE_URL: groq: it cannot be reached"), "{line}");
        assert_eq!(code, Some(0));
    }

    async fn what_is_no_provider_is_not_taken_for_one(place: Place) {
        let provider = Provider::start().await;
        let nobody = format!("http://{}/v1", nobody());
        provider.lists(200, &json!("<html>"));
        let elsewhere = [&provider.settings()[..], &[("LLM_BASE_URL", nobody.as_str())]].concat();
        for settings in [&provider.settings()[..], &elsewhere] {
            let (code, found) = check(&place, settings).await;
            let line = about(&found, "provider");
            assert!(line.starts_with("failed provider LLM_BASE_URL: custom: it"), "{line}");
            assert_eq!(code, Some(1));
        }
    }

    async fn a_tool_server_that_does_not_work_is_named(place: Place) {
        let (code, found) = check(&place, &[("MCP_SERVER_COMMAND", "false")]).await;
        let line = about(&found, "tool server");
        assert!(line.starts_with("failed tool server MCP_SERVER_COMMAND: `tasks`:"), "{line}");
        assert_eq!(code, Some(1));
    }

    async fn keys_of_tokens_are_asked_for_where_they_are_published(place: Place) {
        let key = json!({"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
        let (some, none) = (publishing(json!({"keys": [key]})).await, publishing(json!({"keys": []})).await);
        for (url, expected, code) in [
            (some, "ok keys JWKS_URL holds keys that can be used: 1", 0),
            (none, "failed keys the set at JWKS_URL holds no key that can be used", 1),
            (format!("http://{}/keys", nobody()), "failed keys the host of JWKS_URL cannot be reached", 1),
        ] {
            let (ended, found) = check(&place, &[("AUTH_MODE", "jwt"), ("JWKS_URL", &url)]).await;
            assert!(about(&found, "keys").starts_with(expected), "{found:?}");
            assert_eq!(ended, Some(code));
        }
    }

    async fn offline_nothing_is_reached_out_to(place: Place) {
        let (provider, nobody) = (Provider::start().await, format!("postgres://ada@{}/none", nobody()));
        let database = [("DATABASE_URL", nobody.as_str()), ("TASKS_DATABASE_URL", nobody.as_str())];
        let mut check = command(&place, &[&provider.settings()[..], &database].concat());
        check.args(["check", "--offline"]);
        let (ended, said) = run_to_end(check).await;
        assert_eq!((ended.code, provider.keys().len()), (Some(0), 0), "{said}");
        assert!(said.contains("LLM_API_KEY") && !said.contains("failed"), "{said}");
    }
}

on_both! { Vec::new();
    async fn a_database_that_a_start_would_make_stays_unmade(place: Place) {
        let expected = match place.engine {
            Engine::Sqlite => "will be created",
            Engine::Postgres => "holds nothing of ours; the tables will be made",
        };
        for _ in 0..2 {
            let (code, found) = check(&place, &[]).await;
            assert_eq!(code, Some(0), "{found:?}");
            for subject in ["database", "tasks"] {
                assert!(about(&found, subject).ends_with(expected), "{found:?}");
            }
            assert_eq!(files(&place), BTreeSet::new());
        }
    }

    async fn a_database_that_cannot_be_had_is_named_and_its_password_is_not_shown(place: Place) {
        let postgres = format!("postgres://ada:pw-canary@{}/parlor", nobody());
        for url in [postgres.as_str(), "sqlite:///proc/none/parlor.db", "sqlite:///usr"] {
            let (code, found) = check(&place, &[("DATABASE_URL", url)]).await;
            let line = about(&found, "database");
            assert!(line.starts_with("failed database DATABASE_URL: "), "{line}");
            assert_eq!(code, Some(1));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_never_answers_is_waited_for_all_at_once_and_not_for_long() {
    let place = Place::fresh(Engine::Sqlite, migrations()).await.unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/keys", silent.local_addr().unwrap());
    let provider = Provider::start().await;
    let more = [("AUTH_MODE", "jwt"), ("JWKS_URL", url.as_str()), ("MCP_SERVER_COMMAND", "sleep 60")];
    let began = Instant::now();
    let (code, found) = check(&place, &[&provider.settings()[..], &more].concat()).await;
    let failed = found.iter().filter(|line| line.starts_with("failed")).count();
    assert_eq!((code, failed), (Some(1), 3), "{found:?}");
    assert!(began.elapsed().as_secs() < 14, "{:?}", began.elapsed());
}
