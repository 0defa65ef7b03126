//! What a model sees of the tools: byte for byte, because its cached prompt begins with it.

use serde_json::{Value, json};

use crate::wire::Wire;

async fn tools() -> Vec<Value> {
    let mut wire = Wire::supervised().await;
    let answer = wire.ask("tools/list", json!({})).await;
    answer["result"]["tools"].as_array().unwrap().clone()
}

/// Calls `look` with every schema in a schema, itself included, and its name.
fn each_schema(name: &str, schema: &Value, look: &mut impl FnMut(&str, &Value)) {
    look(name, schema);
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        each_schema(name, inner, look);
    }
    if schema["items"].is_object() {
        each_schema("items", &schema["items"], look);
    }
    for choice in schema["anyOf"].as_array().into_iter().flatten() {
        each_schema("choice", choice, look);
    }
}

#[tokio::test]
async fn the_list_of_tools_is_what_it_was() {
    insta::assert_json_snapshot!(tools().await);
}

#[tokio::test]
async fn no_tool_takes_an_identity() {
    for tool in tools().await {
        each_schema("", &tool["inputSchema"], &mut |name, _| {
            for word in ["user", "owner", "tenant", "account", "identity", "key"] {
                assert!(!name.contains(word), "{}: {name}", tool["name"]);
            }
        });
    }
}

#[tokio::test]
async fn every_schema_is_one_that_all_providers_take() {
    for tool in tools().await {
        assert_eq!(tool["inputSchema"]["additionalProperties"], false);
        for schema in [&tool["inputSchema"], &tool["outputSchema"]] {
            assert_eq!(schema["type"], "object");
            let whole = schema.to_string();
            for keyword in ["$ref", "$defs", "$schema", "oneOf", "allOf"] {
                assert!(!whole.contains(&format!("\"{keyword}\"")), "{}: {keyword}", tool["name"]);
            }
            each_schema("", schema, &mut |name, inner| {
                assert!(!inner["type"].is_array(), "{}: {name} has a union of types", tool["name"]);
            });
        }
        for (name, property) in tool["inputSchema"]["properties"].as_object().unwrap() {
            assert!(property["description"].is_string(), "{}: {name} is not described", tool["name"]);
        }
    }
}

#[tokio::test]
async fn every_answer_keeps_to_the_published_schema_be_it_a_refusal() {
    let mut wire = Wire::supervised().await;
    let listed = wire.ask("tools/list", json!({})).await;
    let mut arguments = json!({
        "add_task": { "title": "Buy milk" },
        "list_tasks": {},
        "set_priority": { "number": 1, "priority": "low" },
        "update_task": { "number": 1, "description": "oat" },
        "complete_task": { "number": 1 },
        "delete_task": { "number": 1 },
    });
    // The catalog's own order would delete the task too early.
    for tool in ["add_task", "list_tasks", "set_priority", "update_task", "complete_task", "delete_task"] {
        let tools = listed["result"]["tools"].as_array().unwrap();
        let published = tools.iter().find(|listed| listed["name"] == tool).unwrap();
        let schema = jsonschema::validator_for(&published["outputSchema"]).unwrap();
        let done = wire.call("ada", tool, arguments[tool].take()).await;
        let refused = wire.call("ada", tool, json!({ "nonsense": 1 })).await;
        assert_eq!((&done["isError"], &refused["isError"]), (&json!(false), &json!(true)), "{tool}");
        assert!(schema.is_valid(&done["structuredContent"]), "{tool}: {done}");
        assert!(schema.is_valid(&refused["structuredContent"]), "{tool}: {refused}");
        assert!(!schema.is_valid(&json!({})), "{tool} publishes a schema that everything fits");
    }
}

#[tokio::test]
async fn a_server_that_only_reads_lists_only_what_reads_and_refuses_the_rest() {
    let mut wire = Wire::read_only().await;
    let answer = wire.ask("tools/list", json!({})).await;
    let names: Vec<_> =
        answer["result"]["tools"].as_array().unwrap().iter().map(|tool| &tool["name"]).collect();
    assert_eq!(names, ["list_tasks"]);
    let refused = wire.call("ada", "add_task", json!({ "title": "milk" })).await;
    assert_eq!(crate::wire::code(&refused), "read_only");
    assert_eq!(wire.titles("ada").await, Vec::<String>::new());
}
