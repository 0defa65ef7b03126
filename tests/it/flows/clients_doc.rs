//! The document for those who write clients, taken at its word: its commands work, and leave out no route; the code
//! that it shows is the code that is there.

use parlor_db::on_both;

use super::readme::{commands, run};
use crate::support::{migrations, process::Process};

const DOCUMENT: &str = include_str!("../../../docs/clients.md");

/// The files that it shows parts of, by the language of the block.
const SHOWN: [(&str, &str); 3] = [
    ("typescript", include_str!("../../../docs/clients/turn.ts")),
    ("kotlin", include_str!("../../../docs/clients/Turn.kt")),
    ("swift", include_str!("../../../docs/clients/Turn.swift")),
];

/// Returns method and path of every curl, as they are written but for the address.
fn requests() -> Vec<(String, Vec<String>)> {
    let script = commands(DOCUMENT).concat().replace("$API", "localhost:8000/api/local");
    let curls = script.split("curl ").skip(1).map(|rest| rest.lines().next().unwrap_or_default());
    let requests = curls.map(|curl| {
        let method = curl.split("-X ").nth(1).and_then(|rest| rest.split(' ').next());
        let method = method.unwrap_or(if curl.contains(" -d ") { "POST" } else { "GET" });
        let path = curl.split("localhost:8000").nth(1).unwrap().split([' ', '"', '?', ')']).next().unwrap();
        (method.to_owned(), path.split('/').map(str::to_owned).collect())
    });
    requests.collect()
}

on_both! { migrations();
    async fn every_curl_of_it_works_in_one_terminal(place: Place) {
        let service = Process::start(&place, &[]).await;
        let said = run(&commands(DOCUMENT).concat(), &service).await;
        assert!(!said.contains("urn:parlor:"), "{said}");
        assert_eq!(said.matches("idempotent-replayed: true").count(), 1, "{said}");
        assert_eq!(said.lines().filter(|line| *line == "204").count(), 3, "the end, two deletions\n{said}");
        let tasks = service.read("/api/local/tasks").await;
        let titles: Vec<_> = tasks["data"].as_array().unwrap().iter().map(|task| task["title"].clone()).collect();
        assert_eq!(titles, ["buy milk", "call mom"], "the story that it tells");
    }
}

#[test]
fn no_route_is_without_a_curl() {
    let requests = requests();
    let fits = |pattern: &str, path: &[String]| {
        let parts: Vec<&str> = pattern.split('/').collect();
        parts.len() == path.len()
            && parts.iter().zip(path).all(|(part, sent)| part.starts_with('{') || part == sent)
    };
    let is_shown = |route: &parlor::http::Route| {
        requests.iter().any(|(method, path)| method == route.method && fits(route.path, path))
    };
    let missing: Vec<_> = parlor::http::routes().into_iter().filter(|route| !is_shown(route)).collect();
    assert_eq!(missing, []);
}

#[test]
fn the_code_that_it_shows_is_the_code_that_is_there() {
    for (language, file) in SHOWN {
        let parts: Vec<&str> = DOCUMENT.split(&format!("```{language}\n")).skip(1).collect();
        assert!(!parts.is_empty(), "no {language}");
        for part in parts {
            let (shown, _) = part.split_once("```").unwrap();
            assert!(file.contains(shown), "this is not in the file:\n{shown}");
        }
    }
}
