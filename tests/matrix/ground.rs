//! The databases that cells are played on. Postgres takes most of a second to drop one, so a cell that went well leaves
//! its database to the next, with nothing in it.

use std::{ops::Deref, sync::Mutex};

use parlor_db::testing::{Engine, Place};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::support::migrations;

/// Databases of Postgres that are empty again.
static LEFT: Mutex<Vec<Place>> = Mutex::new(Vec::new());

/// A database with nothing in it.
pub struct Ground(Option<Place>);

impl Deref for Ground {
    type Target = Place;

    fn deref(&self) -> &Place {
        self.0.as_ref().expect("it is there until it is dropped")
    }
}

impl Ground {
    /// Takes one that was left, or makes a new one. Nothing if there is no such database here.
    pub async fn take(engine: Engine) -> Option<Self> {
        let left = if engine == Engine::Postgres { LEFT.lock().unwrap().pop() } else { None };
        match left {
            Some(place) => Some(Self(Some(place))),
            None => Place::fresh(engine, migrations()).await.map(|place| Self(Some(place))),
        }
    }

    /// Empties it and leaves it to the next who wants one.
    pub async fn leave(mut self) {
        if self.engine == Engine::Postgres {
            let mut on = PgConnection::connect(&self.url.expose()).await.unwrap();
            let tables = "SELECT table_name::text FROM information_schema.tables \
                          WHERE table_schema = 'public' AND table_name NOT LIKE '%migrations'";
            let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(&mut on).await.unwrap();
            let deletes: Vec<String> = tables.iter().map(|table| format!("DELETE FROM {table}")).collect();
            sqlx::raw_sql(AssertSqlSafe(deletes.join(";"))).execute(&mut on).await.unwrap();
            LEFT.lock().unwrap().extend(self.0.take());
        }
    }

    /// Drops all that were left.
    pub fn clear() {
        LEFT.lock().unwrap().clear();
    }
}
