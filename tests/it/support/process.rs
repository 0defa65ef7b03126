//! The service as a real process: started, spoken to, and ended in every way a process can end.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use parlor_db::testing::Place;
use reqwest::{Client, Response};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

use super::{soon, stream::Turn};

/// A service process. Its log is shown if the test fails.
pub struct Process {
    child: Child,
    _output: Lines<BufReader<ChildStdout>>,
    log: PathBuf,
    pub base: String,
    http: Client,
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = read(&self.log);
            let lines: Vec<&str> = log.lines().collect();
            eprintln!(
                "--- the end of the service's log\n{}",
                lines[lines.len().saturating_sub(25)..].join("\n")
            );
        }
    }
}

/// How a process ended.
pub struct Ended {
    pub code: Option<i32>,
    pub log: String,
}

/// Returns the command of a service on a database, with nothing else in its environment.
pub fn command(place: &Place, settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_parlor"));
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("DATABASE_URL", place.url.expose())
        .env("TASKS_DATABASE_URL", place.url.beside("tasks.db").expose())
        .env("DATABASE_MAX_CONNECTIONS", "4")
        .env("PORT", "0")
        .env("DEMO_DELTA_MS", "0")
        .envs(settings.iter().copied())
        .current_dir(place.folder())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

impl Process {
    /// Starts a service and waits until it serves.
    pub async fn start(place: &Place, settings: &[(&str, &str)]) -> Self {
        let log = place.folder().join(format!("{}.log", uuid::Uuid::now_v7()));
        let file = std::fs::File::create(&log).unwrap();
        let mut child = command(place, settings).stderr(file).spawn().expect("the service starts");
        let mut output = BufReader::new(child.stdout.take().expect("an output")).lines();
        let hello = soon("the service serves", output.next_line()).await.expect("readable output");
        let Some(base) = hello.as_deref().and_then(|line| line.strip_prefix("Parlor serves on ")) else {
            panic!("the service did not start: {hello:?}\n{}", read(&log));
        };
        Self { base: base.to_owned(), child, _output: output, log, http: Client::new() }
    }

    pub fn id(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id().expect("it runs")).unwrap()).unwrap()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.id(), signal).expect("the process is ours");
    }

    /// Kills the process as the system does when memory is short.
    pub async fn kill(mut self) {
        self.signal(Signal::KILL);
        soon("the process is gone", self.child.wait()).await.unwrap();
    }

    /// Asks the process to end and waits for it.
    pub async fn terminate(self) -> Ended {
        self.signal(Signal::TERM);
        self.ended().await
    }

    /// Waits until the process has ended.
    pub async fn ended(mut self) -> Ended {
        let status = soon("the process ends", self.child.wait()).await.expect("a status");
        Ended { code: status.code(), log: read(&self.log) }
    }

    /// Returns the log so far.
    pub fn log(&self) -> String {
        read(&self.log)
    }

    pub async fn get(&self, path: &str) -> Response {
        soon(path, self.http.get(format!("{}{path}", self.base)).send()).await.unwrap()
    }

    pub async fn post(&self, path: &str, body: Value) -> reqwest::Result<Response> {
        let url = format!("{}{path}", self.base);
        soon(path, self.http.post(url).json(&body).send()).await
    }

    /// Posts with an idempotency key.
    pub async fn keyed(&self, path: &str, key: &str, body: Value) -> Response {
        let request =
            self.http.post(format!("{}{path}", self.base)).header("idempotency-key", key).json(&body);
        soon(path, request.send()).await.unwrap()
    }

    pub async fn read(&self, path: &str) -> Value {
        self.get(path).await.json().await.unwrap()
    }

    /// Says something and returns the stream.
    pub async fn say(&self, user: &str, message: &str, conversation: Option<&str>) -> Turn {
        let body = json!({"message": message, "conversation_id": conversation});
        let response = self.post(&format!("/api/{user}/chat"), body).await.unwrap();
        assert_eq!(response.status(), 200);
        Turn::of(response)
    }
}

fn read(log: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(log).unwrap_or_default()).into_owned()
}

/// Runs a service that is expected to end by itself.
pub async fn run_to_end(mut command: Command) -> (Ended, String) {
    let ended = soon("the program ends", command.output()).await.expect("the program runs");
    let log = String::from_utf8_lossy(&ended.stderr).into_owned();
    (Ended { code: ended.status.code(), log }, String::from_utf8_lossy(&ended.stdout).into_owned())
}

/// Lists the living children of a process.
pub fn children(parent: Pid) -> Vec<i32> {
    let parent = parent.as_raw_nonzero().get();
    let stats = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let stat = std::fs::read_to_string(entry.ok()?.path().join("stat")).ok()?;
        let (id, rest) = stat.split_once(' ')?;
        let mut after_name = rest.rsplit_once(')')?.1.split_whitespace();
        let (state, found) = (after_name.next()?.to_owned(), after_name.next()?.parse::<i32>().ok()?);
        (found == parent && state != "Z").then(|| id.parse().unwrap())
    });
    stats.collect()
}
