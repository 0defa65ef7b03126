//! The server as a process: MCP over standard input and output, one message per line, and a clean end.
//!
//! Standard output belongs to the protocol; everything else goes to the log. The end of standard input is the order to
//! stop: what is in flight is finished first. A supervised server ignores SIGINT and SIGTERM, because a terminal sends
//! them to the whole group and the service still needs its tools while it drains.

use std::{future, io, time::Duration};

use parlor_db::{Db, MigrateError, migrate};
use rmcp::{
    RoleServer, ServiceExt as _,
    service::{QuitReason, RunningService, ServerInitializeError},
    transport::{async_rw::AsyncRwTransport, stdio_pipes},
};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{
    identity::Trust,
    opening::Opening,
    server::TaskServer,
    settings::{Mode, Settings},
    store::{TaskStore, migrations},
};

/// The longest message, in bytes. The largest sound call is far below it; a longer line is dropped unread.
const LINE_LIMIT: usize = 1024 * 1024;

/// How many connections to the database there may be.
const CONNECTION_LIMIT: u32 = 8;

/// How long a server that runs alone waits for its database at the start.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why the server could not begin, or did not end well.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The database cannot be prepared.
    #[error("the task database cannot be prepared")]
    Migrate(#[from] MigrateError),
    /// The process cannot be set up.
    #[error("the process cannot be set up")]
    Process(#[source] io::Error),
    /// The service that started this process is gone.
    #[error("the service that started this server is gone")]
    Orphaned,
    /// The host did not open a session.
    #[error("the host did not open a session")]
    Session(#[source] Box<ServerInitializeError>),
    /// The protocol loop died.
    #[error("the protocol loop died")]
    Loop(#[source] tokio::task::JoinError),
}

/// Serves on standard input and output until the input ends or, alone, until SIGINT or SIGTERM. Installs no log
/// subscriber; whoever installs one must send it to standard error.
pub async fn serve_stdio(settings: Settings) -> Result<(), ServeError> {
    let signals = Signals::install().map_err(ServeError::Process)?;
    let (trust, signals) = match settings.mode {
        Mode::Supervised => {
            die_with_parent()?;
            (Trust::Host, signals.ignored())
        }
        Mode::Alone { user } => {
            migrate(&settings.database, &migrations(), PATIENCE).await?;
            (Trust::OneUser(user), signals)
        }
    };
    let store = TaskStore::new(Db::open(&settings.database, CONNECTION_LIMIT));
    let ended = serve(TaskServer::new(store.clone(), trust, settings.access), signals).await;
    store.close().await;
    ended
}

async fn serve(server: TaskServer, mut signals: Signals) -> Result<(), ServeError> {
    let (input, output) = stdio_pipes();
    let lines = AsyncRwTransport::new_server(input, output).with_max_line_length(LINE_LIMIT);
    let opened = tokio::select! {
        opened = server.serve(Opening::new(lines)) => opened,
        () = signals.stop() => return Ok(()),
    };
    match opened {
        Ok(running) => run(running, signals).await,
        // The input ended before anything was asked.
        Err(ServerInitializeError::ConnectionClosed(_) | ServerInitializeError::Cancelled) => Ok(()),
        Err(error) => Err(ServeError::Session(Box::new(error))),
    }
}

async fn run(
    running: RunningService<RoleServer, TaskServer>,
    mut signals: Signals,
) -> Result<(), ServeError> {
    let stop = running.cancellation_token();
    let mut waiting = std::pin::pin!(running.waiting());
    let ended = tokio::select! {
        ended = &mut waiting => ended,
        () = signals.stop() => {
            stop.cancel();
            waiting.await
        }
    };
    match ended {
        Ok(QuitReason::JoinError(error)) | Err(error) => Err(ServeError::Loop(error)),
        Ok(reason) => {
            tracing::info!(?reason, "the task server ended");
            Ok(())
        }
    }
}

/// The signals that ask a process to stop. While this lives they do nothing by themselves.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    is_obeyed: bool,
}

impl Signals {
    fn install() -> io::Result<Self> {
        let interrupt = signal(SignalKind::interrupt())?;
        Ok(Self { interrupt, terminate: signal(SignalKind::terminate())?, is_obeyed: true })
    }

    fn ignored(self) -> Self {
        Self { is_obeyed: false, ..self }
    }

    /// Waits for a signal to stop; for ever if they are ignored.
    async fn stop(&mut self) {
        if !self.is_obeyed {
            return future::pending().await;
        }
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Has the system kill this process when the one that started it dies. A parent that died before is noticed by the
/// end of standard input; one that dies while this is being arranged, by its changed number.
#[cfg(target_os = "linux")]
fn die_with_parent() -> Result<(), ServeError> {
    use rustix::process::{Signal, getppid, set_parent_process_death_signal};

    let parent = getppid();
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(|error| ServeError::Process(error.into()))?;
    if getppid() == parent { Ok(()) } else { Err(ServeError::Orphaned) }
}

/// Relies on the end of standard input where the system cannot tell of a parent's death.
#[cfg(not(target_os = "linux"))]
fn die_with_parent() -> Result<(), ServeError> {
    Ok(())
}
