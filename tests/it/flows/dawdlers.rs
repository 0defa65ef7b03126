//! Connections that take their time, by mistake or on purpose: each is ended within its limit, and nobody else waits.

use futures_util::future::join_all;
use parlor_db::on_both;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{
    migrations,
    process::Process,
    provider::{Answer, Provider},
    soon,
    stream::text,
};

/// How many connections never say a word.
const SILENT: usize = 2_000;

/// How many never come to the end of their head, and how many to that of their body.
const SLOW: usize = 200;

/// The beginning of a head, and a whole head whose body never comes.
const HALF_A_HEAD: &str = "POST /api/ada/chat HTTP/1.1\r\nhost: loc";
const NO_BODY: &str = "POST /api/ada/chat HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                       content-length: 100\r\n\r\n{\"message\": \"";

async fn connect(service: &Process, said: &str) -> TcpStream {
    let address = service.base.strip_prefix("http://").unwrap();
    let mut socket = soon("a connection", TcpStream::connect(address)).await.unwrap();
    socket.write_all(said.as_bytes()).await.unwrap();
    socket
}

/// Makes so many connections, at most 100 at a time: the system's queue is short.
async fn connections(service: &Process, count: usize, said: &str) -> Vec<TcpStream> {
    let mut all = Vec::new();
    while all.len() < count {
        let some = (0..100.min(count - all.len())).map(|_| connect(service, said));
        all.extend(join_all(some).await);
    }
    all
}

/// Waits until the service hangs up, and returns what it said before.
async fn farewell(mut socket: TcpStream) -> String {
    let mut said = Vec::new();
    let _ = soon("the service hangs up", socket.read_to_end(&mut said)).await;
    String::from_utf8(said).unwrap()
}

on_both! { migrations();
    async fn whoever_dawdles_is_hung_up_on_and_everybody_else_is_served(place: Place) {
        let limit = getrlimit(Resource::Nofile);
        setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
        let provider = Provider::start().await;
        let service = Process::start(&place, &provider.settings()).await;
        let silent = connections(&service, SILENT, "").await;
        let heads = connections(&service, SLOW, HALF_A_HEAD).await;
        let bodies = connections(&service, SLOW, NO_BODY).await;
        provider.then(Answer::text(["Hello."]));
        assert_eq!(text(&service.say("bob", "hi", None).await.rest().await), "Hello.");
        assert_eq!(service.get("/health/ready").await.status(), 200);
        let (silent, heads, bodies) = tokio::join!(
            join_all(silent.into_iter().map(farewell)),
            join_all(heads.into_iter().map(farewell)),
            join_all(bodies.into_iter().map(farewell)),
        );
        assert!(silent.iter().chain(&heads).all(String::is_empty), "there was nothing to answer");
        for answer in bodies {
            assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("malformed_request"), "{answer:?}");
        }
        assert_eq!(provider.requests().len(), 1, "no half message was taken for one");
    }
}
