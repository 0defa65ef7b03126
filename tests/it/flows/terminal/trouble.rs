//! A service in trouble, played by a stand-in: connections that break, refusals that pass, a run that is told anew.

use crate::support::{
    stand_in::{Reply, StandIn},
    terminal::Terminal,
};

const GREETED: (&str, Reply) = ("GET /api/ada/conversations", Reply::Events(String::new()));
const CREATED: &str = "retry: 10\n\nid: 1\nevent: run.created\ndata: {\"run_id\":\"r1\"}\n\n";
const END: &str = "event: run.completed\ndata: {}\n\ndata: [DONE]\n\n";

fn words(id: i64, message: &str, delta: &str) -> String {
    format!(
        "id: {id}\nevent: message.delta\ndata: {{\"message_id\":\"{message}\",\"delta\":\"{delta}\"}}\n\n"
    )
}

fn whole(id: i64, message: &str, content: &str) -> String {
    format!(
        "id: {id}\nevent: message.completed\ndata: {{\"message_id\":\"{message}\",\"content\":\"{content}\"}}\n\n"
    )
}

#[tokio::test]
async fn an_answer_that_is_begun_anew_withdraws_what_was_shown_of_it() {
    let first = [CREATED, &words(2, "m1", "Once")].concat();
    let discarded = "id: 10000002\nevent: message.discarded\ndata: {\"message_id\":\"m1\"}\n\n";
    let (written, stored) = (words(10_000_003, "m2", "Twice"), whole(10_000_004, "m2", "Twice"));
    let second = [discarded, &written, &stored, "id: 10000005\n", END].concat();
    let service = StandIn::start([
        GREETED,
        ("POST /api/ada/chat", Reply::Cut(first)),
        ("GET /api/ada/runs/r1/events", Reply::Json(503, "{}".into())),
        ("GET /api/ada/runs/r1/events", Reply::Events(second)),
    ])
    .await;
    let shown = Terminal::start(&service.url, &["tell"]).ended().await;
    assert_eq!(shown.words, "Once\n[withdrawn: what stands above does not count]\nTwice\n");
    assert_eq!(shown.notes, "· conversation c1\n· the connection was lost; trying again\n");
    assert_eq!(shown.code, Some(0));
    let asked = service.asked();
    let lines: Vec<&str> = asked.iter().map(|asked| asked.line.as_str()).collect();
    let events = "GET /api/ada/runs/r1/events";
    assert_eq!(lines, ["GET /api/ada/conversations?limit=1", "POST /api/ada/chat", events, events]);
    assert_eq!(asked[3].last.as_deref(), Some("2"), "it goes on behind what was heard");
}

#[tokio::test]
async fn a_message_whose_fate_is_unknown_is_sent_again_as_it_was() {
    let told = [CREATED, &whole(2, "m1", "Hi."), "id: 3\n", END].concat();
    let problem = r#"{"detail":"the storage is unavailable"}"#;
    let service = StandIn::start([
        GREETED,
        ("POST /api/ada/chat", Reply::Json(503, problem.into())),
        ("POST /api/ada/chat", Reply::Events(told)),
    ])
    .await;
    let shown = Terminal::start(&service.url, &["hello"]).ended().await;
    assert_eq!((shown.code, shown.words.as_str()), (Some(0), "Hi.\n"));
    let trying = "· the service answers 503: the storage is unavailable; trying again\n";
    assert_eq!(shown.notes, format!("{trying}· conversation c1\n"));
    let asked = service.asked();
    assert_eq!(asked[1], asked[2]);
    assert!(asked[1].key.as_ref().is_some_and(|key| key.len() == 36), "{:?}", asked[1]);
}

#[tokio::test]
async fn each_message_has_a_key_of_its_own() {
    let told = || [CREATED, &whole(2, "m1", "Hi."), "id: 3\n", END].concat();
    let service = StandIn::start([
        GREETED,
        ("POST /api/ada/chat", Reply::Events(told())),
        ("POST /api/ada/chat", Reply::Events(told())),
    ])
    .await;
    let mut client = Terminal::start(&service.url, &[]);
    client.types("hello").await;
    client.types("hello").await;
    client.ended().await;
    let asked = service.asked();
    assert_ne!(asked[1].key, asked[2].key);
    assert_eq!(asked[2].body, r#"{"conversation_id":"c1","message":"hello"}"#);
}

#[tokio::test]
async fn another_run_of_the_conversation_is_waited_for_and_not_stopped_nor_shown() {
    let busy = r#"{"detail":"the conversation is busy","active_run_id":"r0"}"#;
    let other = [CREATED, &whole(2, "m0", "For another."), "id: 3\n", END].concat();
    let told = [CREATED, &whole(2, "m1", "Hi."), "id: 3\n", END].concat();
    let service = StandIn::start([
        GREETED,
        ("POST /api/ada/chat", Reply::Json(409, busy.into())),
        ("GET /api/ada/runs/r0/events", Reply::Events(other)),
        ("POST /api/ada/chat", Reply::Events(told)),
    ])
    .await;
    let shown = Terminal::start(&service.url, &["hello"]).ended().await;
    assert_eq!((shown.code, shown.words.as_str()), (Some(0), "Hi.\n"));
    assert!(shown.notes.starts_with("· this conversation is still answering another message; waiting\n"));

    let waiting = StandIn::start([
        GREETED,
        ("POST /api/ada/chat", Reply::Json(409, busy.into())),
        ("GET /api/ada/runs/r0/events", Reply::Silence),
    ])
    .await;
    let mut client = Terminal::start(&waiting.url, &["hello"]);
    client.notes("waiting\n").await;
    client.interrupt();
    assert_eq!(client.left().await.code, Some(130));
    assert!(waiting.asked().iter().all(|asked| !asked.line.ends_with("/cancel")), "{:?}", waiting.asked());
}

#[tokio::test]
async fn a_second_ctrl_c_leaves_although_nothing_has_stopped() {
    let service = StandIn::start([
        GREETED,
        ("POST /api/ada/chat", Reply::Cut([CREATED, &words(2, "m1", "Once")].concat())),
        ("POST /api/ada/runs/r1/cancel", Reply::Silence),
        ("GET /api/ada/runs/r1/events", Reply::Silence),
    ])
    .await;
    let mut client = Terminal::start(&service.url, &["tell"]);
    client.says("Once").await;
    client.interrupt();
    client.notes("stopping").await;
    client.interrupt();
    assert_eq!(client.left().await.code, Some(130));
}

#[tokio::test]
async fn a_refused_message_fails_alone() {
    let refused =
        r#"{"detail":"fields are wrong","errors":[{"field":"message","message":"is too long\u001b[m"}]}"#;
    let told = [CREATED, &whole(2, "m1", "Hi."), "id: 3\n", END].concat();
    let service = StandIn::start([
        GREETED,
        ("POST /api/ada/chat", Reply::Json(422, refused.into())),
        ("POST /api/ada/chat", Reply::Events(told)),
    ])
    .await;
    let mut client = Terminal::start(&service.url, &[]);
    client.types("long").await;
    client.types("short").await;
    let shown = client.ended().await;
    assert_eq!((shown.code, shown.words.as_str()), (Some(1), "Hi.\n"), "a pipe hears that one failed");
    let note = "· the service answers 422: fields are wrong; message is too long�[m\n";
    assert_eq!(shown.notes, format!("{note}· conversation c1\n"));
}

#[tokio::test]
async fn without_a_service_it_says_so_and_fails() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let shown = Terminal::start(&url, &["hello"]).ended().await;
    assert_eq!((shown.code, shown.words.as_str()), (Some(1), ""));
    assert_eq!(shown.notes, format!("parlor: no service answers at {url}\n"));
    let shown = Terminal::start("ftp://127.0.0.1", &["hello"]).ended().await;
    assert_eq!((shown.code, shown.words.as_str()), (Some(2), ""));
    assert_eq!(shown.notes, "parlor: --url ftp://127.0.0.1 must begin with http:// or https://\n");
}
