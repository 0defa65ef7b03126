//! The real server as a child process, spoken to line by line. Every wait has a limit.

use std::{
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use parlor_db::{DatabaseUrl, migrate};
use parlor_tasks::migrations;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use crate::shop::LIMIT;

/// A running server and the pipes to it.
pub(crate) struct Wire {
    pub(crate) child: Child,
    pub(crate) folder: TempDir,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
    last_id: i64,
}

/// Returns the command that runs the server, with nothing in its environment but where the tasks are.
pub(crate) fn command(folder: &Path) -> Command {
    command_of(env!("CARGO_BIN_EXE_parlor-tasks"), folder)
}

fn command_of(program: &str, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(folder)
        .env_clear()
        .env("TASKS_DATABASE_URL", "sqlite://tasks.db")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Makes a folder with a database as the service would have prepared it.
pub(crate) async fn prepared_folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let url = DatabaseUrl::parse("sqlite://tasks.db", folder.path()).unwrap();
    migrate(&url, &migrations(), Duration::ZERO).await.unwrap();
    folder
}

/// Waits for the end of a process that is expected to end by itself, and returns how it did and what it said.
pub(crate) async fn end_of(mut child: Child) -> (ExitStatus, String) {
    let mut said = String::new();
    let ended = async {
        child.stderr.take().unwrap().read_to_string(&mut said).await.unwrap();
        child.wait().await.unwrap()
    };
    let status = tokio::time::timeout(LIMIT, ended).await.expect("it ends");
    (status, said)
}

impl Wire {
    pub(crate) async fn supervised() -> Self {
        let folder = prepared_folder().await;
        let command = command(folder.path());
        Self::start(folder, command, &["--supervised"])
    }

    pub(crate) async fn read_only() -> Self {
        let folder = prepared_folder().await;
        let mut command = command(folder.path());
        command.env("READ_ONLY", "true");
        Self::start(folder, command, &["--supervised"])
    }

    pub(crate) fn alone(user: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = command(folder.path());
        command.env("TASK_USER_ID", user);
        Self::start(folder, command, &[])
    }

    /// Starts the server as the child of a shell that is our child.
    pub(crate) async fn under_a_shell() -> Self {
        let folder = prepared_folder().await;
        let mut shell = command_of("/bin/sh", folder.path());
        shell.args(["-c", "exec 3<&0; \"$0\" --supervised <&3 & wait", env!("CARGO_BIN_EXE_parlor-tasks")]);
        Self::start(folder, shell, &[])
    }

    fn start(folder: TempDir, mut command: Command, arguments: &[&str]) -> Self {
        let mut child = command.args(arguments).spawn().unwrap();
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, folder, input, output, last_id: 0 }
    }

    /// Kills the server where it stands and starts another on the same tasks.
    pub(crate) async fn restart(&mut self) {
        self.child.kill().await.unwrap();
        let mut child = command(self.folder.path()).arg("--supervised").spawn().unwrap();
        self.input = child.stdin.take();
        self.output = BufReader::new(child.stdout.take().unwrap()).lines();
        self.child = child;
    }

    /// Writes a line as it is.
    pub(crate) async fn line(&mut self, text: &str) {
        let input = self.input.as_mut().unwrap();
        let writing = async {
            input.write_all(text.as_bytes()).await.unwrap();
            input.write_all(b"\n").await.unwrap();
        };
        tokio::time::timeout(LIMIT, writing).await.expect("the server reads");
    }

    /// Reads the next message.
    pub(crate) async fn next(&mut self) -> Value {
        let line = tokio::time::timeout(LIMIT, self.output.next_line()).await.expect("the server answers");
        serde_json::from_str(&line.unwrap().expect("the server lives")).unwrap()
    }

    /// Reads what comes until the server closes its output; `None` if nothing does.
    pub(crate) async fn last_words(&mut self) -> Option<String> {
        tokio::time::timeout(LIMIT, self.output.next_line()).await.expect("it ends").unwrap()
    }

    /// Sends a request in the current protocol, without waiting, and returns its id.
    pub(crate) async fn send(&mut self, method: &str, mut params: Value) -> i64 {
        self.last_id += 1;
        let meta = params["_meta"].take();
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        for (name, value) in meta.as_object().into_iter().flatten() {
            params["_meta"][name] = value.clone();
        }
        let request = json!({ "jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params });
        self.line(&request.to_string()).await;
        self.last_id
    }

    /// Sends a request and returns the answer to it.
    pub(crate) async fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.send(method, params).await;
        loop {
            let message = self.next().await;
            if message["id"] == id {
                return message;
            }
        }
    }

    /// Calls a tool with a whole `_meta` and returns the result.
    pub(crate) async fn call_with(&mut self, meta: Value, tool: &str, arguments: Value) -> Value {
        let params = json!({ "name": tool, "arguments": arguments, "_meta": meta });
        let mut answer = self.ask("tools/call", params).await;
        assert_eq!(answer["error"], Value::Null);
        answer["result"].take()
    }

    /// Calls a tool for a user and returns the result.
    pub(crate) async fn call(&mut self, user: &str, tool: &str, arguments: Value) -> Value {
        self.call_with(json!({ "dev.parlor/user-id": user }), tool, arguments).await
    }

    /// Returns the titles in a user's list.
    pub(crate) async fn titles(&mut self, user: &str) -> Vec<String> {
        let list = self.call(user, "list_tasks", json!({})).await;
        let tasks = list["structuredContent"]["tasks"].as_array().unwrap();
        tasks.iter().map(|task| task["title"].as_str().unwrap().to_owned()).collect()
    }

    /// Closes the server's input and waits for its end. What it still had to say is returned, too.
    pub(crate) async fn end(mut self) -> (ExitStatus, Vec<Value>) {
        self.finish().await
    }

    /// Ends the server and returns the folder with its tasks.
    pub(crate) async fn end_and_keep(mut self) -> TempDir {
        assert!(self.finish().await.0.success());
        self.folder
    }

    async fn finish(&mut self) -> (ExitStatus, Vec<Value>) {
        drop(self.input.take());
        let mut rest = Vec::new();
        let ending = async {
            while let Some(line) = self.output.next_line().await.unwrap() {
                rest.push(serde_json::from_str(&line).unwrap());
            }
            self.child.wait().await.unwrap()
        };
        let status = tokio::time::timeout(LIMIT, ending).await.expect("it ends");
        (status, rest)
    }
}

/// Returns what a tool said to those who read only text.
pub(crate) fn text(result: &Value) -> &str {
    assert_eq!(result["content"].as_array().unwrap().len(), 1);
    result["content"][0]["text"].as_str().unwrap()
}

/// Returns the code of a refusal, and checks that it is told in both ways.
pub(crate) fn code(result: &Value) -> &str {
    assert_eq!(result["isError"], true, "{result}");
    assert_eq!(result["structuredContent"]["message"], text(result));
    result["structuredContent"]["code"].as_str().unwrap()
}
