//! The composition root: builds the house from the configuration, in the order that the promises need.
//!
//! Lock, migrate, bind the port, end what an earlier process left while the tool server starts, and only then serve.

mod check;
mod models;
mod tide;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use parlor_db::{DatabaseUrl, Db, FileLock, migrate};
use tokio::net::TcpListener;

pub use check::{Finding, Outcome, reach_out};
pub use models::{models, steady};

use crate::{
    agent::{Agent, Calibration, Hands, Limits, instructions::instructions},
    auth::Auth,
    clock::Clock,
    config::{self, AuthMode, Config, HangUp, Hosts, Origins, Recovery},
    desks::Desks,
    domain::Models,
    http::{
        self, Allowed, App, AppState, Description, ForeignOrigins, HostGuard, OnDisconnect, Seats, ToolHealth,
    },
    policy::AllowAll,
    runs::{Recovered, RunSettings, Runs},
    shutdown::Shutdown,
    store::Store,
    tools::{Hub, ServerCommand, ServerSettings, ToolServer},
};

/// How long a start waits for a database that is down.
const DATABASE_PATIENCE: Duration = Duration::from_secs(10);

/// How long interrupted runs may take to be stored as such.
const INTERRUPT_LIMIT: Duration = Duration::from_secs(10);

/// How long connections and the tool server may take to end.
const END_LIMIT: Duration = Duration::from_secs(8);

/// How many connections there may be beside those that listen to a run: for health, lists and the page.
const SPARE_CONNECTIONS: usize = 1024;

/// The name of the task server, for tools, logs and health.
const TASK_SERVER: &str = "tasks";

/// A running service.
pub struct Service {
    address: SocketAddr,
    shutdown: Shutdown,
    tools: Arc<Hub>,
    store: Store,
    grace: Duration,
    _lock: Option<FileLock>,
    _desks: Arc<Desks>,
}

impl Service {
    /// Starts the service and returns once it is ready.
    ///
    /// # Errors
    /// What keeps it from starting, named: the lock, the database, the port.
    pub async fn start(config: &Config, models: Models, clock: Clock) -> anyhow::Result<Self> {
        let shutdown = Shutdown::default();
        let lock = serve_lock(&config.storage.database)?;
        migrate_all(&config.storage).await?;
        let listener = bind(&config.http).await?;
        let address = listener.local_addr().context("the port has no address")?;
        let db = Db::open(&config.storage.database, config.storage.max_connections);
        let store = Store::new(db, clock.clone());
        let tools = Arc::new(Hub::new(vec![ToolServer::start(task_server(config), &shutdown)]));
        let runs = runs(config, models, Arc::clone(&tools), &store, clock.clone(), &shutdown);
        let recovered = runs.recover().await.context("runs of an earlier process could not be settled")?;
        log_recovered(&recovered);
        runs.keep_order();
        for server in tools.servers() {
            server.settled().await;
        }
        runs.go_on(recovered.taken_up);
        shutdown.spawn(tide::give_back(shutdown.clone()));
        let auth = Auth::start(&config.auth.mode, clock.clone()).await?;
        shutdown.spawn(keep_keys_fresh(auth.clone(), shutdown.clone()));
        let app = app(config, auth, clock, runs, &store, &tools, &shutdown);
        let connections = config.http.max_streams.saturating_add(SPARE_CONNECTIONS);
        let desks = Arc::new(Desks::open().context("a thread for connections could not be started")?);
        let router = http::router(app);
        let serving = http::serve(listener, router, shutdown.clone(), connections, Arc::clone(&desks));
        shutdown.spawn(serving);
        Ok(Self {
            address,
            shutdown,
            tools,
            store,
            grace: config.run.shutdown_grace,
            _lock: lock,
            _desks: desks,
        })
    }

    /// Returns where the service listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops the service: running turns get the grace, what is left is ended as interrupted, and clients are told.
    pub async fn stop(self) {
        tracing::info!("stopping: nothing new begins");
        self.shutdown.drain();
        if !self.shutdown.runs_done(self.grace).await {
            tracing::warn!("the grace is over; runs are interrupted");
            self.shutdown.interrupt();
            if !self.shutdown.runs_done(INTERRUPT_LIMIT).await {
                tracing::error!("some runs could not be ended; the next start ends them");
            }
        }
        self.shutdown.end();
        // A turn that was accepted in the very last moment.
        self.shutdown.runs_done(INTERRUPT_LIMIT).await;
        for server in self.tools.servers() {
            server.stop();
        }
        if !self.shutdown.tasks_done(END_LIMIT).await {
            tracing::warn!("some connections did not end in time");
        }
        self.store.close().await;
        tracing::info!("stopped");
    }
}

/// Brings both databases to the current schema.
pub async fn migrate_all(storage: &config::Storage) -> anyhow::Result<()> {
    let (service, tasks) = (Store::migrations(), parlor_tasks::migrations());
    migrate(&storage.database, &service, DATABASE_PATIENCE).await.context("DATABASE_URL")?;
    migrate(&storage.tasks, &tasks, DATABASE_PATIENCE).await.context("TASKS_DATABASE_URL")
}

/// Makes sure that no other service works on the same file, for as long as the lock is held.
fn serve_lock(database: &DatabaseUrl) -> anyhow::Result<Option<FileLock>> {
    match database {
        DatabaseUrl::Sqlite(path) => {
            let lock = FileLock::take(path, "serve");
            Ok(Some(lock.with_context(|| format!("another service uses {}", path.display()))?))
        }
        DatabaseUrl::Postgres(_) => Ok(None),
    }
}

async fn bind(settings: &config::Http) -> anyhow::Result<TcpListener> {
    let host = settings.host.to_string();
    let place = (host.trim_matches(['[', ']']), settings.port);
    TcpListener::bind(place)
        .await
        .with_context(|| format!("HOST, PORT: cannot listen on {host}:{}", settings.port))
}

/// Says how the task server is started.
fn task_server(config: &Config) -> ServerSettings {
    let (program, arguments) = match &config.mcp.command {
        Some(command) => (command.program.clone(), command.arguments.iter().map(Into::into).collect()),
        None => ("/proc/self/exe".into(), vec!["mcp-server".into(), "--supervised".into()]),
    };
    let mut environment = config.mcp.environment.clone();
    environment.push(("TASKS_DATABASE_URL".into(), config.storage.tasks.expose()));
    ServerSettings {
        name: TASK_SERVER.into(),
        command: ServerCommand { program, arguments, environment },
        call_limit: config.mcp.timeout,
    }
}

fn log_recovered(recovered: &Recovered) {
    if recovered.ended > 0 {
        tracing::warn!(runs = recovered.ended, "runs of an earlier process were ended");
    }
    if recovered.taken_up.count() > 0 {
        tracing::info!(runs = recovered.taken_up.count(), "runs of an earlier process go on");
    }
}

fn runs(
    config: &Config,
    models: Models,
    tools: Arc<Hub>,
    store: &Store,
    clock: Clock,
    shutdown: &Shutdown,
) -> Runs {
    let agent = Agent {
        hands: Hands::new(tools, Arc::new(AllowAll)),
        instructions: instructions(&config.agent.name, config.agent.instructions.as_deref()),
        limits: Limits {
            max_turns: config.agent.max_turns as usize,
            history_tokens: config.agent.max_history_tokens,
            tells_reasoning: config.agent.tells_reasoning,
            idle: config.model.idle_timeout,
        },
        calibration: Calibration::default(),
    };
    let settings = RunSettings {
        timeout: config.run.timeout,
        live_log: config.run.live_log,
        idempotency: config.run.idempotency,
        attempts: match config.run.recovery {
            Recovery::Resume => config.run.max_attempts,
            Recovery::Interrupt => 1,
        },
        most: config.run.most_active,
    };
    Runs::new(agent, models, store.clone(), clock, shutdown.clone(), settings)
}

/// Keeps the keys of tokens fresh until connections end.
async fn keep_keys_fresh(auth: Auth, shutdown: Shutdown) {
    tokio::select! {
        () = auth.keep_fresh() => {}
        () = shutdown.ended() => {}
    }
}

fn app(
    config: &Config,
    auth: Auth,
    clock: Clock,
    runs: Runs,
    store: &Store,
    tools: &Arc<Hub>,
    shutdown: &Shutdown,
) -> App {
    let tools = Arc::clone(tools);
    let tool_health = move || {
        let servers = tools.servers().iter();
        servers.map(|server| ToolHealth { name: server.name().to_string(), is_up: server.is_up() }).collect()
    };
    App::new(AppState {
        runs,
        store: store.clone(),
        shutdown: shutdown.clone(),
        tool_health: Box::new(tool_health),
        guard: guard(&config.http, &config.auth.mode),
        auth,
        clock,
        description: Description::default(),
        heartbeat: config.http.heartbeat,
        on_disconnect: match config.http.chatkit_on_disconnect {
            HangUp::Cancel => OnDisconnect::Cancel,
            HangUp::Continue => OnDisconnect::Continue,
        },
        seats: Seats::new(config.http.max_streams),
        max_body_bytes: config.http.max_body_bytes,
    })
}

/// Without tokens only this machine is answered. With them any host is, unless some are named, and pages are let in by
/// name only.
fn guard(settings: &config::Http, mode: &AuthMode) -> HostGuard {
    let (unnamed_hosts, unnamed_origins, foreign) = match mode {
        AuthMode::None => (Some(Allowed::ThisMachine), Allowed::ThisMachine, ForeignOrigins::Refuse),
        AuthMode::Jwt(_) => (None, Allowed::Only(Vec::new()), ForeignOrigins::Ignore),
    };
    let hosts = match &settings.allowed_hosts {
        Hosts::Unnamed => unnamed_hosts,
        Hosts::Only(hosts) => Some(Allowed::Only(hosts.clone())),
    };
    let origins = match &settings.origins {
        Origins::Unnamed => unnamed_origins,
        Origins::Only(origins) => Allowed::Only(origins.clone()),
    };
    HostGuard { hosts, origins, foreign }
}
