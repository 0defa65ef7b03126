//! What a stream costs the database: a commit now and then, and never one per word.

use std::time::Duration;

use parlor_db::{DatabaseUrl, on_both, testing::Place};
use sqlx::{Connection as _, PgConnection};

use crate::support::{
    migrations,
    process::Process,
    provider::{Act, Answer, Provider, finish, said},
    stream::text,
};

/// How many words the stream has.
const WORDS: usize = 2_000;

/// How many writes it may cost: accept, finish, a save a second, and what a page of SQLite's log more or less comes to.
const MOST: i64 = 150;

/// Counts writes so far: rows on Postgres, pages of the log on SQLite.
async fn writes(place: &Place) -> i64 {
    match &place.url {
        DatabaseUrl::Sqlite(path) => {
            let log = path.with_file_name("test.db-wal");
            i64::try_from(std::fs::metadata(log).map_or(0, |found| found.len()) / 4096).unwrap()
        }
        DatabaseUrl::Postgres(_) => {
            let mut admin = PgConnection::connect(&place.url.expose()).await.unwrap();
            let count = "SELECT coalesce(sum(n_tup_ins + n_tup_upd), 0)::bigint FROM pg_stat_user_tables";
            sqlx::query_scalar(count).fetch_one(&mut admin).await.unwrap()
        }
    }
}

on_both! { migrations();
    async fn a_long_stream_costs_few_writes(place: Place) {
        let provider = Provider::start().await;
        let service = Process::start(&place, &provider.settings()).await;
        let word = [Act::Send(said("word ")), Act::Pause(Duration::from_millis(1))];
        let mut acts: Vec<Act> = word.iter().cloned().cycle().take(2 * WORDS).collect();
        acts.push(Act::Send(finish("stop")));
        provider.then(Answer::acts(acts));
        let before = writes(&place).await;
        let events = service.say("ada", "go on", None).await.rest().await;
        assert_eq!(text(&events).len(), 5 * WORDS);
        assert_eq!(events.iter().filter(|event| event.name == "message.delta").count(), WORDS);
        // The end of the service empties SQLite's log, and makes Postgres count its last rows.
        let live = writes(&place).await;
        service.terminate().await;
        let cost = live.max(writes(&place).await) - before;
        assert!((1..MOST).contains(&cost), "{WORDS} words cost {cost} writes");
    }
}
