//! Where a cell is played: a database of its own, the provider, the real service with its real child, and everything
//! that may befall them.

use std::{io::Write as _, time::Duration};

use parlor_db::testing::Engine;
use rustix::process::{Pid, Signal, kill_process};
use sqlx::{Connection as _, PgConnection};
use tokio::sync::{Mutex, MutexGuard, watch};

use super::{
    client::Client,
    ground::Ground,
    model::{KEY, Model},
    points::Points,
    support::{
        eventually,
        outage::Outage,
        process::{Process, children},
    },
};

/// How many files and sockets a service at rest may have open: its standard ones, its port, its child's pipes, four
/// connections of each database, a few to the provider.
const ENOUGH_FILES: usize = 48;

/// The stage of one cell, or of a soak.
pub struct Stage {
    pub points: Points,
    pub model: Model,
    service: Mutex<Option<Process>>,
    base: watch::Sender<Option<String>>,
    settings: Vec<(String, String)>,
    databases: Mutex<[Outage; 2]>,
    /// The logs of services that are gone, and the children that were seen.
    past: Mutex<Past>,
    /// Last, because its folder goes with it.
    pub place: Ground,
}

/// What is left of services that are gone.
#[derive(Clone, Debug, Default)]
pub struct Past {
    pub logs: Vec<String>,
    pub children: Vec<Child>,
    /// How often a service has ended.
    pub lives: usize,
}

/// A task server that was seen. Ids of processes come again, so it is known by its birth as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Child {
    id: i32,
    born: Option<String>,
}

impl Stage {
    /// Sets the stage and starts the service. Nothing if there is no such database here.
    pub async fn set(engine: Engine, settings: &[(&str, &str)]) -> Option<Self> {
        let place = Ground::take(engine).await?;
        let points = Points::listen(place.folder());
        let model = Model::start(points.clone()).await;
        let databases =
            [Outage::before(&place.url).await, Outage::before(&place.url.beside("tasks.db")).await];
        let child = format!(
            "/usr/bin/env PARLOR_FAILPOINTS='{}' '{}' mcp-server --supervised",
            points.path(),
            env!("CARGO_BIN_EXE_parlor")
        );
        let ours = [
            ("PARLOR_FAILPOINTS", points.path()),
            ("MCP_SERVER_COMMAND", &child),
            ("MCP_TIMEOUT", "1"),
            ("DATABASE_URL", databases[0].url()),
            ("TASKS_DATABASE_URL", databases[1].url()),
            ("LLM_PROVIDER", "custom"),
            ("LLM_BASE_URL", &model.url),
            ("LLM_API_KEY", KEY),
            ("LLM_MODEL", "scripted"),
            ("LLM_RETRIES", "0"),
        ];
        let settings = ours.iter().chain(settings).map(|(name, value)| ((*name).into(), (*value).into()));
        let settings = settings.collect();
        let stage = Self {
            points,
            model,
            service: Mutex::new(None),
            base: watch::Sender::new(None),
            settings,
            databases: Mutex::new(databases),
            past: Mutex::default(),
            place,
        };
        stage.start().await;
        Some(stage)
    }

    /// Prepares a turn of a user.
    pub fn client(&self, user: &str, conversation: Option<String>, message: &str) -> Client {
        Client::new(self.base.subscribe(), user, conversation, message)
    }

    /// Starts the service again.
    pub async fn start(&self) {
        let settings: Vec<(&str, &str)> =
            self.settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let service = Process::start(&self.place, &settings).await;
        self.past.lock().await.children.extend(children(service.id()).into_iter().map(Child::of));
        self.base.send_replace(Some(service.base.clone()));
        *self.service.lock().await = Some(service);
    }

    /// Returns the service's process.
    pub async fn id(&self) -> Pid {
        self.service().await.as_ref().expect("the service runs").id()
    }

    /// Returns the service while nothing else may happen to it.
    pub async fn service(&self) -> MutexGuard<'_, Option<Process>> {
        self.service.lock().await
    }

    /// Sends the service a signal.
    pub async fn signal(&self, signal: Signal) {
        self.service().await.as_ref().expect("the service runs").signal(signal);
    }

    /// Waits until the log of the service holds some words.
    pub async fn until_it_logs(&self, words: &str) {
        eventually(words, || async {
            let service = self.service().await;
            service.as_ref().is_none_or(|service| service.log().contains(words)).then_some(())
        })
        .await;
    }

    /// Kills the service.
    pub async fn kill(&self) {
        let service = self.leave().await;
        let log = service.log();
        service.kill().await;
        self.past.lock().await.logs.push(log);
    }

    /// Waits until the service has ended by itself, which it must do well.
    pub async fn until_it_ends(&self) {
        let service = self.leave().await;
        let ended = service.ended().await;
        assert_eq!(ended.code, Some(0), "{}", ended.log);
        self.past.lock().await.logs.push(ended.log);
    }

    /// Stops the service in peace.
    pub async fn stop(&self) {
        self.signal(Signal::TERM).await;
        self.until_it_ends().await;
    }

    async fn leave(&self) -> Process {
        let mut service = self.service().await;
        let leaving = service.take().expect("the service runs");
        self.base.send_replace(None);
        let mut past = self.past.lock().await;
        past.children.extend(children(leaving.id()).into_iter().map(Child::of));
        past.lives += 1;
        leaving
    }

    /// Finds the task server, once there is one.
    pub async fn child(&self) -> i32 {
        let child = eventually("there is a task server", || async {
            let service = self.service().await;
            // Not one that is still a copy of the service: frozen, it would hold the service's lock for ever.
            children(service.as_ref()?.id()).into_iter().find(is_task_server)
        });
        let child = child.await;
        let mut past = self.past.lock().await;
        if past.children.last().is_none_or(|last| last.id != child) {
            past.children.push(Child::of(child));
        }
        child
    }

    /// Sends the task server a signal.
    pub async fn signal_child(&self, signal: Signal) {
        // One that has just died needs no signal.
        let _ = kill_process(Pid::from_raw(self.child().await).unwrap(), signal);
    }

    /// Kills the task server, or the one after another that was killed, and returns which one it was.
    pub async fn kill_child(&self, last: i32) -> i32 {
        let next = eventually("there is another task server", || async {
            Some(self.child().await).filter(|child| *child != last)
        });
        let child = next.await;
        let _ = kill_process(Pid::from_raw(child).unwrap(), Signal::KILL);
        child
    }

    /// Has the task server say what is no answer to anything.
    pub async fn garble_child(&self) {
        let output = format!("/proc/{}/fd/1", self.child().await);
        let mut output = std::fs::OpenOptions::new().write(true).open(output).unwrap();
        output
            .write_all(b"this is no JSON\n{\"jsonrpc\":\"2.0\",\"id\":9999,\"result\":{}}\n\xff\xfe\n")
            .unwrap();
    }

    /// Has the databases fail for a while: cut off, or locked for longer than anybody waits.
    pub async fn outage(&self) {
        let long = if self.place.engine == Engine::Sqlite { 5_500 } else { 1_000 };
        self.without_databases(Duration::from_millis(long)).await;
    }

    /// Has the databases be busy for a moment, shorter than everybody waits.
    pub async fn busy(&self) {
        let moment = Duration::from_millis(300);
        if self.place.engine == Engine::Sqlite {
            return self.without_databases(moment).await;
        }
        // Each on a connection of its own, which waits for nothing else: so nobody can wait for us in a circle.
        let mut others = Vec::new();
        for lock in ["BEGIN; LOCK TABLE conversations", "BEGIN; LOCK TABLE tasks"] {
            let mut other = PgConnection::connect(&self.place.url.expose()).await.unwrap();
            sqlx::raw_sql(lock).execute(&mut other).await.unwrap();
            others.push(other);
        }
        tokio::time::sleep(moment).await;
        for mut other in others {
            sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();
        }
    }

    async fn without_databases(&self, long: Duration) {
        let mut databases = self.databases.lock().await;
        for database in databases.iter_mut() {
            database.begin().await;
        }
        tokio::time::sleep(long).await;
        for database in databases.iter_mut() {
            database.end().await;
        }
    }

    /// Tells whether the service holds on to more files and sockets than it needs, a moment after everybody left.
    pub async fn left_open(&self) -> Option<String> {
        let mut count = 0;
        for _ in 0..100 {
            let id = self.id().await;
            count = std::fs::read_dir(format!("/proc/{}/fd", id.as_raw_nonzero())).unwrap().count();
            if count <= ENOUGH_FILES {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Some(format!("{count} open files"))
    }

    /// Returns what is known of services and children so far, the running one's log included.
    pub async fn past(&self) -> Past {
        let mut past = self.past.lock().await.clone();
        past.logs.extend(self.service().await.as_ref().map(Process::log));
        past
    }
}

fn is_task_server(process: &i32) -> bool {
    let command = std::fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&command).contains("mcp-server")
}

impl Child {
    fn of(id: i32) -> Self {
        Self { id, born: born(id) }
    }

    fn lives(&self) -> bool {
        self.born.is_some() && is_task_server(&self.id) && born(self.id) == self.born
    }
}

/// Returns when a process was born, as the kernel counts.
fn born(process: i32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    fields.split(' ').nth(19).map(str::to_owned)
}

/// Lists which of these task servers still live.
pub async fn survivors(children: &[Child]) -> Vec<String> {
    for _ in 0..200 {
        if !children.iter().any(Child::lives) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let living = children.iter().filter(|child| child.lives());
    living.map(|child| format!("task server {}", child.id)).collect()
}
