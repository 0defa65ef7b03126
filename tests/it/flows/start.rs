//! Starting: what keeps the service from it, said so that the operator knows what to change.

use std::os::unix::fs::PermissionsExt;

use parlor_db::{on_both, testing::Place};

use crate::support::{
    migrations,
    process::{Process, command, run_to_end},
};

/// Starts a service that is expected to refuse, and returns its exit code and what it says.
async fn refusal(place: &Place, settings: &[(&str, &str)]) -> (Option<i32>, String) {
    let (ended, _) = run_to_end(command(place, settings)).await;
    (ended.code, ended.log)
}

on_both! { migrations();
    async fn every_fault_of_the_configuration_comes_in_one_list(place: Place) {
        let settings = [
            ("PORT", "abc"), ("LLM_PROVIDER", "gemini"), ("RUN_TIMEOUT", "-1"), ("MCP_SERVER_COMMAND", "/no/such/program"),
        ];
        let (code, said) = refusal(&place, &settings).await;
        assert_eq!(code, Some(2));
        for expected in
            ["PORT", "GEMINI_API_KEY required when LLM_PROVIDER=gemini", "RUN_TIMEOUT", "MCP_SERVER_COMMAND"]
        {
            assert!(said.contains(expected), "{expected} is not in:\n{said}");
        }
    }

    async fn a_provider_that_is_not_known_is_refused_by_name(place: Place) {
        let (code, said) = refusal(&place, &[("LLM_PROVIDER", "clippy")]).await;
        assert_eq!(code, Some(2));
        assert!(said.contains("LLM_PROVIDER") && said.contains("openrouter"), "{said}");
    }

    async fn a_key_with_a_newline_is_refused_without_showing_it(place: Place) {
        let settings = [("LLM_PROVIDER", "openai"), ("OPENAI_API_KEY", "sk-one\nsk-two")];
        let (code, said) = refusal(&place, &settings).await;
        assert_eq!(code, Some(2));
        assert!(said.contains("OPENAI_API_KEY") && !said.contains("sk-"), "{said}");
    }

    async fn a_port_in_use_is_named(place: Place) {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port().to_string();
        let (code, said) = refusal(&place, &[("PORT", &port)]).await;
        assert_eq!(code, Some(1));
        assert!(said.contains("PORT") && said.contains(&port), "{said}");
    }

    async fn no_authentication_is_for_this_machine_only(place: Place) {
        let (code, said) = refusal(&place, &[("HOST", "0.0.0.0")]).await;
        assert_eq!(code, Some(2));
        assert!(said.contains("ALLOW_INSECURE_NO_AUTH"), "{said}");
    }

    async fn check_shows_every_setting_and_no_secret(place: Place) {
        let secret = ("OPENAI_API_KEY", "sk-canary-5f1e");
        let mut check = command(&place, &[secret, ("LLM_PROVDER", "groq")]);
        check.args(["check", "--offline"]);
        let (ended, said) = run_to_end(check).await;
        assert_eq!(ended.code, Some(0));
        assert!(said.contains("OPENAI_API_KEY") && !said.contains("canary"), "{said}");
        assert!(said.contains("LLM_PROVDER"), "a name that nothing reads is told: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_service_on_the_same_file_is_refused() {
    let place = Place::fresh(parlor_db::testing::Engine::Sqlite, migrations()).await.unwrap();
    let first = Process::start(&place, &[]).await;
    let (code, said) = refusal(&place, &[]).await;
    assert_eq!(code, Some(1));
    assert!(said.contains("another service uses") && said.contains("test.db"), "{said}");
    assert_eq!(first.get("/health/ready").await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_cannot_be_used_is_named() {
    let place = Place::fresh(parlor_db::testing::Engine::Sqlite, migrations()).await.unwrap();
    let blocked = place.folder().join("blocked");
    std::fs::write(&blocked, "a file, no folder").unwrap();
    std::fs::set_permissions(&blocked, std::fs::Permissions::from_mode(0o444)).unwrap();
    let url = format!("sqlite://{}/parlor.db", blocked.display());
    let (code, said) = refusal(&place, &[("DATABASE_URL", &url)]).await;
    assert_eq!(code, Some(1));
    assert!(said.contains("blocked"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_down_is_waited_for_and_then_named() {
    let place = Place::fresh(parlor_db::testing::Engine::Sqlite, migrations()).await.unwrap();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://ada:sk-canary-5f1e@{}/parlor", closed.local_addr().unwrap());
    drop(closed);
    let started = std::time::Instant::now();
    let (code, said) = refusal(&place, &[("DATABASE_URL", &url), ("TASKS_DATABASE_URL", &url)]).await;
    assert_eq!(code, Some(1));
    assert!(said.contains("DATABASE_URL") && said.contains("refused") && !said.contains("canary"), "{said}");
    assert!(started.elapsed().as_secs() >= 9, "it was waited for");
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_programs_may_migrate_one_new_file_at_once() {
    let place = Place::fresh(parlor_db::testing::Engine::Sqlite, migrations()).await.unwrap();
    let url = format!("sqlite://{}", place.folder().join("new.db").display());
    let starts = (0..8).map(|_| {
        let mut migrate = command(&place, &[("DATABASE_URL", url.as_str())]);
        migrate.arg("migrate");
        run_to_end(migrate)
    });
    for (ended, _) in futures_util::future::join_all(starts).await {
        assert_eq!(ended.code, Some(0), "{}", ended.log);
    }
}
