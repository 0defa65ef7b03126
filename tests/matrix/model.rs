//! A provider on a bare socket, because the faults of the matrix are faults of sockets: it resets, falls silent, ends
//! early or talks nonsense, before its first byte or in the middle of a text. It refuses what strict providers refuse.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{
    points::Points,
    support::provider::{call, fault as fault_of, finish, said},
};

/// The key that the service sends and nobody may ever read anywhere.
pub const KEY: &str = "sk-canary-5f1e";

/// What a provider may do instead of answering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    Reset,
    Stall,
    Error,
    Garbage,
    EndEarly,
}

/// What a provider may do before its first byte, and be well when it is asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stumble {
    /// It is unavailable: 503.
    Unavailable,
    /// It was asked too often: 429.
    Limited,
    /// It hangs up.
    HangUp,
}

/// How long the provider thinks about each piece.
const THINKS: Duration = Duration::from_millis(3);

/// The provider.
#[derive(Clone)]
pub struct Model {
    pub url: String,
    room: Arc<Room>,
}

struct Room {
    points: Points,
    failure: Mutex<Option<Failure>>,
    stumbles: Mutex<Vec<Stumble>>,
    requests: Mutex<Vec<Value>>,
}

impl Model {
    /// Starts listening.
    pub async fn start(points: Points) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let room = Room {
            points,
            failure: Mutex::default(),
            stumbles: Mutex::default(),
            requests: Mutex::default(),
        };
        let room = Arc::new(room);
        let serving = Arc::clone(&room);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let room = Arc::clone(&serving);
                tokio::spawn(async move { room.serve(stream).await });
            }
        });
        Self { url, room }
    }

    /// Fails once: where it is held now, or at its next question.
    pub fn fail(&self, failure: Failure) {
        *self.room.failure.lock().unwrap() = Some(failure);
    }

    /// Takes a failure back that met nobody.
    pub fn recover(&self) {
        *self.room.failure.lock().unwrap() = None;
    }

    /// Stumbles so many times, before the first byte of what it is to answer next.
    pub fn stumble(&self, stumble: Stumble, times: usize) {
        self.room.stumbles.lock().unwrap().extend(vec![stumble; times]);
    }

    /// Returns how often it has still to stumble.
    pub fn stumbles_left(&self) -> usize {
        self.room.stumbles.lock().unwrap().len()
    }

    /// Returns every question so far.
    pub fn requests(&self) -> Vec<Value> {
        self.room.requests.lock().unwrap().clone()
    }
}

impl Room {
    async fn serve(&self, mut stream: TcpStream) -> Option<()> {
        stream.set_nodelay(true).ok()?;
        let mut read = Vec::new();
        loop {
            let request = next_request(&mut stream, &mut read).await?;
            self.requests.lock().unwrap().push(request.clone());
            if let Some(fault) = fault_of(&request) {
                let body = json!({"error": {"message": fault}}).to_string();
                respond(&mut stream, "400 Bad Request", &body).await?;
                continue;
            }
            self.points.pass("asked").await;
            if let Some(failure) = self.take_failure() {
                return fail(&mut stream, failure, Place::BeforeTheHead).await;
            }
            let stumble = self.stumbles.lock().unwrap().pop();
            match stumble {
                Some(Stumble::Unavailable) => respond(&mut stream, "503 Service Unavailable", KEY).await?,
                Some(Stumble::Limited) => respond(&mut stream, "429 Too Many Requests", KEY).await?,
                Some(Stumble::HangUp) => return None,
                None => self.answer(&mut stream, &request).await?,
            }
        }
    }

    /// Answers a question, unless it is to fail in the middle: then the connection is at its end.
    async fn answer(&self, stream: &mut TcpStream, request: &Value) -> Option<()> {
        stream.write_all(HEAD.as_bytes()).await.ok()?;
        for (at, piece) in reply(request).iter().enumerate() {
            write_chunk(stream, piece).await?;
            tokio::time::sleep(THINKS).await;
            if at == 1 {
                self.points.pass("mid-text").await;
                if let Some(failure) = self.take_failure() {
                    fail(stream, failure, Place::MidText).await;
                    return None;
                }
            }
        }
        write_chunk(stream, "").await
    }

    fn take_failure(&self) -> Option<Failure> {
        self.failure.lock().unwrap().take()
    }
}

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    BeforeTheHead,
    MidText,
}

async fn fail(stream: &mut TcpStream, failure: Failure, place: Place) -> Option<()> {
    if place == Place::BeforeTheHead && matches!(failure, Failure::Garbage | Failure::EndEarly) {
        stream.write_all(HEAD.as_bytes()).await.ok()?;
    }
    match failure {
        Failure::Reset => stream.set_zero_linger().ok()?,
        // Until the service hangs up.
        Failure::Stall => drop(stream.read_to_end(&mut Vec::new()).await),
        Failure::Error => respond(stream, "503 Service Unavailable", KEY).await?,
        Failure::Garbage => {
            write_chunk(stream, "data: {\"choices\":[{\"delta\":\u{1}}]}\n\n<html>\n\n").await?;
            write_chunk(stream, "").await?;
        }
        Failure::EndEarly => write_chunk(stream, "").await?,
    }
    Some(())
}

/// Answers as a model would: it adds what it is told to, says what became of it, and else is polite. A pure function
/// of the question, so that whoever asks again hears the same.
fn reply(request: &Value) -> Vec<String> {
    let last = request["messages"].as_array().unwrap().last().unwrap();
    let text = last["content"].as_str().unwrap_or_default();
    if last["role"] == "user"
        && let Some((_, title)) = text.rsplit_once("add ")
    {
        let mut pieces = ["Let ", "me ", "write ", "that ", "down. "].map(said).to_vec();
        pieces.extend([call("add_task", &json!({"title": title})), finish("tool_calls")]);
        return pieces;
    }
    let words = if last["role"] == "tool" {
        ["The ", "list ", "says: ", "so ", "it ", "is."]
    } else {
        ["Good ", "to ", "hear ", "from ", "you ", "again."]
    };
    words.map(said).into_iter().chain([finish("stop")]).collect()
}

async fn next_request(stream: &mut TcpStream, read: &mut Vec<u8>) -> Option<Value> {
    let head = loop {
        if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            break String::from_utf8_lossy(&read[..end + 4]).to_lowercase();
        }
        read_more(stream, read).await?;
    };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let end = head.len() + length.map_or(0, |length| length.trim().parse::<usize>().unwrap());
    while read.len() < end {
        read_more(stream, read).await?;
    }
    let request = serde_json::from_slice(&read[head.len()..end]).ok();
    read.drain(..end);
    request
}

async fn read_more(stream: &mut TcpStream, read: &mut Vec<u8>) -> Option<()> {
    match stream.read_buf(read).await {
        Ok(0) | Err(_) => None,
        Ok(_) => Some(()),
    }
}

async fn write_chunk(stream: &mut TcpStream, text: &str) -> Option<()> {
    stream.write_all(format!("{:x}\r\n{text}\r\n", text.len()).as_bytes()).await.ok()
}

async fn respond(stream: &mut TcpStream, status: &str, body: &str) -> Option<()> {
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + body).as_bytes()).await.ok()
}
