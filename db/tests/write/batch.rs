//! Units that wait for the writer at the same time. On SQLite they share a commit, and each fails alone; on Postgres
//! each has its own. Nobody can tell the difference, but by a commit that fails.

use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use parlor_db::testing::{Engine, Place};
use sqlx::Connection as _;
use tokio::{sync::oneshot, task::JoinHandle};

use super::*;

/// A unit that keeps the writer busy, so that what is written meanwhile waits together.
pub(super) struct Busy {
    begun: oneshot::Receiver<()>,
    free: oneshot::Sender<()>,
    unit: JoinHandle<Result<(), DbError>>,
}

impl Busy {
    /// Puts it in the queue.
    async fn queue(db: &Db) -> Self {
        let ((began, begun), (free, freed)) = (oneshot::channel(), oneshot::channel());
        let unit = queue(db, |_tx| {
            Box::pin(async move {
                began.send(()).unwrap();
                freed.await.unwrap();
                Ok(())
            })
        });
        Self { begun, free, unit: unit.await }
    }

    /// Puts it in the queue of a writer that has nothing else to do, and waits until it runs.
    pub(super) async fn keep(db: &Db) -> Self {
        let mut busy = Self::queue(db).await;
        busy.has_begun().await;
        busy
    }

    async fn has_begun(&mut self) {
        (&mut self.begun).await.unwrap();
    }

    pub(super) async fn end(self) {
        self.free.send(()).unwrap();
        self.unit.await.unwrap().unwrap();
    }
}

/// Puts a unit in the queue and goes on without waiting for its answer.
pub(super) async fn queue<T: Send + 'static>(
    db: &Db,
    unit: impl for<'t> FnOnce(&'t mut Tx<'_>) -> futures_util::future::BoxFuture<'t, Result<T, DbError>>
    + Send
    + 'static,
) -> JoinHandle<Result<T, DbError>> {
    let db = db.clone();
    let (queued, is_queued) = oneshot::channel();
    let waiting = tokio::spawn(async move {
        let mut write = Box::pin(db.write(unit));
        // The first poll puts it in the queue, which has room.
        let first = write.as_mut().now_or_never();
        queued.send(()).unwrap();
        match first {
            Some(answer) => answer,
            None => write.await,
        }
    });
    is_queued.await.unwrap();
    waiting
}

pub(super) async fn queue_note(db: &Db, body: impl Into<String>) -> JoinHandle<Result<u64, DbError>> {
    let body = body.into();
    queue(db, move |tx| Box::pin(async move { tx.execute(&insert(Uuid::now_v7(), &body)).await })).await
}

fn is_unavailable<T>(outcome: &Result<T, DbError>) -> bool {
    matches!(outcome, Err(DbError::Unavailable { .. }))
}

on_both! { migrations();
    async fn units_that_wait_together_keep_their_order(place: Place) {
        let db = Db::open(&place.url, 2);
        let busy = Busy::keep(&db).await;
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut waiting = Vec::new();
        for number in 0..150 {
            let order = Arc::clone(&order);
            waiting.push(queue(&db, move |tx| Box::pin(async move {
                order.lock().unwrap().push(number);
                tx.execute(&insert(Uuid::now_v7(), &number.to_string())).await
            })).await);
        }
        busy.end().await;
        for unit in waiting {
            unit.await.unwrap().unwrap();
        }
        let expected: Vec<i32> = (0..150).collect();
        assert_eq!(*order.lock().unwrap(), expected);
        assert_eq!(bodies(&db).await, expected.iter().map(i32::to_string).collect::<Vec<_>>());
    }

    async fn a_unit_that_fails_among_others_harms_none_of_them(place: Place) {
        let db = Db::open(&place.url, 2);
        let busy = Busy::keep(&db).await;
        let first = queue_note(&db, "first").await;
        let gives_up = queue(&db, |tx| Box::pin(async move {
            tx.execute(&insert(Uuid::now_v7(), "given up")).await?;
            Err::<(), _>(DbError::Panicked)
        })).await;
        let overlooks = queue(&db, |tx| Box::pin(async move {
            let id = Uuid::now_v7();
            tx.execute(&insert(id, "overlooked")).await?;
            assert!(matches!(tx.execute(&insert(id, "twin")).await, Err(DbError::Refused(_))));
            assert!(is_unavailable(&tx.execute(&insert(Uuid::now_v7(), "not even tried")).await));
            Ok(())
        })).await;
        let second = queue_note(&db, "second").await;
        let panics = queue(&db, |tx| Box::pin(async move {
            tx.execute(&insert(Uuid::now_v7(), "panicked")).await?;
            panic!("on purpose");
            #[expect(unreachable_code, reason = "the type of the unit")]
            Ok(())
        })).await;
        let last = queue_note(&db, "last").await;
        busy.end().await;
        assert!(matches!(gives_up.await.unwrap(), Err(DbError::Panicked)));
        assert!(is_unavailable(&overlooks.await.unwrap()));
        assert!(matches!(panics.await.unwrap(), Err(DbError::Panicked)));
        for good in [first, second, last] {
            assert_eq!(good.await.unwrap().unwrap(), 1);
        }
        assert_eq!(bodies(&db).await, ["first", "second", "last"]);
        add(&db, "after").await.unwrap();
    }

    async fn a_caller_that_goes_away_does_not_take_its_unit_out_of_the_queue(place: Place) {
        let db = Db::open(&place.url, 2);
        let busy = Busy::keep(&db).await;
        let first = queue_note(&db, "first").await;
        queue_note(&db, "kept").await.abort();
        let last = queue_note(&db, "last").await;
        busy.end().await;
        first.await.unwrap().unwrap();
        last.await.unwrap().unwrap();
        assert_eq!(bodies(&db).await, ["first", "kept", "last"]);
    }

    async fn a_unit_sees_what_those_before_it_wrote(place: Place) {
        let db = Db::open(&place.url, 2);
        let busy = Busy::keep(&db).await;
        let (first, counts) = (queue_note(&db, "first").await, queue(&db, |tx| Box::pin(async move {
            Ok(tx.all::<Note>(&select()).await?.len())
        })).await);
        busy.end().await;
        first.await.unwrap().unwrap();
        assert_eq!(counts.await.unwrap().unwrap(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite_nobody_is_answered_and_nothing_is_seen_before_the_common_commit() {
    let place = Place::fresh(Engine::Sqlite, migrations()).await.unwrap();
    let db = Db::open(&place.url, 2);
    let busy = Busy::keep(&db).await;
    let mut early = queue_note(&db, "early").await;
    let mut late = Busy::queue(&db).await;
    busy.end().await;
    late.has_begun().await;
    assert!((&mut early).now_or_never().is_none(), "answered before its commit");
    assert_eq!(bodies(&db).await, Vec::<String>::new());
    late.end().await;
    early.await.unwrap().unwrap();
    assert_eq!(bodies(&db).await, ["early"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres_a_connection_that_is_killed_fails_its_unit_and_the_next_ones_go_through() {
    let Some(place) = Place::fresh(Engine::Postgres, migrations()).await else { return };
    let db = Db::open(&place.url, 2);
    add(&db, "before").await.unwrap();
    let ((began, begin), (go, gone)) = (oneshot::channel(), oneshot::channel::<()>());
    let hit = queue(&db, |tx| {
        Box::pin(async move {
            tx.execute(&insert(Uuid::now_v7(), "hit")).await?;
            began.send(()).unwrap();
            gone.await.unwrap();
            tx.execute(&insert(Uuid::now_v7(), "hit again")).await
        })
    })
    .await;
    begin.await.unwrap();
    let behind = queue_note(&db, "behind").await;
    let mut admin = sqlx::PgConnection::connect(&place.url.expose()).await.unwrap();
    let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    sqlx::raw_sql(others).execute(&mut admin).await.unwrap();
    go.send(()).unwrap();
    assert!(is_unavailable(&hit.await.unwrap()));
    behind.await.unwrap().unwrap();
    assert_eq!(bodies(&db).await, ["before", "behind"]);
}

/// A disk without room, with SQLite's file on it.
mod full {
    use std::{path::PathBuf, process::Command};

    use parlor_db::DatabaseUrl;

    use super::*;

    struct Disk {
        folder: tempfile::TempDir,
        db: Db,
    }

    impl Disk {
        async fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let mounted = Command::new("mount")
                .args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"])
                .arg(folder.path())
                .status();
            assert!(mounted.is_ok_and(|status| status.success()), "a small tmpfs can be mounted (as root)");
            let url = DatabaseUrl::parse("sqlite://full.db", folder.path()).unwrap();
            migrate(&url, &migrations()[0], Duration::ZERO).await.unwrap();
            let db = Db::open(&url, 2);
            add(&db, "before").await.unwrap();
            Self { folder, db }
        }

        fn filler(&self) -> PathBuf {
            self.folder.path().join("filler")
        }

        fn fill(&self) {
            let mut filler = std::fs::File::create(self.filler()).unwrap();
            while std::io::Write::write(&mut filler, &[0; 4096]).is_ok_and(|written| written > 0) {}
        }
    }

    impl Drop for Disk {
        fn drop(&mut self) {
            let _ = Command::new("umount").arg("-l").arg(self.folder.path()).status();
        }
    }

    /// Nothing of a lost commit is there, and the writer goes on once there is room.
    async fn assert_it_goes_on(disk: &Disk) {
        assert_eq!(bodies(&disk.db).await, ["before"]);
        std::fs::remove_file(disk.filler()).unwrap();
        add(&disk.db, "after").await.unwrap();
        assert_eq!(bodies(&disk.db).await, ["before", "after"]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_commit_that_finds_no_room_fails_every_unit_of_it_even_a_refusal() {
        let disk = Disk::new().await;
        let busy = Busy::keep(&disk.db).await;
        let first = queue_note(&disk.db, "x".repeat(300_000)).await;
        let refusal = queue(&disk.db, |_tx| Box::pin(async { Err::<(), _>(DbError::Panicked) })).await;
        let last = queue_note(&disk.db, "small").await;
        disk.fill();
        busy.end().await;
        assert!(is_unavailable(&first.await.unwrap()));
        assert!(is_unavailable(&refusal.await.unwrap()), "it may have read what was never kept");
        assert!(is_unavailable(&last.await.unwrap()));
        assert_it_goes_on(&disk).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn after_a_statement_that_finds_no_room_nothing_more_runs_on_the_connection() {
        let disk = Disk::new().await;
        let busy = Busy::keep(&disk.db).await;
        let first = queue_note(&disk.db, "small").await;
        // More than SQLite keeps in memory before a commit.
        let large = queue(&disk.db, |tx| {
            Box::pin(async move {
                let (id, body) = (Uuid::now_v7(), "x".repeat(6_000_000));
                assert!(is_unavailable(&tx.execute(&insert(id, &body)).await));
                assert!(is_unavailable(&tx.execute(&insert(id, "kept by itself")).await));
                Ok(())
            })
        })
        .await;
        let has_run = Arc::new(Mutex::new(false));
        let last = queue(&disk.db, {
            let has_run = Arc::clone(&has_run);
            move |tx| {
                Box::pin(async move {
                    *has_run.lock().unwrap() = true;
                    tx.execute(&insert(Uuid::now_v7(), "also kept by itself")).await
                })
            }
        })
        .await;
        disk.fill();
        busy.end().await;
        assert!(is_unavailable(&first.await.unwrap()));
        assert!(is_unavailable(&large.await.unwrap()));
        assert!(is_unavailable(&last.await.unwrap()));
        assert!(!*has_run.lock().unwrap(), "something ran behind the failure");
        assert_it_goes_on(&disk).await;
    }
}
