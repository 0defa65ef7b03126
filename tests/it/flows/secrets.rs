//! Secrets: a key, a password and what a provider says of them are in no log at the chattiest level, no answer and no
//! database file. Message text and tool arguments are in no log either.

mod tokens;

use parlor_db::{on_both, testing::Place};
use serde_json::json;

use crate::support::{
    migrations,
    process::{Process, children},
    provider::{Answer, Provider},
    stream::names,
};

const KEY: &str = "sk-canary-5f1e";
const PASSWORD: &str = "pw-canary-77a0";
const TEXT: &str = "text-canary-c3d9";

on_both! { migrations();
    async fn no_secret_and_no_message_is_ever_logged_or_told(place: Place) {
        let provider = Provider::start().await;
        let database = place.url.expose().replace("://postgres@", &format!("://postgres:{PASSWORD}@"));
        let more = [("RUST_LOG", "trace"), ("DATABASE_URL", database.as_str()), ("TASKS_DATABASE_URL", database.as_str())];
        let more = if database.starts_with("postgres") { &more[..] } else { &more[..1] };
        let settings = [&provider.settings()[..], more].concat();
        let service = Process::start(&place, &settings).await;
        provider
            .then(Answer::call("add_task", &json!({"title": TEXT})))
            .then(Answer::text([TEXT]))
            .then(Answer::error(401, &format!(r#"{{"error":{{"message":"no such key {KEY}"}}}}"#)));
        let mut told = String::new();
        for message in [TEXT, "again"] {
            let mut turn = service.say("ada", message, None).await;
            let events = turn.rest().await;
            assert!(names(&events).last().unwrap().starts_with("run."));
            told.push_str(turn.raw());
        }
        for path in ["/health/ready", "/api/ada/conversations", "/api/ada/tasks", "/api/ada/nothing"] {
            told.push_str(&service.get(path).await.text().await.unwrap());
        }
        let ended = service.terminate().await;
        for secret in [KEY, PASSWORD] {
            assert!(!told.contains(secret), "{secret} was told");
            assert!(!ended.log.contains(secret), "{secret} was logged:\n{}", around(&ended.log, secret));
        }
        assert!(!ended.log.contains(TEXT), "text was logged:\n{}", around(&ended.log, TEXT));
        assert_eq!(files_with(&place, KEY), [""; 0]);
    }

    async fn the_task_server_holds_none_of_our_files(place: Place) {
        let service = Process::start(&place, &[]).await;
        let child = children(service.id())[0];
        let open = std::fs::read_dir(format!("/proc/{child}/fd")).unwrap();
        let targets = open.filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok());
        for target in targets {
            let name = target.to_string_lossy().into_owned();
            assert!(!name.contains("test.db"), "{name} is open in the task server");
            assert!(!name.ends_with(".log"), "{name} is open in the task server");
        }
    }
}

/// Lists the files of a test that hold a word, whatever they are.
fn files_with(place: &Place, word: &str) -> Vec<String> {
    let files = std::fs::read_dir(place.folder()).unwrap().map(|file| file.unwrap().path());
    let holds = |bytes: Vec<u8>| bytes.windows(word.len()).any(|window| window == word.as_bytes());
    let found = files.filter(|path| holds(std::fs::read(path).unwrap_or_default()));
    found.map(|path| path.display().to_string()).collect()
}

/// Returns the lines around a word, for the message of a failed test.
fn around(log: &str, word: &str) -> String {
    log.lines().filter(|line| line.contains(word)).take(5).collect::<Vec<_>>().join("\n")
}
