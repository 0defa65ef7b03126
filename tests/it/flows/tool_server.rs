//! A task server that dies, hangs or talks nonsense: its effects happen once, and chats go on.

use std::path::Path;

use parlor_db::on_both;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::support::{
    eventually, migrations,
    process::{Process, children},
    provider::{Answer, Provider},
    stream::{data, names, text},
    task_server_command,
};

fn signal(child: i32, signal: Signal) {
    kill_process(Pid::from_raw(child).unwrap(), signal).unwrap();
}

async fn titles(service: &Process) -> Vec<Value> {
    let page = service.read("/api/ada/tasks").await;
    page["data"].as_array().unwrap().iter().map(|task| task["title"].clone()).collect()
}

/// Scripts a turn that adds one task.
fn adds_milk(provider: &Provider) {
    provider.then(Answer::call("add_task", &json!({"title": "milk"}))).then(Answer::text(["Added."]));
}

/// Returns the process that a child has started.
async fn started_by(child: i32) -> i32 {
    eventually("it has started something", || async { children(Pid::from_raw(child)?).first().copied() })
        .await
}

async fn is_gone(process: i32) {
    eventually("the process is gone", || async {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok();
        stat.is_none_or(|stat| stat.contains(") Z ")).then_some(())
    })
    .await;
}

/// Returns the command of a task server whose answers are held back while the file is there.
fn held_back(hold: &Path) -> String {
    let wait = format!("while [ -e '{}' ]; do sleep 0.01; done", hold.display());
    let relay = format!("while IFS= read -r line; do {wait}; printf '%s\\n' \"$line\"; done");
    shell(&format!("{} | {relay}", task_server_command()))
}

/// Returns the command that runs a script.
fn shell(script: &str) -> String {
    format!("sh -c '{}'", script.replace('\'', r"'\''"))
}

on_both! { migrations();
    async fn one_that_was_killed_is_started_again(place: Place) {
        let service = Process::start(&place, &[]).await;
        let first = children(service.id())[0];
        signal(first, Signal::KILL);
        let events = service.say("ada", "add milk", None).await.rest().await;
        assert_eq!(names(&events).last(), Some(&"run.completed"));
        let second = eventually("another one", || async { children(service.id()).first().copied() }).await;
        assert_ne!(first, second);
        eventually("it is up", || async {
            (service.read("/health/ready").await["status"] == "ready").then_some(())
        })
        .await;
        let events = service.say("ada", "add bread", None).await.rest().await;
        assert_eq!(data(&events, "tool.completed")["status"], "ok");
    }

    async fn whatever_it_started_ends_with_it(place: Place) {
        let command = shell(&format!("sleep 120 & exec {}", task_server_command()));
        let service = Process::start(&place, &[("MCP_SERVER_COMMAND", &command)]).await;
        let first = children(service.id())[0];
        let started_by_first = started_by(first).await;
        signal(first, Signal::KILL);
        let second =
            eventually("another one", || async { children(service.id()).into_iter().find(|child| *child != first) });
        let started_by_second = started_by(second.await).await;
        is_gone(started_by_first).await;
        assert_eq!(service.terminate().await.code, Some(0));
        is_gone(started_by_second).await;
    }

    async fn killed_with_the_call_in_its_hands_it_does_the_work_once(place: Place) {
        let provider = Provider::start().await;
        let service = Process::start(&place, &provider.settings()).await;
        adds_milk(&provider);
        let child = children(service.id())[0];
        signal(child, Signal::STOP);
        let mut turn = service.say("ada", "add milk", None).await;
        turn.until("tool.started").await;
        signal(child, Signal::KILL);
        let events = turn.rest().await;
        assert_eq!(data(&events, "tool.completed")["status"], "ok", "{events:?}");
        assert_eq!(titles(&service).await, ["milk"]);
    }

    async fn killed_between_effect_and_answer_it_does_the_work_once(place: Place) {
        let hold = place.folder().join("hold");
        let (provider, relayed) = (Provider::start().await, held_back(&hold));
        let settings = [&provider.settings()[..], &[("MCP_SERVER_COMMAND", relayed.as_str())]].concat();
        let service = Process::start(&place, &settings).await;
        adds_milk(&provider);
        std::fs::write(&hold, "").unwrap();
        let mut turn = service.say("ada", "add milk", None).await;
        turn.until("tool.started").await;
        eventually("the effect is there", || async { (tasks_stored(&place).await == 1).then_some(()) }).await;
        let child = children(service.id())[0];
        signal(child, Signal::KILL);
        eventually("it is gone", || async { (!children(service.id()).contains(&child)).then_some(()) }).await;
        std::fs::remove_file(&hold).unwrap();
        let events = turn.rest().await;
        assert_eq!(data(&events, "tool.completed")["status"], "ok", "{events:?}");
        assert_eq!(titles(&service).await, ["milk"]);
    }

    async fn one_that_hangs_costs_the_call_its_time_and_is_replaced(place: Place) {
        let provider = Provider::start().await;
        let settings = [&provider.settings()[..], &[("MCP_TIMEOUT", "0.5")]].concat();
        let service = Process::start(&place, &settings).await;
        adds_milk(&provider);
        let child = children(service.id())[0];
        signal(child, Signal::STOP);
        let events = service.say("ada", "add milk", None).await.rest().await;
        assert_eq!(data(&events, "tool.completed")["status"], "timeout");
        assert_eq!(text(&events), "Added.");
        eventually("another one", || async { (children(service.id()).first()? != &child).then_some(()) }).await;
        adds_milk(&provider);
        let events = service.say("ada", "add milk", None).await.rest().await;
        assert_eq!(data(&events, "tool.completed")["status"], "ok");
    }

    async fn one_that_talks_nonsense_is_understood_all_the_same(place: Place) {
        let wrong_id = r#"{"jsonrpc":"2.0","id":99,"result":{}}"#;
        let nonsense = format!("echo not json; echo '{wrong_id}'; head -c 3000000 /dev/zero | tr '\\0' x; echo");
        let relay = format!("while IFS= read -r line; do printf '%s\\n' \"$line\"; {nonsense}; done");
        let command = shell(&format!("{} | ({relay})", task_server_command()));
        let service = Process::start(&place, &[("MCP_SERVER_COMMAND", &command)]).await;
        let events = service.say("ada", "add milk", None).await.rest().await;
        assert_eq!(data(&events, "tool.completed")["status"], "ok");
    }

    async fn an_answer_of_ten_megabytes_is_dropped_and_the_model_is_told(place: Place) {
        let huge = r#"{ if ($0 ~ /structuredContent/) { match($0, /"id":[0-9]+/); id = substr($0, RSTART, RLENGTH);
            printf "{\"jsonrpc\":\"2.0\",%s,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"", id;
            for (i = 0; i < 10000; i++) printf "%1000s", ""; print "\"}]}}" } else print; fflush() }"#;
        let (provider, command) = (Provider::start().await, shell(&format!("{} | awk '{huge}'", task_server_command())));
        let settings = [&provider.settings()[..], &[("MCP_SERVER_COMMAND", command.as_str())]].concat();
        let service = Process::start(&place, &settings).await;
        adds_milk(&provider);
        let events = service.say("ada", "add milk", None).await.rest().await;
        let answer = data(&events, "tool.completed");
        assert_eq!(answer["status"], "error");
        assert!(answer["result"].as_str().unwrap().contains("larger than 1 MiB"), "{answer}");
        assert_eq!(text(&events), "Added.");
    }

    async fn one_that_ends_at_every_start_leaves_chats_without_tools(place: Place) {
        let service = Process::start(&place, &[("MCP_SERVER_COMMAND", "sh -c 'exit 3'")]).await;
        let ready = service.read("/health/ready").await;
        assert_eq!((&ready["status"], &ready["parts"]["mcp:tasks"]["status"]), (&json!("degraded"), &json!("down")));
        let events = service.say("ada", "add milk", None).await.rest().await;
        let notices: Vec<&Value> =
            events.iter().filter(|event| event.name == "notice").map(|event| &event.data["code"]).collect();
        assert_eq!(notices, ["demo_mode", "tools_unavailable"]);
        assert_eq!(names(&events).last(), Some(&"run.completed"));
        assert_eq!(service.get("/api/ada/tasks").await.status(), 503);
        let ended = service.terminate().await;
        assert_eq!(ended.code, Some(0), "{}", ended.log);
    }

    async fn one_that_says_nothing_is_given_up_and_chats_go_on(place: Place) {
        let service = Process::start(&place, &[("MCP_SERVER_COMMAND", "sh -c 'cat >/dev/null'")]).await;
        assert_eq!(service.read("/health/ready").await["status"], "degraded");
        let events = service.say("ada", "hello", None).await.rest().await;
        assert_eq!(names(&events).last(), Some(&"run.completed"));
    }

    async fn what_it_logs_is_in_our_log_under_its_name(place: Place) {
        let command = format!("sh -c 'echo something to know >&2; exec {}'", task_server_command().replace('\'', ""));
        let service = Process::start(&place, &[("MCP_SERVER_COMMAND", &command)]).await;
        let ended = service.terminate().await;
        assert!(ended.log.contains("tasks: something to know"), "{}", ended.log);
    }
}

async fn tasks_stored(place: &parlor_db::testing::Place) -> i64 {
    use sea_query::{Alias, Asterisk, Expr, Func, Query};
    let db = parlor_db::Db::open(&place.url.beside("tasks.db"), 2);
    let count = Func::count(Expr::col(Asterisk));
    let select = Query::select().expr(count).from(Alias::new("tasks")).to_owned();
    let found: Option<(i64,)> = db.find(&select).await.unwrap();
    db.close().await;
    found.unwrap().0
}
