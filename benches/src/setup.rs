//! What is measured: the provider, the floor before it, and services on several databases.

use std::{
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use tempfile::TempDir;

use crate::{
    client::{Client, Protocol},
    load::Target,
    processes::Started,
    settings::Settings,
};

/// How long a service may take to answer for the first time.
const START_LIMIT: Duration = Duration::from_secs(20);

/// Where a service keeps what it keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// In a SQLite file on the disk, as it does unless told otherwise.
    OnDisk,
    /// The same on a disk that costs nothing, so that the work itself is seen.
    InMemory,
    /// In Postgres.
    InPostgres,
}

impl Kept {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::OnDisk => "parlor",
            Self::InMemory => "parlor, tmpfs",
            Self::InPostgres => "parlor, postgres",
        }
    }
}

/// The provider and the floor.
pub(crate) struct Ground {
    pub(crate) provider: Target,
    pub(crate) floor: Target,
    _processes: [Started; 2],
}

impl Ground {
    pub(crate) fn start() -> anyhow::Result<Self> {
        let (provider, provider_at) = Started::role(&["provider"])?;
        let (floor, floor_at) = Started::role(&["floor", &provider_at.to_string()])?;
        let target = |name, address, process| Target { name, protocol: Protocol::Bare, address, process };
        Ok(Self {
            provider: target("direct", provider_at, None),
            floor: target("floor", floor_at, Some(floor.process())),
            _processes: [provider, floor],
        })
    }

    /// Ends all answers that the provider holds.
    pub(crate) async fn release(&self) -> anyhow::Result<()> {
        let answer = reqwest::Client::builder().no_proxy().build()?;
        let url = format!("http://{}/release", self.provider.address);
        answer.post(url).timeout(Duration::from_secs(5)).send().await?.error_for_status()?;
        Ok(())
    }
}

/// A running service, with its files, which go with it.
pub(crate) struct Service {
    pub(crate) target: Target,
    pub(crate) process: Started,
    pub(crate) folder: Folder,
}

/// Where a service's data lies between two starts.
pub(crate) struct Folder {
    kept: Kept,
    folder: TempDir,
    postgres: Option<PostgresPlace>,
}

struct PostgresPlace {
    server: String,
    name: String,
}

impl Folder {
    pub(crate) fn new(settings: &Settings, kept: Kept) -> anyhow::Result<Self> {
        let folder = match kept {
            Kept::OnDisk | Kept::InPostgres => TempDir::new()?,
            Kept::InMemory => TempDir::new_in(&settings.memory)?,
        };
        let postgres = match kept {
            Kept::OnDisk | Kept::InMemory => None,
            Kept::InPostgres => {
                let name = format!("parlor_bench_{}", std::process::id());
                psql(&settings.postgres, &format!("CREATE DATABASE {name}"))?;
                Some(PostgresPlace { server: settings.postgres.clone(), name })
            }
        };
        Ok(Self { kept, folder, postgres })
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    fn database(&self) -> Option<String> {
        let PostgresPlace { server, name } = self.postgres.as_ref()?;
        Some(format!("{}/{name}", server.rsplit_once('/')?.0))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Some(PostgresPlace { server, name }) = &self.postgres {
            let _ = psql(server, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        }
    }
}

fn psql(server: &str, statement: &str) -> anyhow::Result<()> {
    let mut command = Command::new("psql");
    let done = command.args([server, "-qc", statement]).env("PGCONNECT_TIMEOUT", "5").output()?;
    anyhow::ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    Ok(())
}

impl Service {
    /// Starts a service with its defaults, but for the provider and for limits beyond all that is measured, and waits until
    /// it listens.
    pub(crate) async fn start(settings: &Settings, ground: &Ground, folder: Folder) -> anyhow::Result<Self> {
        Self::start_with(settings, ground, folder, 20_000).await
    }

    /// Starts a service with nothing stored, in which so many turns may be under way.
    pub(crate) async fn limited(
        settings: &Settings,
        ground: &Ground,
        kept: Kept,
        places: u32,
    ) -> anyhow::Result<Self> {
        Self::start_with(settings, ground, Folder::new(settings, kept)?, places).await
    }

    async fn start_with(
        settings: &Settings,
        ground: &Ground,
        folder: Folder,
        places: u32,
    ) -> anyhow::Result<Self> {
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let mut command = Command::new(&settings.service);
        let log = std::fs::File::create(folder.path().join("log"))?;
        command
            .env_clear()
            .current_dir(folder.path())
            .env("PATH", "/usr/bin:/bin")
            .env("PORT", port.to_string())
            .env("LLM_PROVIDER", "custom")
            .env("LLM_BASE_URL", format!("http://{}/v1", ground.provider.address))
            .env("LLM_MODEL", "bench")
            .env("LLM_API_KEY", "bench")
            .env("MAX_ACTIVE_RUNS", places.to_string())
            .env("MAX_STREAMS", "20000")
            .stderr(Stdio::from(log));
        for name in ["RUST_LOG", "DATABASE_MAX_CONNECTIONS"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        if let Some(database) = folder.database() {
            command.env("DATABASE_URL", database);
        }
        let mut process = Started::program(&mut command)?;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        wait_until_it_listens(&mut process, address)
            .await
            .with_context(|| std::fs::read_to_string(folder.path().join("log")).unwrap_or_default())?;
        let process_id = Some(process.process());
        let target =
            Target { name: folder.kept.name(), protocol: Protocol::Parlor, address, process: process_id };
        Ok(Self { target, process, folder })
    }

    /// Starts a service with nothing stored.
    pub(crate) async fn fresh(settings: &Settings, ground: &Ground, kept: Kept) -> anyhow::Result<Self> {
        Self::start(settings, ground, Folder::new(settings, kept)?).await
    }

    /// Stops the service and returns what it has stored.
    pub(crate) fn stop(self) -> Folder {
        drop(self.process);
        self.folder
    }
}

async fn wait_until_it_listens(process: &mut Started, address: SocketAddr) -> anyhow::Result<()> {
    let began = Instant::now();
    while began.elapsed() < START_LIMIT {
        process.check()?;
        if let Ok(mut client) = Client::connect(Protocol::Parlor, address, "nobody").await
            && client.get("/health/live").await.is_ok()
        {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    bail!("the service did not begin to listen")
}
