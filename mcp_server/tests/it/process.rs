//! The real process over real pipes: whom it serves, what it survives, how it ends.

use std::{path::Path, time::Duration};

use parlor_db::{DatabaseUrl, Db};
use rmcp::{
    RoleClient,
    model::{CallToolRequestParams, ProtocolVersion, RequestMetaObject, RequestParamsMeta as _},
    service::{ClientLifecycleMode, RunningService, serve_client_with_lifecycle},
};
use sea_query::{Alias, Expr, Query};
use serde_json::{Value, json};

use crate::{
    shop::LIMIT,
    wire::{Wire, code, command, end_of, prepared_folder, text},
};

/// Soon, for a process that has nothing to wait for.
const PROMPTLY: Duration = Duration::from_secs(5);

type Client = RunningService<RoleClient, ()>;

async fn call(client: &Client, user: &str, tool: &'static str, arguments: Value) -> Value {
    let mut params = CallToolRequestParams::new(tool).with_arguments(arguments.as_object().unwrap().clone());
    let mut meta = RequestMetaObject::new();
    meta.insert("dev.parlor/user-id".into(), user.into());
    params.set_meta(meta);
    let result = tokio::time::timeout(LIMIT, client.call_tool(params)).await.unwrap().unwrap();
    serde_json::to_value(result).unwrap()
}

#[tokio::test]
async fn a_client_of_either_era_lists_and_calls_and_the_server_ends_with_it() {
    let modern = ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] };
    for era in [modern, ClientLifecycleMode::Initialize] {
        let folder = prepared_folder().await;
        let mut child = command(folder.path()).arg("--supervised").spawn().unwrap();
        let pipes = (child.stdout.take().unwrap(), child.stdin.take().unwrap());
        let opening = serve_client_with_lifecycle((), pipes, era);
        let client = tokio::time::timeout(LIMIT, opening).await.unwrap().unwrap();
        let tools = tokio::time::timeout(LIMIT, client.list_all_tools()).await.unwrap().unwrap();
        assert_eq!(tools.len(), 6);
        let added = call(&client, "ada", "add_task", json!({ "title": "milk" })).await;
        assert_eq!(added["structuredContent"]["task"]["number"], 1);
        client.cancel().await.unwrap();
        assert!(end_of(child).await.0.success());
    }
}

#[tokio::test]
async fn the_server_introduces_itself_by_name() {
    let mut wire = Wire::supervised().await;
    let answer = wire.ask("server/discover", json!({})).await;
    let meta = &answer["result"]["_meta"];
    assert_eq!(meta["io.modelcontextprotocol/serverInfo"]["name"], "task-management-server", "{answer}");
}

#[tokio::test]
async fn a_call_for_nobody_is_refused_and_leaves_no_row() {
    let mut wire = Wire::supervised().await;
    for meta in [json!({}), json!({ "dev.parlor/user-id": "" }), json!({ "dev.parlor/user-id": ["ada"] })] {
        let result = wire.call_with(meta, "add_task", json!({ "title": "milk" })).await;
        assert_eq!(code(&result), "no_identity");
    }
    assert_eq!(rows(wire.folder.path()).await, [0, 0, 0]);
    wire.call("ada", "add_task", json!({ "title": "milk" })).await;
    assert_eq!(rows(wire.folder.path()).await, [1, 1, 0]);
}

/// Counts the rows of every table.
async fn rows(folder: &Path) -> Vec<i64> {
    let url = DatabaseUrl::parse("sqlite://tasks.db", folder).unwrap();
    let db = Db::open(&url, 2);
    let mut counts = Vec::new();
    for table in ["tasks", "task_counters", "tool_effects"] {
        let count = Query::select().expr(Expr::cust("count(*)")).from(Alias::new(table)).to_owned();
        counts.push(db.find::<(i64,)>(&count).await.unwrap().unwrap().0);
    }
    counts
}

#[tokio::test]
async fn two_users_on_one_connection_never_meet() {
    let mut wire = Wire::supervised().await;
    wire.call("ada", "add_task", json!({ "title": "ada's plan" })).await;
    wire.call("bob", "add_task", json!({ "title": "bob's plan" })).await;
    assert_eq!(wire.titles("ada").await, ["ada's plan"]);
    assert_eq!(wire.titles("bob").await, ["bob's plan"]);
    let foreign = wire.call("bob", "delete_task", json!({ "title_contains": "ada" })).await;
    assert_eq!(code(&foreign), "task_not_found");
}

#[tokio::test]
async fn what_is_no_message_is_passed_over() {
    let mut wire = Wire::supervised().await;
    let noise = [
        "garbage",
        "",
        "{",
        "[]",
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":1}}",
    ];
    for line in noise {
        wire.line(line).await;
    }
    assert_eq!(wire.titles("ada").await, Vec::<String>::new());
    for line in noise {
        wire.line(line).await;
    }
    wire.call("ada", "add_task", json!({ "title": "milk" })).await;
    assert_eq!(wire.titles("ada").await, ["milk"]);
}

#[tokio::test]
async fn a_line_over_one_mebibyte_is_dropped_and_the_next_one_is_answered() {
    let mut wire = Wire::supervised().await;
    wire.line(&"x".repeat(3 * 1024 * 1024)).await;
    wire.send("tools/call", json!({ "name": "add_task", "arguments": { "title": "x".repeat(1024 * 1024) } }))
        .await;
    assert_eq!(wire.titles("ada").await, Vec::<String>::new());
}

#[tokio::test]
async fn at_the_end_of_its_input_it_finishes_what_is_in_flight_and_exits_with_zero() {
    let mut wire = Wire::supervised().await;
    let meta = json!({ "dev.parlor/user-id": "ada" });
    for n in 0..20 {
        let params =
            json!({ "name": "add_task", "arguments": { "title": format!("task {n}") }, "_meta": meta });
        wire.send("tools/call", params).await;
    }
    let ended = tokio::time::timeout(PROMPTLY, wire.end()).await.expect("promptly");
    assert!(ended.0.success());
    assert_eq!(ended.1.len(), 20);
    assert!(ended.1.iter().all(|answer| text(&answer["result"]).starts_with("Task created")));
}

#[tokio::test]
async fn a_call_that_is_repeated_after_a_crash_has_one_effect() {
    let mut wire = Wire::supervised().await;
    for round in 1..=10 {
        let meta = json!({ "dev.parlor/user-id": "ada", "dev.parlor/call-key": uuid::Uuid::now_v7() });
        let params = json!({ "name": "add_task", "arguments": { "title": "milk" }, "_meta": meta });
        wire.send("tools/call", params.clone()).await;
        // Some die before the commit and some after it.
        if round % 2 == 0 {
            wire.next().await;
        }
        wire.restart().await;
        let repeated = wire.ask("tools/call", params).await;
        assert_eq!(repeated["result"]["structuredContent"]["task"]["number"], round);
        assert_eq!(wire.titles("ada").await.len(), usize::try_from(round).unwrap());
    }
}

#[tokio::test]
async fn a_call_that_its_host_gives_up_is_finished_all_the_same() {
    let mut wire = Wire::supervised().await;
    let meta = json!({ "dev.parlor/user-id": "ada" });
    let params = json!({ "name": "add_task", "arguments": { "title": "milk" }, "_meta": meta });
    let id = wire.send("tools/call", params).await;
    let cancelled =
        json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } });
    wire.line(&cancelled.to_string()).await;
    let folder = wire.end_and_keep().await;
    assert_eq!(rows(folder.path()).await, [1, 1, 0]);
}

#[tokio::test]
async fn it_ends_as_well_if_nobody_ever_spoke() {
    for wire in [Wire::supervised().await, Wire::alone("ada")] {
        let (status, _) = tokio::time::timeout(PROMPTLY, wire.end()).await.expect("promptly");
        assert!(status.success());
    }
}

mod alone {
    use super::*;

    #[tokio::test]
    async fn it_refuses_to_start_without_a_user_and_names_the_variable() {
        let folder = tempfile::tempdir().unwrap();
        let (status, said) = end_of(command(folder.path()).spawn().unwrap()).await;
        assert_eq!(status.code(), Some(2));
        assert!(said.contains("TASK_USER_ID"), "{said}");
        assert!(!folder.path().join("tasks.db").exists());
    }

    #[tokio::test]
    async fn it_reads_its_user_from_a_file() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(".env"), "TASK_USER_ID=ada/../bob\n").unwrap();
        let (status, said) = end_of(command(folder.path()).spawn().unwrap()).await;
        assert_eq!(status.code(), Some(2));
        assert!(said.contains("TASK_USER_ID must be"), "{said}");
    }

    #[tokio::test]
    async fn it_prepares_its_database_and_serves_its_user_and_nobody_else() {
        let mut wire = Wire::alone("ada");
        let added = wire.call_with(json!({}), "add_task", json!({ "title": "milk" })).await;
        assert_eq!(text(&added), "Task created: milk (Priority: medium)");
        assert_eq!(wire.titles("ada").await, ["milk"]);
        let foreign = wire.call("bob", "add_task", json!({ "title": "beer" })).await;
        assert_eq!(code(&foreign), "no_identity");
        assert!(wire.folder.path().join("tasks.db").exists());
    }

    #[tokio::test]
    async fn a_database_that_cannot_be_opened_is_a_fault_at_run_time() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = command(folder.path());
        command.env("TASK_USER_ID", "ada").env("TASKS_DATABASE_URL", "sqlite:///nowhere/at/all/tasks.db");
        let (status, said) = end_of(command.spawn().unwrap()).await;
        assert_eq!(status.code(), Some(1));
        assert!(said.contains("the task database cannot be prepared"), "{said}");
    }
}

#[cfg(target_os = "linux")]
mod signals {
    use rustix::process::{Pid, Signal, kill_process};

    use super::*;

    fn send(wire: &Wire, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(wire.child.id().unwrap()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    #[tokio::test]
    async fn a_supervised_server_ignores_what_a_terminal_sends() {
        let mut wire = Wire::supervised().await;
        assert_eq!(wire.titles("ada").await, Vec::<String>::new());
        for signal in [Signal::INT, Signal::TERM] {
            send(&wire, signal);
        }
        wire.call("ada", "add_task", json!({ "title": "still here" })).await;
        assert_eq!(wire.titles("ada").await, ["still here"]);
        assert!(wire.end().await.0.success());
    }

    /// Its input stays open here: only the death of the shell between us can end it.
    #[tokio::test]
    async fn a_supervised_server_dies_with_the_process_that_started_it() {
        let mut wire = Wire::under_a_shell().await;
        wire.call("ada", "add_task", json!({ "title": "milk" })).await;
        wire.child.kill().await.unwrap();
        assert_eq!(wire.last_words().await, None);
    }

    #[tokio::test]
    async fn a_server_that_runs_alone_ends_when_it_is_told_to() {
        for signal in [Signal::INT, Signal::TERM] {
            let mut wire = Wire::alone("ada");
            assert_eq!(wire.titles("ada").await, Vec::<String>::new());
            send(&wire, signal);
            let status = tokio::time::timeout(LIMIT, wire.child.wait()).await.unwrap().unwrap();
            assert!(status.success());
        }
    }
}
