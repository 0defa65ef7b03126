//! Looking at real databases in every state that a start may find, and leaving them as they were.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use parlor_db::{DatabaseUrl, Db, InspectError, Migrations, Schema, inspect, on_both};
use sea_query::{Alias, Query};

/// Migrations under the name of a bookkeeping table.
fn named(table: &'static str) -> Migrations {
    Migrations::new(
        sqlx::migrate!("tests/migrations/sqlite"),
        sqlx::migrate!("tests/migrations/postgres"),
        table,
    )
}

fn migrations() -> Vec<Migrations> {
    vec![named("_notes_migrations")]
}

fn files(folder: &Path) -> BTreeSet<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

on_both! { migrations();
    async fn a_database_is_seen_as_it_is_and_stays_so(place: Place) {
        let before = files(place.folder());
        assert_eq!(inspect(&place.url, &named("_notes_migrations")).await.unwrap(), Schema::Current);
        assert_eq!(inspect(&place.url, &named("_others_migrations")).await.unwrap(), Schema::Fresh);
        assert_eq!(files(place.folder()), before);
        let db = Db::open(&place.url, 2);
        let version = |from: i64, to: i64| {
            let update = Query::update()
                .table(Alias::new("_notes_migrations"))
                .value(Alias::new("version"), to)
                .and_where(sea_query::ExprTrait::eq(sea_query::Expr::col(Alias::new("version")), from))
                .to_owned();
            db.write(move |tx| Box::pin(async move { tx.execute(&update).await }))
        };
        version(1, 99).await.unwrap();
        assert_eq!(inspect(&place.url, &named("_notes_migrations")).await.unwrap(), Schema::Ahead);
        let forget = Query::delete().from_table(Alias::new("_notes_migrations")).to_owned();
        db.write(move |tx| Box::pin(async move { tx.execute(&forget).await })).await.unwrap();
        assert_eq!(inspect(&place.url, &named("_notes_migrations")).await.unwrap(), Schema::Behind(1));
    }
}

#[tokio::test]
async fn a_file_that_is_not_there_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let url = DatabaseUrl::parse("sqlite://new.db", folder.path()).unwrap();
    assert_eq!(inspect(&url, &migrations()[0]).await.unwrap(), Schema::NoFile);
    assert_eq!(files(folder.path()), BTreeSet::new());
    let nowhere = DatabaseUrl::parse("sqlite://none/new.db", folder.path()).unwrap();
    let error = inspect(&nowhere, &migrations()[0]).await.unwrap_err();
    assert!(matches!(error, InspectError::ReadOnly { .. }), "{error}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_not_taken_for_an_empty_one() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("notes.txt"), "a text, and quite a long one at that. ".repeat(200)).unwrap();
    let url = DatabaseUrl::parse("sqlite://notes.txt", folder.path()).unwrap();
    assert!(matches!(inspect(&url, &migrations()[0]).await, Err(InspectError::Database(_))));
}
