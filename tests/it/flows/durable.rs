//! An accepted message is on the disk before the first byte of the answer leaves: seen in the system calls themselves.

use std::process::Stdio;

use parlor_db::testing::{Engine, Place};
use rustix::process::Signal;

use crate::support::{eventually, migrations, process::Process};

/// Attaches strace to a running service and writes its syncs and socket writes into a file.
async fn traced(service: &Process, into: &std::path::Path) -> Option<tokio::process::Child> {
    let calls = "trace=fsync,fdatasync,write,writev,sendto,sendmsg,recvfrom,read";
    let id = service.id().as_raw_nonzero().to_string();
    let strace = tokio::process::Command::new("strace")
        .args(["-f", "-y", "-s", "128", "-e", calls, "-p", &id, "-o"])
        .arg(into)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn();
    match strace {
        Ok(child) => Some(child),
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "NO STRACE: {error}");
            eprintln!("NO STRACE: whether messages are on the disk in time was not looked at ({error})");
            None
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_on_the_disk_before_the_first_byte_of_the_answer() {
    let place = Place::fresh(Engine::Sqlite, migrations()).await.unwrap();
    let service = Process::start(&place, &[]).await;
    // The first write after a start syncs the head of the log in any case.
    service.say("ada", "hello", None).await.rest().await;
    let trace = place.folder().join("trace");
    let Some(strace) = traced(&service, &trace).await else { return };
    let read = || async { std::fs::read_to_string(&trace).ok().filter(|text| !text.is_empty()) };
    // Once a health check shows up in it, the trace is on.
    eventually("strace is attached", || async {
        service.get("/health/live").await;
        read().await
    })
    .await;
    service.say("ada", "hello", None).await.rest().await;
    let calls = eventually("the end of the turn is traced", || async {
        read().await.filter(|text| text.contains("POST /api/ada/chat") && text.contains("text/event-st"))
    })
    .await;
    service.signal(Signal::KILL);
    drop(strace);
    let lines: Vec<&str> = calls.lines().collect();
    let at = |what: &str| {
        lines.iter().position(|line| line.contains(what)).unwrap_or_else(|| panic!("no {what}:\n{calls}"))
    };
    let (asked, answered) = (at("POST /api/ada/chat"), at("text/event-st"));
    let synced =
        lines[asked..answered].iter().filter(|line| line.contains("sync(") && line.contains("test.db-wal"));
    assert!(
        synced.count() >= 1,
        "no sync of the log before the answer:\n{}",
        lines[asked..=answered].join("\n")
    );
}
