//! Writing on real databases: what is committed, what is not, and what trouble leaves behind.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod batch;
mod sequence;

use std::{sync::Arc, thread, time::Duration};

use parlor_db::{Db, DbError, Migrations, Tx, is_current, migrate, on_both};
use sea_query::{Alias, Expr, ExprTrait, InsertStatement, Query, SelectStatement};
use tokio::sync::Barrier;
use uuid::Uuid;

fn migrations() -> Vec<Migrations> {
    let sqlite = sqlx::migrate!("tests/migrations/sqlite");
    vec![Migrations::new(sqlite, sqlx::migrate!("tests/migrations/postgres"), "_notes_migrations")]
}

#[derive(Debug, PartialEq, sqlx::FromRow)]
struct Note {
    id: Uuid,
    body: String,
    is_read: bool,
}

fn insert(id: Uuid, body: &str) -> InsertStatement {
    let created_at: Expr = Expr::current_timestamp();
    Query::insert()
        .into_table(Alias::new("notes"))
        .columns(["id", "body", "is_read", "created_at"].map(Alias::new))
        .values_panic([id.into(), body.into(), true.into(), created_at])
        .to_owned()
}

fn select() -> SelectStatement {
    let columns = ["id", "body", "is_read"].map(Alias::new);
    Query::select().columns(columns).from(Alias::new("notes")).to_owned()
}

async fn bodies(db: &Db) -> Vec<String> {
    let mut notes: Vec<Note> = db.all(&select()).await.unwrap();
    notes.sort_by_key(|note| note.id);
    notes.into_iter().map(|note| note.body).collect()
}

async fn add(db: &Db, body: &'static str) -> Result<(), DbError> {
    db.write(move |tx: &mut Tx<'_>| {
        Box::pin(async move { tx.execute(&insert(Uuid::now_v7(), body)).await.map(drop) })
    })
    .await
}

on_both! { migrations();
    async fn what_a_unit_wrote_is_there_once_it_has_returned(place: Place) {
        let db = Db::open(&place.url, 4);
        let id = Uuid::now_v7();
        let count = db
            .write(move |tx| Box::pin(async move { tx.execute(&insert(id, "one\u{0001} \u{1f600}")).await }))
            .await;
        assert_eq!(count.unwrap(), 1_u64);
        let note: Option<Note> = db.find(select().and_where(Expr::col(Alias::new("id")).eq(id))).await.unwrap();
        assert_eq!(note, Some(Note { id, body: "one\u{0001} \u{1f600}".into(), is_read: true }));
    }

    async fn a_unit_that_returns_an_error_leaves_nothing(place: Place) {
        let db = Db::open(&place.url, 4);
        let outcome: Result<(), DbError> = db
            .write(|tx| Box::pin(async move {
                tx.execute(&insert(Uuid::now_v7(), "gone")).await?;
                Err(DbError::Panicked)
            }))
            .await;
        assert!(matches!(outcome, Err(DbError::Panicked)));
        assert_eq!(bodies(&db).await, Vec::<String>::new());
    }

    async fn a_unit_that_overlooks_a_failed_statement_is_not_committed(place: Place) {
        let db = Db::open(&place.url, 4);
        let outcome: Result<(), DbError> = db
            .write(|tx| Box::pin(async move {
                let id = Uuid::now_v7();
                tx.execute(&insert(id, "first")).await?;
                assert!(matches!(tx.execute(&insert(id, "twin")).await, Err(DbError::Refused(_))));
                Ok(())
            }))
            .await;
        assert!(matches!(outcome, Err(DbError::Unavailable { .. })));
        assert_eq!(bodies(&db).await, Vec::<String>::new());
    }

    async fn a_unit_that_panics_leaves_nothing_and_the_next_one_runs(place: Place) {
        let db = Db::open(&place.url, 2);
        let outcome: Result<(), DbError> = db
            .write(|tx| Box::pin(async move {
                tx.execute(&insert(Uuid::now_v7(), "gone")).await?;
                panic!("on purpose")
            }))
            .await;
        assert!(matches!(outcome, Err(DbError::Panicked)));
        add(&db, "after").await.unwrap();
        assert_eq!(bodies(&db).await, ["after"]);
    }

    async fn a_caller_that_goes_away_does_not_stop_its_unit(place: Place) {
        let db = Db::open(&place.url, 2);
        let (began, begin) = tokio::sync::oneshot::channel();
        let (finish, finished) = tokio::sync::oneshot::channel::<()>();
        let write = db.write(move |tx| Box::pin(async move {
            began.send(()).unwrap();
            finished.await.unwrap();
            tx.execute(&insert(Uuid::now_v7(), "kept")).await
        }));
        tokio::select! {
            _ = write => panic!("it waits for us"),
            begun = begin => begun.unwrap(),
        }
        finish.send(()).unwrap();
        add(&db, "next").await.unwrap();
        db.close().await;
        assert_eq!(bodies(&Db::open(&place.url, 2)).await, ["kept", "next"]);
    }

    async fn many_writers_at_once_lose_nothing(place: Place) {
        let db = Db::open(&place.url, 4);
        let writes = (0..200).map(|_| add(&db, "x"));
        for outcome in futures_util::future::join_all(writes).await {
            outcome.unwrap();
        }
        assert_eq!(bodies(&db).await.len(), 200);
    }

    async fn writers_that_come_and_go_on_several_threads_leave_no_unit_behind(place: Place) {
        let db = Db::open(&place.url, 4);
        let all_done = Arc::new(Barrier::new(4));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let (db, all_done) = (db.clone(), Arc::clone(&all_done));
                thread::spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                    runtime.block_on(async {
                        for _ in 0..50 {
                            add(&db, "x").await.unwrap();
                        }
                        // A runtime works for as long as others may use what began on it.
                        all_done.wait().await;
                    });
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let kept = Db::open(&place.url, 4);
        assert_eq!(bodies(&kept).await.len(), 200);
    }

    async fn a_closed_database_takes_no_more_work(place: Place) {
        let db = Db::open(&place.url, 2);
        add(&db, "kept").await.unwrap();
        db.close().await;
        assert!(matches!(add(&db, "late").await, Err(DbError::Unavailable { .. })));
    }

    async fn several_processes_may_migrate_one_database_at_once(place: Place) {
        let migrate_it = |_| {
            let url = place.url.clone();
            tokio::spawn(async move { migrate(&url, &migrations()[0], Duration::ZERO).await })
        };
        for outcome in futures_util::future::join_all((0..8).map(migrate_it)).await {
            outcome.unwrap().unwrap();
        }
        assert!(is_current(&Db::open(&place.url, 2), &migrations()[0]).await.unwrap());
    }
}

/// What only SQLite does: another process may hold the one write lock.
mod sqlite {
    use parlor_db::{
        DatabaseUrl,
        testing::{Engine, Place},
    };
    use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};

    use super::*;

    async fn intruder(url: &DatabaseUrl) -> SqliteConnection {
        let DatabaseUrl::Sqlite(path) = url else { panic!("a file") };
        SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(path)).await.unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_write_waits_for_another_process_to_let_go_of_the_file() {
        let place = Place::fresh(Engine::Sqlite, migrations()).await.unwrap();
        let db = Db::open(&place.url, 2);
        let mut other = intruder(&place.url).await;
        sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
        let waiting = tokio::spawn({
            let db = db.clone();
            async move { add(&db, "patient").await }
        });
        // Reading goes on while the file is locked for writing.
        assert_eq!(bodies(&db).await, Vec::<String>::new());
        sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();
        waiting.await.unwrap().unwrap();
        assert_eq!(bodies(&db).await, ["patient"]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn after_a_file_stayed_locked_too_long_the_next_write_goes_through() {
        let place = Place::fresh(Engine::Sqlite, migrations()).await.unwrap();
        let db = Db::open(&place.url, 2);
        let mut other = intruder(&place.url).await;
        sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
        assert!(matches!(add(&db, "too late").await, Err(DbError::Unavailable { .. })));
        sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();
        add(&db, "fine").await.unwrap();
        assert_eq!(bodies(&db).await, ["fine"]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn eight_new_processes_create_one_file_without_failing() {
        let folder = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::parse("sqlite://new.db", folder.path()).unwrap();
        let starts = (0..8).map(|_| {
            let url = url.clone();
            tokio::spawn(async move { migrate(&url, &migrations()[0], Duration::ZERO).await })
        });
        for outcome in futures_util::future::join_all(starts).await {
            outcome.unwrap().unwrap();
        }
    }
}

fn rename(id: Uuid, body: &str) -> sea_query::UpdateStatement {
    let is_it = Expr::col(Alias::new("id")).eq(id);
    Query::update().table(Alias::new("notes")).value(Alias::new("body"), body).and_where(is_it).to_owned()
}
