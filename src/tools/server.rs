//! One supervised tool server: started, watched, and started again when it dies.

use std::{sync::Arc, time::Duration};

use rmcp::{
    Peer, RoleClient,
    model::{ClientConfig, Implementation, ProtocolVersion},
    service::{ClientCacheConfig, ClientLifecycleMode, ClientServiceExt, RunningService},
};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::{
    call,
    transport::{self, Running, ServerCommand},
};
use crate::{
    domain::{Principal, Tool, ToolCall, ToolError, ToolOutput},
    shutdown::Shutdown,
};

/// How long a server may take from its start to its list of tools.
const START_LIMIT: Duration = Duration::from_secs(10);

/// How long a list of tools waits for a server that is being started again.
const LIST_PATIENCE: Duration = Duration::from_secs(3);

/// How long a call does: as long as it takes to stop a server that hangs and to start another.
const CALL_PATIENCE: Duration = Duration::from_secs(8);

/// How long after its death a server is started again, the first time.
const FIRST_DELAY: Duration = Duration::from_millis(100);

/// How long at most: a server that dies at every start gets two starts a minute.
const LONGEST_DELAY: Duration = Duration::from_secs(30);

/// How long closing a connection may take.
const HANG_UP_LIMIT: Duration = Duration::from_secs(1);

/// How long a server in doubt may take to show that it is there.
const PROBE_LIMIT: Duration = Duration::from_secs(2);

/// A server that lived this long counts as healthy: its next death is the first again. Shorter for the matrix, which
/// kills a thousand of them.
const HEALTHY_LIFE: Duration =
    if cfg!(feature = "failpoints") { Duration::from_millis(100) } else { Duration::from_secs(20) };

/// What a server is and how it is spoken to.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// The name by which tools, logs and health know it.
    pub name: Arc<str>,
    /// How it is started.
    pub command: ServerCommand,
    /// How long a call may take.
    pub call_limit: Duration,
}

/// A tool server. Cloning is cheap; all clones speak to the same process.
#[derive(Clone)]
pub struct ToolServer {
    settings: Arc<ServerSettings>,
    state: watch::Receiver<State>,
    stop: CancellationToken,
}

#[derive(Clone)]
enum State {
    Starting,
    Up(Session),
    Down { next_start: Instant },
    Stopped,
}

/// A connection to one life of the server.
#[derive(Clone)]
pub(super) struct Session {
    peer: Peer<RoleClient>,
    pub(super) tools: Arc<[Tool]>,
    /// Cancelled when a call found the connection broken: nobody may use it again.
    broken: CancellationToken,
    /// Told when a call got no answer in time: is the server still there at all?
    doubted: Arc<Notify>,
}

impl ToolServer {
    /// Starts a server and keeps it running until [`ToolServer::stop`].
    pub fn start(settings: ServerSettings, shutdown: &Shutdown) -> Self {
        let (tell, state) = watch::channel(State::Starting);
        let server = Self { settings: Arc::new(settings), state, stop: CancellationToken::new() };
        let supervisor = Supervisor {
            settings: Arc::clone(&server.settings),
            tell,
            stop: server.stop.clone(),
            shutdown: shutdown.clone(),
        };
        shutdown.spawn(supervisor.keep_running());
        server
    }

    /// Returns the server's name.
    pub fn name(&self) -> &Arc<str> {
        &self.settings.name
    }

    /// Waits until the server is up or its first start has failed, at most as long as a start may take.
    pub async fn settled(&self) {
        let mut state = self.state.clone();
        let _ = timeout(START_LIMIT, state.wait_for(|state| !matches!(state, State::Starting))).await;
    }

    /// Tells whether the server answers.
    pub fn is_up(&self) -> bool {
        matches!(*self.state.borrow(), State::Up(_))
    }

    /// Lists its tools; none if it is down. Waits a moment for a server that is being started again.
    pub async fn tools(&self) -> Arc<[Tool]> {
        self.session(LIST_PATIENCE).await.map_or_else(Arc::default, |session| session.tools)
    }

    /// Makes a call on behalf of the principal. Waits a moment for a server that is being started again.
    pub async fn call(&self, principal: &Principal, call: &ToolCall) -> Result<ToolOutput, ToolError> {
        let Some(session) = self.session(CALL_PATIENCE).await else {
            return Err(ToolError::Unavailable { server: self.name().to_string() });
        };
        let outcome = call::call(&session.peer, principal, call, self.settings.call_limit).await;
        match &outcome {
            Err(ToolError::Lost { .. }) => session.broken.cancel(),
            Err(ToolError::Timeout { .. }) => session.doubted.notify_one(),
            Ok(_) | Err(ToolError::Unavailable { .. } | ToolError::Refused { .. }) => {}
        }
        outcome
    }

    /// Closes the server's input, so that it ends once it has answered. Shutdown waits for it.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Finds the session of a server that is up, or will be soon. One that dies at every start is not waited for.
    async fn session(&self, patience: Duration) -> Option<Session> {
        let deadline = Instant::now() + patience;
        let mut state = self.state.clone();
        let settled = state.wait_for(|state| match state {
            State::Up(session) => !session.broken.is_cancelled() && !session.peer.is_transport_closed(),
            State::Down { next_start } => *next_start > deadline,
            State::Stopped => true,
            State::Starting => false,
        });
        match timeout_at(deadline, settled).await {
            Ok(Ok(state)) => match &*state {
                State::Up(session) => Some(session.clone()),
                State::Starting | State::Down { .. } | State::Stopped => None,
            },
            Ok(Err(_)) | Err(_) => None,
        }
    }
}

/// The task that keeps a server running.
struct Supervisor {
    settings: Arc<ServerSettings>,
    tell: watch::Sender<State>,
    stop: CancellationToken,
    shutdown: Shutdown,
}

impl Supervisor {
    async fn keep_running(self) {
        let name = Arc::clone(&self.settings.name);
        let mut delay = Duration::ZERO;
        while !self.stop.is_cancelled() {
            let started = Instant::now();
            let reason = self.run_once().await;
            if self.stop.is_cancelled() {
                break;
            }
            delay = delay_after(started.elapsed(), delay);
            self.tell.send_replace(State::Down { next_start: Instant::now() + delay });
            let delay_ms = delay.as_millis();
            tracing::warn!(tool.server = %name, delay_ms, reason, "tool server `{name}` is down, starting it again");
            tokio::select! {
                () = sleep(delay) => {}
                () = self.stop.cancelled() => {}
            }
        }
        self.tell.send_replace(State::Stopped);
        tracing::info!(tool.server = %name, "tool server `{name}` is stopped");
    }

    /// Starts the server, waits until it ends or is to stop, and returns why it is down.
    async fn run_once(&self) -> String {
        let settings = &self.settings;
        let (running, pipes) = match transport::start(&settings.command, &settings.name, &self.shutdown) {
            Ok(started) => started,
            Err(error) => return format!("it cannot be started: {error}"),
        };
        let opened = tokio::select! {
            opened = timeout(START_LIMIT, open(pipes, settings)) => opened,
            () = self.stop.cancelled() => Ok(Err("stopped".into())),
        };
        match opened {
            Ok(Ok((client, session))) => {
                self.report_up(&running, &session);
                self.tell.send_replace(State::Up(session.clone()));
                self.serve(client, &session, running).await
            }
            Ok(Err(reason)) => ended(reason, running).await,
            Err(_elapsed) => ended("it did not answer in time".into(), running).await,
        }
    }

    fn report_up(&self, running: &Running, session: &Session) {
        let name = &self.settings.name;
        let (pid, tools) = (running.id(), session.tools.len());
        tracing::info!(tool.server = %name, process.id = pid, tool.count = tools, "tool server `{name}` is up");
    }

    /// Watches over one life of the server and returns why it ended.
    async fn serve(
        &self,
        client: RunningService<RoleClient, ClientConfig>,
        session: &Session,
        mut running: Running,
    ) -> String {
        let hang_up = client.cancellation_token();
        let mut closed = std::pin::pin!(client.waiting());
        let (reason, is_open) = tokio::select! {
            _ = &mut closed => ("its connection closed", false),
            () = running.ended() => ("it ended", true),
            () = session.broken.cancelled() => ("a call found its connection broken", true),
            () = self.until_silent(session) => ("it does not answer any more", true),
            () = self.stop.cancelled() => ("stopped", true),
        };
        session.broken.cancel();
        if is_open {
            // Closing the client closes the child's input.
            hang_up.cancel();
            let _ = timeout(HANG_UP_LIMIT, closed).await;
        }
        ended(reason.into(), running).await
    }

    /// Waits until a call was not answered in time and the server does not even list its tools.
    async fn until_silent(&self, session: &Session) {
        loop {
            session.doubted.notified().await;
            if call::list(&session.peer, &self.settings.name, PROBE_LIMIT).await.is_err() {
                return;
            }
        }
    }
}

pub(super) async fn ended(reason: String, running: Running) -> String {
    match running.stop().await {
        Some(status) => format!("{reason} ({status})"),
        None => reason,
    }
}

/// Shakes hands and lists the tools: once per start.
pub(super) async fn open(
    pipes: transport::Pipes,
    settings: &ServerSettings,
) -> Result<(RunningService<RoleClient, ClientConfig>, Session), String> {
    let mut us = ClientConfig::default();
    us.client_info = Implementation::new("parlor", env!("CARGO_PKG_VERSION"));
    let lifecycle = ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] };
    let client = us.serve_with_lifecycle(pipes, lifecycle).await.map_err(|error| error.to_string())?;
    let peer = client.peer().clone();
    // The client's own cache knows no users: what it kept for one it would hand to another.
    peer.set_response_cache_config(ClientCacheConfig::disabled()).await;
    let tools = call::list(&peer, &settings.name, START_LIMIT).await?;
    let session = Session { peer, tools, broken: CancellationToken::new(), doubted: Arc::default() };
    Ok((client, session))
}

/// Doubles the delay while a server dies soon after each start.
fn delay_after(life: Duration, last: Duration) -> Duration {
    if life >= HEALTHY_LIFE { FIRST_DELAY } else { (last * 2).clamp(FIRST_DELAY, LONGEST_DELAY) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_dies_at_every_start_is_started_ever_more_rarely() {
        let mut delay = Duration::ZERO;
        let delays: Vec<u128> = (0..10)
            .map(|_| {
                delay = delay_after(Duration::from_millis(5), delay);
                delay.as_millis()
            })
            .collect();
        assert_eq!(delays, [100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000]);
        assert_eq!(delay_after(HEALTHY_LIFE, delay), FIRST_DELAY);
    }
}
