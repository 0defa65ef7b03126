//! The README, taken at its word: what a newcomer copies and pastes works.

use parlor_db::on_both;
use serde_json::Value;

use crate::support::{migrations, process::Process, soon};

const README: &str = include_str!("../../../README.md");

/// Returns the shell commands of a document that speak to a running service, in their order.
pub(super) fn commands(document: &str) -> Vec<String> {
    let blocks = document.split("```sh\n").skip(1).filter_map(|rest| rest.split_once("```"));
    let blocks = blocks.map(|(block, _)| block.to_owned()).filter(|block| block.contains("curl"));
    // One needs a slow demo and waits for three seconds of it; one is for a service that wants tokens.
    blocks.filter(|block| !block.contains("-m 3") && !block.contains("$TOKEN")).collect()
}

/// Runs a command in a shell, with the service's address in place of the document's.
pub(super) async fn run(command: &str, service: &Process) -> String {
    let address = service.base.strip_prefix("http://").unwrap();
    let script = format!("set -e\n{}", command.replace("localhost:8000", address));
    let shell = tokio::process::Command::new("bash").args(["-c", &script]).kill_on_drop(true).output();
    let output = soon("the command ends", shell).await.unwrap();
    assert!(output.status.success(), "{command}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

on_both! { migrations();
    async fn every_curl_of_it_works_in_its_order(place: Place) {
        let service = Process::start(&place, &[]).await;
        let commands = commands(README);
        assert!(commands.len() >= 4, "{commands:?}");
        for command in &commands {
            let said = run(command, &service).await;
            assert!(!said.contains("urn:parlor:"), "{command}\n{said}");
        }
        let titles: Vec<Value> = service.read("/api/local/tasks").await["data"]
            .as_array().unwrap().iter().map(|task| task["title"].clone()).collect();
        assert_eq!(titles, ["buy milk", "call dad"], "the story that it tells");
    }

    async fn nothing_that_it_says_shows_an_inner_id(place: Place) {
        let service = Process::start(&place, &[]).await;
        for message in ["add buy milk", "what is on my list", "done 1", "rename 1 to bread", "delete 9", "what can you do"] {
            let body = serde_json::json!({"message": message, "stream": false});
            let answer: Value = service.post("/api/local/chat", body).await.unwrap().json().await.unwrap();
            let said = answer["message"]["content"].as_str().unwrap();
            let has_id = said.split_whitespace().any(|word| word.matches('-').count() == 4 && word.len() >= 36);
            assert!(!has_id, "{message}: {said}");
        }
    }
}
