//! The description by itself.

use std::collections::{BTreeMap, BTreeSet};

use parlor::http::{description, routes};
use serde_json::{Value, json};

use crate::support::description::{Description, object};

#[test]
fn the_description_names_every_route_and_no_other() {
    let description = Description::read();
    let described: BTreeSet<(String, String)> =
        description.operations().into_iter().map(|operation| (operation.method, operation.path)).collect();
    let routes: BTreeSet<(String, String)> =
        routes().into_iter().map(|route| (route.method.into(), route.path.into())).collect();
    assert_eq!(described, routes);
}

#[test]
fn the_committed_description_is_the_current_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    let current = serde_json::to_string_pretty(&description()).unwrap() + "\n";
    assert!(committed == current, "docs/openapi.json is stale: cargo run -q -- openapi > docs/openapi.json");
}

#[test]
fn the_version_is_that_of_the_package() {
    let document = description();
    assert_eq!(
        (&document["openapi"], &document["info"]["version"]),
        (&json!("3.1.0"), &json!(env!("CARGO_PKG_VERSION")))
    );
}

#[test]
fn every_example_fits_its_schema_with_nothing_left_over() {
    let description = Description::read();
    let mut faults = Vec::new();
    for operation in description.operations() {
        for body in operation.bodies() {
            faults.extend(description.faults_at(&operation.body_schema(), &body));
        }
        for (status, answer) in object(&operation.described["responses"]) {
            for (content_type, media) in answer["content"].as_object().into_iter().flatten() {
                let named = media["examples"].as_object().into_iter().flat_map(|named| named.values());
                let named = named.map(|example| &description.resolved(example)["value"]);
                let examples: Vec<&Value> = named.chain(media.get("example")).collect();
                let is_of_a_page = ["docs", "page"].iter().any(|tag| operation.described["tags"][0] == *tag);
                assert!(
                    !examples.is_empty() || is_of_a_page,
                    "{} {status} {content_type}: no example",
                    operation.id
                );
                if content_type.ends_with("json") {
                    let place = operation.answer_schema(status, content_type);
                    faults.extend(
                        examples.into_iter().flat_map(|example| description.faults_at(&place, example)),
                    );
                }
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn a_request_without_examples_is_one_without_a_body() {
    let description = Description::read();
    for operation in description.operations() {
        let has_body = operation.described.get("requestBody").is_some();
        assert_eq!(has_body, !operation.bodies().is_empty(), "{}", operation.id);
    }
}

#[test]
fn the_problems_of_a_route_follow_from_what_it_is() {
    let description = Description::read();
    let told = |id: &str| -> BTreeMap<String, Vec<String>> {
        let operations = description.operations();
        let operation = operations.iter().find(|operation| operation.id == id).unwrap();
        let problems = object(&operation.described["responses"]).iter().filter_map(|(status, answer)| {
            let named = answer["content"]["application/problem+json"]["examples"].as_object()?;
            Some((status.clone(), named.keys().cloned().collect()))
        });
        problems.collect()
    };
    let expected = |rows: &[(&str, &[&str])]| -> BTreeMap<String, Vec<String>> {
        rows.iter()
            .map(|(status, codes)| ((*status).into(), codes.iter().map(|code| (*code).into()).collect()))
            .collect()
    };
    assert_eq!(
        told("edit_task"),
        expected(&[
            ("400", &["malformed_json", "malformed_request"]),
            ("401", &["unauthenticated"]),
            ("403", &["forbidden"]),
            ("404", &["not_found"]),
            ("413", &["body_too_large"]),
            ("415", &["unsupported_media_type"]),
            ("421", &["wrong_host"]),
            ("422", &["invalid_request"]),
            ("500", &["internal"]),
            ("503", &["tools_unavailable"]),
        ])
    );
    assert_eq!(
        told("live"),
        expected(&[("403", &["forbidden"]), ("421", &["wrong_host"]), ("500", &["internal"])])
    );
    let chat = told("chat");
    assert_eq!(chat["409"], ["conversation_busy"]);
    assert_eq!(chat["422"], ["idempotency_key_reused", "invalid_request"]);
    let retry = told("retry");
    assert_eq!((&retry["400"], &retry["422"]), (&chat["400"], &chat["422"]), "it takes a key too");
    assert_eq!(chat["503"], ["model_unavailable", "overloaded", "shutting_down", "storage_unavailable"]);
    assert_eq!(chat["504"], ["model_timeout", "run_timeout"]);
}
