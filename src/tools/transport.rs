//! A child process with MCP on its standard input and output: started with little, stopped for certain.

use std::{
    ffi::OsString,
    io,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use rmcp::{RoleClient, transport::async_rw::AsyncRwTransport};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader, DuplexStream},
    process::{Child, ChildStderr, ChildStdin, Command},
    time::timeout,
};

use super::lines::{self, LINE_LIMIT};
use crate::shutdown::Shutdown;

/// How much a child may say ahead of us, in bytes.
const AHEAD: usize = 64 * 1024;

/// The longest piece of a child's log that becomes one line of ours, in bytes.
const LOG_LINE_LIMIT: u64 = 4 * 1024;

/// How long a child may take to end by itself once its input is closed.
const STOP_LIMIT: Duration = Duration::from_secs(3);

/// What is started, and with which environment. Nothing else of ours reaches the child.
#[derive(Clone, Debug)]
pub struct ServerCommand {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Its whole environment.
    pub environment: Vec<(String, String)>,
}

/// The pipes of a child, for the MCP client.
pub(super) type Pipes = AsyncRwTransport<RoleClient, DuplexStream, ChildStdin>;

/// A running child. Dropping it kills it.
pub(super) struct Running {
    child: Child,
    group: Option<Pid>,
}

/// Starts a child in a process group of its own. Its log goes into ours, under the server's name.
pub(super) fn start(
    command: &ServerCommand,
    server: &Arc<str>,
    shutdown: &Shutdown,
) -> io::Result<(Running, Pipes)> {
    let mut child = Command::new(&command.program)
        .args(&command.arguments)
        .env_clear()
        .envs(command.environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    let (Some(input), Some(output), Some(log)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(io::Error::other("the child has no pipes"));
    };
    let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    shutdown.spawn(relay_log(log, Arc::clone(server)));
    let (lines, bounded) = tokio::io::duplex(AHEAD);
    shutdown.spawn(lines::relay(BufReader::new(output), lines));
    Ok((Running { child, group }, Pipes::new_client(bounded, input).with_max_line_length(2 * LINE_LIMIT)))
}

impl Running {
    /// Returns the child's process id while it runs.
    pub(super) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits until the child has ended by itself.
    pub(super) async fn ended(&mut self) {
        let _ = self.child.wait().await;
    }

    /// Waits until the child ends by itself, at most three seconds, then kills it and whatever it started. Its pipes
    /// must be closed before.
    pub(super) async fn stop(mut self) -> Option<ExitStatus> {
        if let Ok(Ok(status)) = timeout(STOP_LIMIT, self.child.wait()).await {
            self.kill_group();
            return Some(status);
        }
        self.kill_group();
        let _ = self.child.start_kill();
        timeout(STOP_LIMIT, self.child.wait()).await.ok()?.ok()
    }

    fn kill_group(&self) {
        if let Some(group) = self.group {
            // An empty group is what we want; there is nothing to do about a refusal.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// Copies a child's log into ours until it ends, in pieces of bounded length.
async fn relay_log(log: ChildStderr, server: Arc<str>) {
    let mut log = BufReader::new(log);
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut log).take(LOG_LINE_LIMIT).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {
                let text = String::from_utf8_lossy(&line);
                let text = text.trim_end();
                if !text.is_empty() {
                    tracing::info!(tool.server = %server, "{server}: {}", text.escape_debug());
                }
            }
        }
    }
}
