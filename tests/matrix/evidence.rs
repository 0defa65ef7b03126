//! What the checker judges: what clients were told, and what the databases hold when all is over. Plain data.

use chrono::{DateTime, Utc};
use parlor_db::{Db, testing::Place};
use sea_query::{Alias, Query, SelectStatement};
use serde_json::Value;
use uuid::Uuid;

use super::client::Told;

/// A run as it is stored.
#[derive(Clone, Debug)]
pub struct Run {
    pub id: String,
    pub conversation: String,
    pub status: String,
    pub error: Option<String>,
    pub attempt: i32,
    pub created: DateTime<Utc>,
    pub ended: Option<DateTime<Utc>>,
}

/// An item of a conversation as it is stored.
#[derive(Clone, Debug)]
pub struct Item {
    pub conversation: String,
    pub position: i64,
    pub id: String,
    pub run: String,
    pub kind: String,
    pub body: Value,
}

/// A tool call as the service's ledger has it.
#[derive(Clone, Debug)]
pub struct Call {
    pub id: String,
    pub state: String,
    pub status: Option<String>,
}

/// A task, with its user.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Task {
    pub user: String,
    pub title: String,
}

/// All there is to judge by.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// How often the service ended and was started again before the turns were over.
    pub restarts: usize,
    pub turns: Vec<Told>,
    pub runs: Vec<Run>,
    pub items: Vec<Item>,
    pub calls: Vec<Call>,
    /// The keys under which the task server has had an effect.
    pub effects: Vec<String>,
    pub tasks: Vec<Task>,
    /// What the provider was asked.
    pub questions: Vec<Value>,
    /// Conversations whose next turn did not complete.
    pub stuck: Vec<String>,
    /// What lives although it should not.
    pub survivors: Vec<String>,
    /// Everything that was written or told, by what it is: for secrets.
    pub texts: Vec<(String, String)>,
}

impl Evidence {
    /// Reads the items of all conversations, while the service may be at work.
    pub async fn items(place: &Place) -> Vec<Item> {
        let db = Db::open(&place.url, 1);
        let items = items(&db).await;
        db.close().await;
        items
    }

    /// Reads what both databases hold.
    pub async fn read(place: &Place) -> Self {
        let db = Db::open(&place.url, 2);
        let tasks = Db::open(&place.url.beside("tasks.db"), 2);
        let evidence = Self {
            runs: runs(&db).await,
            items: items(&db).await,
            calls: calls(&db).await,
            effects: effects(&tasks).await,
            tasks: all_tasks(&tasks).await,
            ..Self::default()
        };
        db.close().await;
        tasks.close().await;
        evidence
    }
}

fn select(table: &'static str, columns: &[&'static str]) -> SelectStatement {
    let columns = columns.iter().copied().map(Alias::new);
    Query::select().columns(columns).from(Alias::new(table)).to_owned()
}

async fn runs(db: &Db) -> Vec<Run> {
    type Row = (Uuid, Uuid, String, Option<String>, i32, DateTime<Utc>, Option<DateTime<Utc>>);
    let columns = ["id", "conversation_id", "status", "error_code", "attempt", "created_at", "ended_at"];
    let rows: Vec<Row> = db.all(&select("runs", &columns)).await.unwrap();
    let runs = rows.into_iter().map(|(id, conversation, status, error, attempt, created, ended)| Run {
        id: id.to_string(),
        conversation: conversation.to_string(),
        status,
        error,
        attempt,
        created,
        ended,
    });
    runs.collect()
}

async fn items(db: &Db) -> Vec<Item> {
    type Row = (Uuid, i64, Uuid, Uuid, String, String);
    let columns = ["conversation_id", "position", "id", "run_id", "kind", "body"];
    let rows: Vec<Row> = db.all(&select("items", &columns)).await.unwrap();
    let items = rows.into_iter().map(|(conversation, position, id, run, kind, body)| Item {
        conversation: conversation.to_string(),
        position,
        id: id.to_string(),
        run: run.to_string(),
        kind,
        body: serde_json::from_str(&body).unwrap(),
    });
    items.collect()
}

async fn calls(db: &Db) -> Vec<Call> {
    let rows: Vec<(Uuid, String, Option<String>)> =
        db.all(&select("tool_calls", &["id", "state", "status"])).await.unwrap();
    rows.into_iter().map(|(id, state, status)| Call { id: id.to_string(), state, status }).collect()
}

async fn effects(db: &Db) -> Vec<String> {
    let rows: Vec<(String,)> = db.all(&select("tool_effects", &["call_key"])).await.unwrap();
    rows.into_iter().map(|(key,)| key).collect()
}

async fn all_tasks(db: &Db) -> Vec<Task> {
    let rows: Vec<(String, String)> = db.all(&select("tasks", &["user_id", "title"])).await.unwrap();
    let mut tasks: Vec<Task> = rows.into_iter().map(|(user, title)| Task { user, title }).collect();
    tasks.sort();
    tasks
}
