//! Statements that go to the database together: what they bring, and what becomes of a unit that ends with them.

use parlor_db::SequenceError;
use sea_query::OnConflict;

use super::{batch::Busy, *};

/// An insertion that touches no row if the note is there, and else brings the length of its text.
fn insert_once(id: Uuid, body: &str) -> InsertStatement {
    let length = Expr::cust("CAST(length(body) AS BIGINT)");
    insert(id, body)
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .returning(Query::returning().expr(length))
        .to_owned()
}

/// Waits behind a unit that is busy with as many others as `beside` says, so that they share a transaction where that is done.
async fn among<T: Send + 'static>(
    db: &Db,
    beside: usize,
    unit: impl for<'t> FnOnce(&'t mut Tx<'_>) -> futures_util::future::BoxFuture<'t, Result<T, DbError>>
    + Send
    + 'static,
) -> Result<T, DbError> {
    let busy = Busy::keep(db).await;
    let mut others = Vec::new();
    for number in 0..beside {
        others.push(batch::queue_note(db, format!("beside {number}")).await);
    }
    let unit = batch::queue(db, unit).await;
    busy.end().await;
    for other in others {
        other.await.unwrap().unwrap();
    }
    unit.await.unwrap()
}

/// Leaves out what was written beside.
async fn notes(db: &Db) -> Vec<String> {
    bodies(db).await.into_iter().filter(|body| !body.starts_with("beside")).collect()
}

on_both! { migrations();
    async fn a_sequence_runs_in_its_order_and_brings_what_its_statements_bring(place: Place) {
        let db = Db::open(&place.url, 4);
        let [first, second] = [Uuid::now_v7(), Uuid::now_v7()];
        let unit = db.write(move |tx| {
            Box::pin(async move {
                let sequence = tx.sequence().one(&insert_once(first, "o;ne")).one(&rename(first, "two ? $1; --"));
                sequence.then(&rename(second, "nobody")).then(&insert_once(second, "three")).run().await
            })
        });
        assert_eq!(unit.await.unwrap(), [4, 5]);
        assert_eq!(bodies(&db).await, ["two ? $1; --", "three"]);
    }

    async fn behind_a_statement_of_a_sequence_that_fails_nothing_is_run_and_nothing_is_kept(place: Place) {
        let db = Db::open(&place.url, 4);
        let [first, second] = [Uuid::now_v7(), Uuid::now_v7()];
        add(&db, "before").await.unwrap();
        let unit = db.write(move |tx| {
            Box::pin(async move {
                let sequence = tx.sequence().then(&insert(first, "one")).then(&insert(first, "again"));
                let done = sequence.then(&insert(second, "behind")).last().await;
                assert!(matches!(done, Err(SequenceError::Database(DbError::Refused(_)))), "{done:?}");
                let later = tx.sequence().then(&insert(second, "later")).run().await;
                let is_refused = matches!(later, Err(SequenceError::Database(DbError::Unavailable { .. })));
                assert!(is_refused, "{later:?}");
                Ok::<_, DbError>(())
            })
        });
        assert!(unit.await.is_err());
        assert_eq!(bodies(&db).await, ["before"]);
    }

    async fn a_statement_that_misses_its_row_is_named_and_the_unit_goes_on_without_what_stands_behind_it(place: Place) {
        let db = Db::open(&place.url, 4);
        for beside in [0, 2] {
            let [first, second] = [Uuid::now_v7(), Uuid::now_v7()];
            let missed = among(&db, beside, move |tx| {
                Box::pin(async move {
                    let sequence = tx.sequence().one(&insert_once(first, "kept")).one(&insert_once(first, "again"));
                    let missed = sequence.then(&insert(second, "behind")).last().await;
                    tx.sequence().one(&insert(second, "instead")).last().await.unwrap();
                    Ok(missed)
                })
            });
            assert!(matches!(missed.await.unwrap(), Err(SequenceError::Missed(1))));
            let expected: Vec<_> = ["kept", "instead"].into_iter().cycle().take(2 + beside).collect();
            assert_eq!(notes(&db).await, expected);
        }
    }

    async fn a_unit_that_gives_up_when_its_last_statements_miss_a_row_leaves_nothing(place: Place) {
        let db = Db::open(&place.url, 4);
        for beside in [0, 2] {
            let id = Uuid::now_v7();
            let outcome = among(&db, beside, move |tx| {
                Box::pin(async move {
                    let last = tx.sequence().then(&insert(id, "half")).one(&rename(Uuid::now_v7(), "nobody"));
                    match last.last().await {
                        Err(SequenceError::Missed(1)) => Err::<(), _>(DbError::Panicked),
                        other => panic!("{other:?}"),
                    }
                })
            });
            assert!(matches!(outcome.await, Err(DbError::Panicked)));
            assert!(notes(&db).await.is_empty());
            add(&db, "beside what follows").await.unwrap();
        }
    }

    async fn behind_its_last_statements_a_unit_can_do_nothing_more(place: Place) {
        let db = Db::open(&place.url, 4);
        for beside in [0, 2] {
            let outcome = among(&db, beside, |tx| {
                Box::pin(async move {
                    tx.sequence().then(&insert(Uuid::now_v7(), "last")).last().await.unwrap();
                    Ok(tx.execute(&insert(Uuid::now_v7(), "more")).await)
                })
            });
            let more = outcome.await.unwrap();
            assert!(matches!(more, Err(DbError::Unavailable { .. })), "{more:?}");
        }
        assert_eq!(notes(&db).await, ["last", "last"]);
    }

    async fn a_unit_that_fails_behind_its_last_statements_is_never_told_that_they_are_undone_where_they_are_kept(place: Place) {
        let db = Db::open(&place.url, 4);
        let outcome = among(&db, 0, |tx| {
            Box::pin(async move {
                tx.sequence().then(&insert(Uuid::now_v7(), "last")).last().await.unwrap();
                Err::<(), _>(DbError::Panicked)
            })
        });
        let (outcome, kept) = (outcome.await, notes(&db).await);
        match outcome {
            Err(DbError::Panicked) => assert!(kept.is_empty(), "its own error says that nothing is kept"),
            other => assert!(matches!(other, Err(DbError::Unavailable { .. })), "{other:?}"),
        }
        add(&db, "after it").await.unwrap();
    }
}
