//! `parlor chat` as a real process: what is typed into it, and what it shows on both of its streams.

use std::{ffi::OsStr, process::Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
};

use super::soon;

/// A terminal client.
pub struct Terminal {
    child: Child,
    input: Option<ChildStdin>,
    words: Reading<ChildStdout>,
    notes: Reading<ChildStderr>,
}

/// What a client has shown, and how it ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Shown {
    pub code: Option<i32>,
    pub words: String,
    pub notes: String,
}

struct Reading<R> {
    stream: R,
    read: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Reading<R> {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.read).into_owned()
    }

    async fn until(&mut self, what: &str) {
        while !self.text().contains(what) {
            let read = soon(what, self.stream.read_buf(&mut self.read)).await.unwrap();
            assert!(read > 0, "it ended before {what:?}: {:?}", self.text());
        }
    }

    async fn rest(&mut self) -> String {
        soon("the end", self.stream.read_to_end(&mut self.read)).await.unwrap();
        self.text()
    }
}

impl Terminal {
    /// Starts a client of a service.
    pub fn start(url: &str, arguments: &[&str]) -> Self {
        Self::with(url, arguments, [("", ""); 0])
    }

    /// Starts a client with something in its environment.
    pub fn with<K: AsRef<OsStr>, V: AsRef<OsStr>>(
        url: &str,
        arguments: &[&str],
        environment: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_parlor"))
            .env_clear()
            .envs(environment)
            .args(["chat", "--user", "ada", "--url", url])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the client starts");
        let words = Reading { stream: child.stdout.take().expect("an output"), read: Vec::new() };
        let notes = Reading { stream: child.stderr.take().expect("an output"), read: Vec::new() };
        Self { input: child.stdin.take(), child, words, notes }
    }

    /// Types a line.
    pub async fn types(&mut self, line: &str) {
        let input = self.input.as_mut().expect("it still listens");
        input.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    /// Presses Ctrl-C.
    pub fn interrupt(&self) {
        let id = i32::try_from(self.child.id().expect("it runs")).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), Signal::INT).unwrap();
    }

    /// Waits until the answer holds this.
    pub async fn says(&mut self, words: &str) {
        self.words.until(words).await;
    }

    /// Waits until it notes this.
    pub async fn notes(&mut self, note: &str) {
        self.notes.until(note).await;
    }

    /// Ends the input and waits for the end.
    pub async fn ended(mut self) -> Shown {
        drop(self.input.take());
        self.left().await
    }

    /// Waits for the end while the input stays open.
    pub async fn left(mut self) -> Shown {
        let (words, notes) = tokio::join!(self.words.rest(), self.notes.rest());
        let status = soon("the client ends", self.child.wait()).await.unwrap();
        Shown { code: status.code(), words, notes }
    }
}
