//! A database that fails for a while: Postgres behind a line that is cut, SQLite with its file locked by another process.

use std::sync::Arc;

use parlor_db::{DatabaseUrl, testing::Place};
use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// The way to a database, which the test can cut.
pub struct Outage {
    url: String,
    cut: Arc<watch::Sender<bool>>,
    lock: Option<(DatabaseUrl, Option<SqliteConnection>)>,
}

impl Outage {
    /// Puts itself before the database of a place.
    pub async fn of(place: &Place) -> Self {
        Self::before(&place.url).await
    }

    /// Puts itself before a database.
    pub async fn before(database: &DatabaseUrl) -> Self {
        let (direct, cut) = (database.expose(), Arc::new(watch::Sender::new(false)));
        match database {
            DatabaseUrl::Sqlite(_) => Self { url: direct, cut, lock: Some((database.clone(), None)) },
            DatabaseUrl::Postgres(_) => {
                let (front, database) = direct.rsplit_once('/').unwrap();
                let (front, server) = front.rsplit_once('@').unwrap();
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let url = format!("{front}@{}/{database}", listener.local_addr().unwrap());
                tokio::spawn(relay(listener, server.to_owned(), cut.subscribe()));
                Self { url, cut, lock: None }
            }
        }
    }

    /// Returns the address that goes through here.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Begins the outage.
    pub async fn begin(&mut self) {
        self.cut.send_replace(true);
        if let Some((DatabaseUrl::Sqlite(path), held)) = &mut self.lock {
            let mut other =
                SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(path)).await.unwrap();
            sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
            *held = Some(other);
        }
    }

    /// Ends the outage.
    pub async fn end(&mut self) {
        self.cut.send_replace(false);
        if let Some((_, held)) = &mut self.lock
            && let Some(mut other) = held.take()
        {
            sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();
        }
    }
}

/// Carries connections until the line is cut; while it is, everybody is hung up on.
async fn relay(listener: TcpListener, server: String, cut: watch::Receiver<bool>) {
    while let Ok((mut client, _)) = listener.accept().await {
        if *cut.borrow() {
            continue;
        }
        let (server, mut cut) = (server.clone(), cut.clone());
        tokio::spawn(async move {
            let Ok(mut server) = TcpStream::connect(server).await else { return };
            tokio::select! {
                _ = copy_bidirectional(&mut client, &mut server) => {}
                _ = cut.wait_for(|cut| *cut) => {}
            }
        });
    }
}
