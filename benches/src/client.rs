//! A client with one connection that it keeps, and a clock: it sends a turn and reads the answer to its end.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, bail, ensure};
use memchr::memmem;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout},
};

/// How long any answer may take.
const LIMIT: Duration = Duration::from_secs(240);

/// Who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// The provider's own, which the floor passes on.
    Bare,
    /// The service's.
    Parlor,
}

impl Protocol {
    /// What every delta holds once, and nothing else does.
    const fn delta(self) -> &'static [u8] {
        match self {
            Self::Bare => b"\"content\":\"",
            Self::Parlor => b"event: message.delta",
        }
    }

    /// What the answer to a good turn holds.
    const fn end(self) -> &'static [u8] {
        match self {
            Self::Bare => b"data: [DONE]",
            Self::Parlor => b"event: run.completed",
        }
    }
}

/// How an answer came.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Turn {
    /// From the request to the first delta.
    pub(crate) first_delta: Duration,
    /// From the request to the last byte.
    pub(crate) total: Duration,
    /// The longest time between two reads that brought deltas.
    pub(crate) largest_gap: Duration,
    /// How many deltas came.
    pub(crate) deltas: usize,
}

/// What came of a turn that may be refused.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answered {
    /// It was taken, and this is how it went.
    Turn(Turn),
    /// There was no room for it, and this is how long it took to say so.
    Refused(Duration),
    /// It was not refused for want of room, and it did not end well.
    Failed,
}

/// A client.
pub(crate) struct Client {
    protocol: Protocol,
    address: SocketAddr,
    user: String,
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Client {
    pub(crate) async fn connect(protocol: Protocol, address: SocketAddr, user: &str) -> anyhow::Result<Self> {
        let stream = timeout(Duration::from_secs(10), TcpStream::connect(address)).await??;
        stream.set_nodelay(true)?;
        Ok(Self { protocol, address, user: user.to_owned(), stream, answer: Vec::with_capacity(4 * 1024) })
    }

    /// Connects anew: a service may hang up on those who are silent for long.
    pub(crate) async fn reconnect(&mut self) -> anyhow::Result<()> {
        *self = Self::connect(self.protocol, self.address, &self.user).await?;
        Ok(())
    }

    /// Sends a turn in a conversation of its own, or in the one that is named, and reads the answer.
    pub(crate) async fn turn(&mut self, script: &str, conversation: Option<&str>) -> anyhow::Result<Turn> {
        let began = self.send(script, conversation).await?;
        timeout(LIMIT, self.read(began, false)).await.context("an answer did not end")?
    }

    /// Sends a turn in a conversation of its own and reads the answer, whatever it is.
    pub(crate) async fn try_turn(&mut self, script: &str) -> anyhow::Result<Answered> {
        let began = self.send(script, None).await?;
        let answered = timeout(LIMIT, async {
            let head = self.read_head().await?;
            if self.answer.starts_with(b"HTTP/1.1 503") {
                self.read_refusal(head).await?;
                let is_full = memmem::find(&self.answer, b"\"code\":\"overloaded\"").is_some();
                return Ok(if is_full { Answered::Refused(began.elapsed()) } else { Answered::Failed });
            }
            let turn = self.read_to_end(began, false).await?;
            Ok(if self.is_good() { Answered::Turn(turn) } else { Answered::Failed })
        });
        answered.await.context("an answer did not end")?
    }

    /// Sends a turn and reads up to its first delta; [`Client::finish`] reads the rest.
    pub(crate) async fn open(&mut self, script: &str) -> anyhow::Result<Instant> {
        let began = self.send(script, None).await?;
        timeout(LIMIT, self.read(began, true)).await.context("an answer did not begin")??;
        Ok(began)
    }

    /// Follows the turn that another client has opened, up to its first delta, on a connection of its own.
    pub(crate) async fn follow(other: &Self) -> anyhow::Result<(Self, Instant)> {
        let run = other.header("x-run-id")?;
        let mut client = Self::connect(other.protocol, other.address, &other.user).await?;
        let path = format!("/api/{}/runs/{run}/events", client.user);
        let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", client.address);
        let began = Instant::now();
        client.stream.write_all(request.as_bytes()).await?;
        timeout(LIMIT, client.read(began, true)).await.context("a run could not be followed")??;
        Ok((client, began))
    }

    /// Reads the rest of a turn that was opened.
    pub(crate) async fn finish(&mut self, began: Instant) -> anyhow::Result<Turn> {
        timeout(LIMIT, self.read(began, false)).await.context("an answer did not end")?
    }

    /// Returns the conversation of the last answer.
    pub(crate) fn conversation(&self) -> anyhow::Result<String> {
        self.header("x-conversation-id")
    }

    fn header(&self, name: &str) -> anyhow::Result<String> {
        let answer = String::from_utf8_lossy(&self.answer);
        let mut lines = answer.lines().filter_map(|line| line.split_once(": "));
        let found = lines.find(|(header, _)| *header == name);
        Ok(found.with_context(|| format!("the answer has no {name}"))?.1.trim().to_owned())
    }

    /// Asks for a small page and returns how long that took.
    pub(crate) async fn get(&mut self, path: &str) -> anyhow::Result<Duration> {
        let began = Instant::now();
        let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", self.address);
        self.stream.write_all(request.as_bytes()).await?;
        self.answer.clear();
        self.read_head().await?;
        ensure!(self.answer.starts_with(b"HTTP/1.1 2"), "{}", self.beginning());
        Ok(began.elapsed())
    }

    /// Reads until the head of the answer is there and returns its length.
    async fn read_head(&mut self) -> anyhow::Result<usize> {
        loop {
            if let Some(end) = memmem::find(&self.answer, b"\r\n\r\n") {
                return Ok(end + 4);
            }
            ensure!(self.stream.read_buf(&mut self.answer).await? > 0, "hung up");
        }
    }

    /// Reads the rest of a refusal, which must say when to come back.
    async fn read_refusal(&mut self, head: usize) -> anyhow::Result<()> {
        let said = String::from_utf8_lossy(self.answer.get(..head).unwrap_or_default()).to_lowercase();
        let header = |name: &str| said.lines().find_map(|line| line.strip_prefix(name));
        ensure!(header("retry-after: ").is_some(), "a refusal does not say when to come back: {said}");
        let length: usize = header("content-length: ").context("a refusal without length")?.trim().parse()?;
        while self.answer.len() < head + length {
            ensure!(self.stream.read_buf(&mut self.answer).await? > 0, "hung up");
        }
        Ok(())
    }

    async fn send(&mut self, script: &str, conversation: Option<&str>) -> anyhow::Result<Instant> {
        let body = match (self.protocol, conversation) {
            (Protocol::Bare, _) => format!(
                r#"{{"model":"bench","stream":true,"messages":[{{"role":"user","content":"bench:{script}"}}]}}"#
            ),
            (Protocol::Parlor, None) => format!(r#"{{"message":"bench:{script}"}}"#),
            (Protocol::Parlor, Some(id)) => {
                format!(r#"{{"message":"bench:{script}","conversation_id":"{id}"}}"#)
            }
        };
        let path = match self.protocol {
            Protocol::Bare => "/v1/chat/completions".to_owned(),
            Protocol::Parlor => format!("/api/{}/chat", self.user),
        };
        let (address, length) = (self.address, body.len());
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        self.answer.clear();
        let began = Instant::now();
        self.stream.write_all(request.as_bytes()).await?;
        Ok(began)
    }

    /// Reads to the end of the answer, which must be a good one, or only to its first delta.
    async fn read(&mut self, began: Instant, only_first: bool) -> anyhow::Result<Turn> {
        let turn = self.read_to_end(began, only_first).await?;
        ensure!(only_first || self.is_good(), "a turn went wrong: {}", self.beginning());
        Ok(turn)
    }

    fn is_good(&self) -> bool {
        self.answer.starts_with(b"HTTP/1.1 200") && memmem::rfind(&self.answer, self.protocol.end()).is_some()
    }

    async fn read_to_end(&mut self, began: Instant, only_first: bool) -> anyhow::Result<Turn> {
        let mut turn = Turn::default();
        let (mark, mut seen) = (self.protocol.delta(), 0);
        let mut last = None;
        loop {
            // What was read with the head is looked at before more is waited for.
            let fresh = self.answer.get(seen..).unwrap_or_default();
            let (mut count, mut end) = (0, 0);
            for at in memmem::find_iter(fresh, mark) {
                (count, end) = (count + 1, at + mark.len());
            }
            let now = Instant::now();
            if count > 0 {
                match last {
                    None => turn.first_delta = now - began,
                    Some(last) => turn.largest_gap = turn.largest_gap.max(now - last),
                }
                last = Some(now);
                turn.deltas += count;
                if only_first {
                    return Ok(turn);
                }
            }
            // A mark may be cut in two; what was counted is not looked at again.
            seen = (seen + end).max(self.answer.len().saturating_sub(mark.len() - 1));
            if self.answer.ends_with(b"\r\n0\r\n\r\n") {
                turn.total = now - began;
                return Ok(turn);
            }
            if self.stream.read_buf(&mut self.answer).await? == 0 {
                bail!("hung up behind: {}", self.beginning());
            }
        }
    }

    fn beginning(&self) -> String {
        String::from_utf8_lossy(&self.answer).chars().take(1_500).collect()
    }
}
