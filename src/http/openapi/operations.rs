//! Completes every operation with what follows from its path: parameters, refusals, headers, and who is let in.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{
    answers,
    components::reference,
    refusals::{self, Place, Takes},
};
use crate::http::problem::{Problem, ProblemOut};

/// The request id of examples.
const REQUEST_ID: &str = "01a1f7f2-0459-7f10-8d2c-1e3f5a7b9c01";

/// Completes every operation, and lists the codes of all problems that there are.
pub(super) fn complete(document: &mut Value) {
    let mut seen = vec![Problem::NoSuchRoute, Problem::MethodNotAllowed];
    let paths = document.get_mut("paths").and_then(Value::as_object_mut);
    for (path, item) in paths.into_iter().flatten() {
        for (_, operation) in item.as_object_mut().into_iter().flatten() {
            let Some(operation) = operation.as_object_mut() else { continue };
            let problems = refusals::of(place(path, operation));
            add_parameters(path, operation);
            add_refusals(&problems, operation);
            complete_responses(operation);
            if super::knows_users(path) {
                operation.insert("security".into(), json!([{"bearer": []}]));
            }
            seen.extend(problems);
        }
    }
    let codes: BTreeSet<&str> = seen.iter().map(|problem| problem.row().1).collect();
    let list = json!({"type": "string", "enum": codes, "description": "What went wrong, for programs."});
    if let Some(schemas) = document.pointer_mut("/components/schemas").and_then(Value::as_object_mut) {
        schemas.insert("ProblemCode".into(), list);
    }
}

fn place<'a>(path: &'a str, operation: &'a Map<String, Value>) -> Place<'a> {
    let takes = if operation.contains_key("requestBody") { Takes::Body } else { Takes::Nothing };
    Place { operation: name(operation), path, takes }
}

fn example(problem: &Problem) -> Value {
    serde_json::to_value(ProblemOut::new(problem, REQUEST_ID)).unwrap_or_default()
}

/// Puts what stands in the path before the operation's own parameters, and what all take behind them.
fn add_parameters(path: &str, operation: &mut Map<String, Value>) {
    let own = operation.remove("parameters");
    let names = path.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name);
    let mut parameters: Vec<Value> =
        names.filter(|name| *name != "file").map(|name| reference("parameters", name)).collect();
    let is_list = name(operation).starts_with("list_");
    if let Some(Value::Array(mut own)) = own {
        own.iter_mut().for_each(complete_parameter);
        parameters.extend(own);
    }
    if is_list {
        parameters.extend(["limit", "cursor"].map(|name| reference("parameters", name)));
    }
    parameters.push(reference("parameters", "request_id"));
    operation.insert("parameters".into(), parameters.into());
}

/// Adds the responses of problems, one for each status. A response that the operation describes itself stays.
fn add_refusals(problems: &[Problem], operation: &mut Map<String, Value>) {
    let mut by_status: BTreeMap<u16, Vec<&Problem>> = BTreeMap::new();
    for problem in problems {
        by_status.entry(problem.row().0.as_u16()).or_default().push(problem);
    }
    let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else { return };
    for (status, problems) in by_status {
        responses.entry(status.to_string()).or_insert_with(|| refusal(status, &problems));
    }
}

fn refusal(status: u16, problems: &[&Problem]) -> Value {
    let titles: BTreeMap<&str, &str> =
        problems.iter().map(|problem| (problem.row().1, problem.row().2)).collect();
    let codes: Vec<&str> = titles.keys().copied().collect();
    let named: Vec<String> = titles.iter().map(|(code, title)| format!("{title} (`{code}`)")).collect();
    let examples: Map<String, Value> = problems
        .iter()
        .map(|problem| (problem.row().1.to_owned(), json!({"value": example(problem)})))
        .collect();
    let narrowed =
        json!({"type": "object", "properties": {"code": {"enum": codes}, "status": {"const": status}}});
    let mut response = json!({
        "description": named.join("; "),
        "content": {"application/problem+json": {
            "schema": {"allOf": [reference("schemas", "Problem"), narrowed]},
            "examples": examples,
        }},
    });
    let header = match status {
        401 => Some(("WWW-Authenticate", "challenge")),
        503 => Some(("Retry-After", "retry_after")),
        _ => None,
    };
    if let (Some((name, component)), Some(response)) = (header, response.as_object_mut()) {
        response.insert("headers".into(), json!({name: reference("headers", component)}));
    }
    response
}

/// Completes the responses: every one names its request, and what a handler says of headers is made whole.
fn complete_responses(operation: &mut Map<String, Value>) {
    let name = name(operation).to_owned();
    let responses = operation.get_mut("responses").and_then(Value::as_object_mut);
    for (status, response) in responses.into_iter().flatten() {
        let Some(response) = response.as_object_mut() else { continue };
        answers::complete(&name, status, response);
        let headers = response.entry("headers").or_insert_with(|| json!({}));
        for header in headers.as_object_mut().into_iter().flat_map(Map::values_mut) {
            require(header);
        }
        if let Some(headers) = headers.as_object_mut() {
            headers.insert("X-Request-Id".into(), reference("headers", "request_id"));
        }
    }
}

/// Says of a header whether it is always there: it is, unless it is described as optional.
fn require(header: &mut Value) {
    let Some(header) = header.as_object_mut().filter(|header| !header.contains_key("$ref")) else { return };
    let is_optional = header.get_mut("schema").is_some_and(drop_null);
    header.insert("required".into(), (!is_optional).into());
}

/// Says of an own parameter what all have in common: it is there or not, and in the query an empty one is not.
fn complete_parameter(parameter: &mut Value) {
    if let Some(schema) = parameter.get_mut("schema") {
        drop_null(schema);
    }
    let is_in_query = parameter.get("in").is_some_and(|place| place == "query");
    if let Some(parameter) = parameter.as_object_mut().filter(|_| is_in_query) {
        parameter.insert("allowEmptyValue".into(), true.into());
    }
}

/// Takes null out of the types of a schema; a header or a parameter is there or not. Returns whether it was in.
fn drop_null(schema: &mut Value) -> bool {
    let Some(kind) = schema.get_mut("type") else { return false };
    let Some(named) = kind.as_array().and_then(|kinds| kinds.iter().find(|kind| *kind != "null")) else {
        return false;
    };
    *kind = named.clone();
    true
}

fn name(operation: &Map<String, Value>) -> &str {
    operation.get("operationId").and_then(Value::as_str).unwrap_or_default()
}
