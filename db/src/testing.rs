//! Real databases for tests: a fresh one per test, on SQLite and on Postgres.
//!
//! Postgres is found by `TEST_DATABASE_URL`. Where it is not reachable, a test says so loudly and passes; with `CI`
//! set it fails.

use std::{path::Path, sync::LazyLock, time::Duration};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};

use crate::{DatabaseUrl, Migrations, migrate};

/// Where Postgres is looked for.
const DEFAULT_SERVER: &str = "postgres://postgres@127.0.0.1:5432/postgres";

/// The Postgres lock under which a template is built; any number will do that nobody else uses.
const TEMPLATE_LOCK: i64 = 7_061_726;

/// One process builds one template at a time.
static BUILDING: LazyLock<tokio::sync::Mutex<()>> = LazyLock::new(tokio::sync::Mutex::default);

/// Which database a test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// A SQLite file in a folder of its own.
    Sqlite,
    /// A Postgres database of its own.
    Postgres,
}

/// A fresh database, gone when this is dropped.
#[derive(Debug)]
pub struct Place {
    /// The database.
    pub url: DatabaseUrl,
    /// Which one it is.
    pub engine: Engine,
    folder: tempfile::TempDir,
    postgres: Option<PostgresPlace>,
}

#[derive(Debug)]
struct PostgresPlace {
    server: String,
    name: String,
}

impl Place {
    /// Makes a fresh database with the given migrations done. `None` says that there is no Postgres here.
    pub async fn fresh(engine: Engine, migrations: Vec<Migrations>) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        match engine {
            Engine::Sqlite => {
                let url = DatabaseUrl::parse("sqlite://test.db", folder.path()).expect("a good address");
                for set in &migrations {
                    migrate(&url, set, Duration::ZERO).await.expect("migrations run");
                }
                Some(Self { url, engine, folder, postgres: None })
            }
            Engine::Postgres => {
                let server = server();
                let mut admin = connect(&server).await?;
                let template = template(&server, &mut admin, migrations).await;
                let name = format!("parlor_test_{}", uuid::Uuid::now_v7().simple());
                command(&mut admin, format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
                let url =
                    DatabaseUrl::parse(&address(&server, &name), folder.path()).expect("a good address");
                Some(Self { url, engine, folder, postgres: Some(PostgresPlace { server, name }) })
            }
        }
    }

    /// Returns a folder of the test's own.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(PostgresPlace { server, name }) = self.postgres.take() else { return };
        let dropping = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                if let Some(mut admin) = connect(&server).await {
                    command(&mut admin, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
                }
            });
        });
        let _ = dropping.join();
    }
}

fn server() -> String {
    std::env::var("TEST_DATABASE_URL").unwrap_or_else(|_| DEFAULT_SERVER.into())
}

/// Returns the address of another database on the same server.
fn address(server: &str, name: &str) -> String {
    let (front, _) = server.rsplit_once('/').expect("TEST_DATABASE_URL ends in /database");
    format!("{front}/{name}")
}

async fn connect(server: &str) -> Option<PgConnection> {
    let reason = match tokio::time::timeout(Duration::from_secs(5), PgConnection::connect(server)).await {
        Ok(Ok(connection)) => return Some(connection),
        Ok(Err(error)) => error.to_string(),
        Err(_elapsed) => "it did not answer".into(),
    };
    assert!(std::env::var_os("CI").is_none(), "NO POSTGRES: {reason}");
    eprintln!("NO POSTGRES: this test did not run on it ({reason}); see TEST_DATABASE_URL");
    None
}

async fn command(admin: &mut PgConnection, sql: String) {
    sqlx::raw_sql(AssertSqlSafe(sql.clone()))
        .execute(admin)
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// Finds the template with these migrations done, or builds it once for all tests and runs to come.
async fn template(server: &str, admin: &mut PgConnection, migrations: Vec<Migrations>) -> String {
    let name = template_name(&migrations);
    let _one_at_a_time = BUILDING.lock().await;
    sqlx::query("SELECT pg_advisory_lock($1)")
        .bind(TEMPLATE_LOCK)
        .execute(&mut *admin)
        .await
        .expect("a lock");
    let found = sqlx::query("SELECT count(*) FROM pg_database WHERE datname = $1").bind(&name);
    let count: i64 = found.fetch_one(&mut *admin).await.expect("a count").get(0);
    if count == 0 {
        let draft = format!("{name}_draft");
        command(admin, format!("DROP DATABASE IF EXISTS {draft} WITH (FORCE)")).await;
        command(admin, format!("CREATE DATABASE {draft}")).await;
        let url = DatabaseUrl::parse(&address(server, &draft), Path::new("/")).expect("a good address");
        for set in &migrations {
            migrate(&url, set, Duration::ZERO).await.expect("migrations run");
        }
        command(admin, format!("ALTER DATABASE {draft} RENAME TO {name}")).await;
    }
    sqlx::query("SELECT pg_advisory_unlock($1)").bind(TEMPLATE_LOCK).execute(admin).await.expect("an unlock");
    name
}

/// Names a template by what is in it, so that a changed migration gets another one.
fn template_name(migrations: &[Migrations]) -> String {
    let mut digest: u64 = 0xcbf2_9ce4_8422_2325;
    for set in migrations {
        let checksums = set.postgres.iter().flat_map(|migration| migration.checksum.iter().copied());
        for byte in set.table.bytes().chain(checksums) {
            digest = (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    format!("parlor_template_{digest:016x}")
}

/// Writes one test that runs on SQLite and on Postgres. The migrations come from a function of the caller's.
#[macro_export]
macro_rules! on_both {
    ($migrations:expr; $($(#[$attribute:meta])* async fn $name:ident($place:ident: Place) $body:block)+) => {$(
        mod $name {
            use super::*;

            $(#[$attribute])*
            async fn story($place: $crate::testing::Place) $body

            #[tokio::test(flavor = "multi_thread")]
            async fn sqlite() {
                if let Some(place) = $crate::testing::Place::fresh($crate::testing::Engine::Sqlite, $migrations).await {
                    story(place).await;
                }
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn postgres() {
                if let Some(place) = $crate::testing::Place::fresh($crate::testing::Engine::Postgres, $migrations).await {
                    story(place).await;
                }
            }
        }
    )+};
}
