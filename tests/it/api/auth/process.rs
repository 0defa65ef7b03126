//! The service as a process that asks for tokens: in production, and with `parlor token`.

use super::*;
use crate::support::process::{Ended, Process, command, run_to_end};

const TOKENS: [(&str, &str); 4] = [
    ("AUTH_MODE", "jwt"),
    ("JWT_SECRET", SECRET),
    ("JWT_ISSUER", "https://todo.example"),
    ("JWT_AUDIENCE", "https://todo.example"),
];

async fn token_command(place: &Place, settings: &[(&str, &str)], arguments: &[&str]) -> (Ended, String) {
    let mut command = command(place, settings);
    command.arg("token").args(arguments);
    run_to_end(command).await
}

on_both! { migrations();
    async fn production_starts_with_tokens_and_logs_neither_them_nor_their_secret(place: Place) {
        let more = [
            ("APP_ENV", "production"), ("HOST", "0.0.0.0"), ("LLM_PROVIDER", "demo"), ("RUST_LOG", "trace"),
        ];
        let service = Process::start(&place, &[&TOKENS[..], &more].concat()).await;
        let (ended, printed) = token_command(&place, &TOKENS, &["ada", "--minutes", "5"]).await;
        assert_eq!(ended.code, Some(0), "{}", ended.log);
        let good = printed.trim();
        let bad = token("ada");
        let client = reqwest::Client::new();
        for (token, expected) in [(good, 200), (bad.as_str(), 401)] {
            let request = client.get(format!("{}/api/ada/tasks", service.base)).bearer_auth(token);
            let request = request.header("host", "api.example.org");
            assert_eq!(request.send().await.unwrap().status(), expected);
        }
        let log = service.terminate().await.log;
        assert!(log.contains("the claim `iss` is missing"), "the reason is told");
        for secret in [SECRET, good, &bad] {
            assert!(!log.contains(secret), "{secret} was logged");
        }
    }

    async fn a_token_is_made_only_where_its_secret_is(place: Place) {
        let keys = [("AUTH_MODE", "jwt"), ("JWKS_URL", "https://id.example/keys")];
        let (ended, printed) = token_command(&place, &keys, &["ada"]).await;
        assert_eq!((ended.code, printed.as_str()), (Some(2), ""));
        assert!(ended.log.contains("JWKS_URL") && ended.log.contains("JWT_SECRET"), "{}", ended.log);
        let (ended, _) = token_command(&place, &[], &["ada"]).await;
        assert_eq!(ended.code, Some(2));
        assert!(ended.log.contains("AUTH_MODE=jwt"), "{}", ended.log);
        let (ended, printed) = token_command(&place, &TOKENS, &["a/b"]).await;
        assert_eq!((ended.code, printed.as_str()), (Some(1), ""));
        assert!(ended.log.contains("the user id must be"), "{}", ended.log);
    }
}
