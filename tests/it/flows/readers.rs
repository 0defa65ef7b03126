//! Readers that are slow or do not read at all: the run does not wait for them, and memory stays bounded.

use parlor_db::on_both;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

use crate::support::{
    app::run_of,
    eventually, migrations,
    process::Process,
    provider::{Act, Answer, Provider, finish, said},
    script::Gate,
    stream::{Turn, text},
};

/// How many readers there are.
const READERS: usize = 100;

/// How much text the run tells, in bytes.
const TOLD: usize = 1024 * 1024;

/// How much the system keeps for a reader, in bytes. By itself it would take in the whole answer, and no reader would
/// ever be slow.
const UNREAD: u32 = 4 * 1024;

/// How much of an answer tells of its first events, in bytes.
const BEGINNING: usize = 2 * 1024;

/// Asks for something over a bare socket, so that the test decides what is read of the answer.
async fn ask(service: &Process, head: &str, body: &str) -> TcpStream {
    let address = service.base.strip_prefix("http://").unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(UNREAD).unwrap();
    let mut socket = socket.connect(address.parse().unwrap()).await.unwrap();
    let length = body.len();
    let request = format!(
        "{head} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}"
    );
    socket.write_all(format!("{request}\r\n\r\n{body}").as_bytes()).await.unwrap();
    socket
}

/// Returns how much memory a process holds, in bytes.
fn memory(service: &Process) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", service.id().as_raw_nonzero())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

async fn status(service: &Process, run: &str) -> serde_json::Value {
    service.read(&format!("/api/ada/runs/{run}")).await["status"].clone()
}

on_both! { migrations();
    async fn readers_that_do_not_read_delay_no_run_and_cost_bounded_memory(place: Place) {
        let (provider, gate) = (Provider::start().await, Gate::closed());
        let service = Process::start(&place, &provider.settings()).await;
        let mut acts = vec![Act::Send(said("one ")), Act::Wait(gate.clone())];
        acts.extend(vec![Act::Send(said(&"x".repeat(8 * 1024))); TOLD / (8 * 1024) - 1]);
        acts.push(Act::Send(finish("stop")));
        provider.then(Answer::acts(acts));
        let mut turn = service.say("ada", "go on", None).await;
        let run = run_of(&[turn.until("run.created").await]);
        let mut sockets = Vec::new();
        for _ in 0..READERS {
            sockets.push(ask(&service, &format!("GET /api/ada/runs/{run}/events"), "").await);
        }
        drop(turn);
        let before = memory(&service);
        gate.open();
        eventually("the run ends", || async { (status(&service, &run).await == "completed").then_some(()) }).await;
        // One of them reads a byte now and then; the others nothing.
        let mut byte = [0];
        for _ in 0..100 {
            sockets[0].read_exact(&mut byte).await.unwrap();
        }
        // As many come when all of it is told already: each is shown the beginning, and none costs a copy of the whole.
        for _ in 0..READERS {
            let mut late = ask(&service, &format!("GET /api/ada/runs/{run}/events"), "").await;
            late.read_exact(&mut [0; BEGINNING]).await.unwrap();
            sockets.push(late);
        }
        let grown = memory(&service).saturating_sub(before);
        assert!(grown < READERS * TOLD / 2, "{READERS} readers that do not read cost {grown} bytes");
        let events = Turn::of(service.get(&format!("/api/ada/runs/{run}/events")).await).rest().await;
        assert_eq!(text(&events).len(), TOLD - 8 * 1024 + 4, "whoever reads gets everything");
    }
}
