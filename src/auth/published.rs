//! Keeps the keys that an identity provider publishes. Requests read what is there; one task fetches, so that no two
//! fetches overlap and a client that hangs up ends none.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Notify, watch},
    time::{sleep, timeout},
};

use super::{
    fetch::Fetcher,
    key::Key,
    key_set::KeySet,
    refusal::Refusal,
    schedule::{Outcome, Schedule, Turn},
    token::Header,
};
use crate::clock::Clock;

/// How long a request waits for keys; a little longer than a fetch may take.
const PATIENCE: Duration = Duration::from_secs(6);

/// The published keys.
pub(super) struct Published {
    fetcher: Fetcher,
    clock: Clock,
    schedule: Mutex<Schedule>,
    keys: watch::Sender<Arc<KeySet>>,
    wanted: Notify,
}

impl Published {
    /// Begins with no keys.
    pub(super) fn new(fetcher: Fetcher, clock: Clock) -> Self {
        let (schedule, keys, wanted) =
            (Mutex::default(), watch::Sender::new(Arc::default()), Notify::default());
        Self { fetcher, clock, schedule, keys, wanted }
    }

    /// Finds the key of a token. A name that is not known may be a new one: it is worth a fetch, if none was made
    /// lately.
    pub(super) async fn find(&self, header: &Header) -> Result<Key, Refusal> {
        let mut keys = self.keys.subscribe();
        let found = keys.borrow_and_update().find(header);
        match found {
            Err(Refusal::UnknownKey | Refusal::UnnamedKey) => {}
            Ok(_) | Err(_) => return found,
        }
        let turn = self.schedule().ask(self.clock.now());
        match turn {
            Turn::Fetch => self.wanted.notify_one(),
            Turn::Wait | Turn::TooSoon => {}
        }
        if turn != Turn::TooSoon {
            // Late or not, what is there then decides.
            let _ = timeout(PATIENCE, keys.changed()).await;
        }
        // A fetch that ended in between has left its keys before it counted as ended.
        keys.borrow().find(header)
    }

    /// Fetches, unless that was done lately.
    pub(super) async fn fetch_if_due(&self) {
        if self.schedule().ask(self.clock.now()) == Turn::Fetch {
            self.fetch().await;
        }
    }

    /// Fetches whenever it is time or somebody wants it, for ever.
    pub(super) async fn keep_fresh(&self) {
        loop {
            let pause = self.schedule().pause();
            tokio::select! {
                () = self.wanted.notified() => self.fetch().await,
                () = sleep(pause) => self.fetch_if_due().await,
            }
        }
    }

    /// Puts the new keys in the place of the old ones. When there are none the old ones stay in force.
    async fn fetch(&self) {
        let outcome = match self.fetcher.fetch().await {
            Ok(keys) => {
                tracing::debug!(keys = keys.len(), "the keys of tokens were fetched");
                if keys.len() == 0 {
                    tracing::warn!("the set at JWKS_URL holds no usable key: no token is accepted");
                }
                self.keys.send_replace(Arc::new(keys));
                Outcome::Fetched
            }
            Err(error) => {
                let known = self.keys.borrow().len();
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, keys = known, "the keys of tokens could not be fetched");
                // Whoever waits need not wait any longer.
                self.keys.send_modify(|_| {});
                Outcome::Failed
            }
        };
        self.schedule().end(outcome);
    }

    fn schedule(&self) -> MutexGuard<'_, Schedule> {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use reqwest::Url;
    use serde_json::{Value, json};

    use super::*;

    impl Published {
        /// Holds these keys, as if they had been fetched just now, and fetches no others.
        pub(in crate::auth) fn holding(keys: &[Value]) -> Self {
            let nowhere = Url::parse("http://127.0.0.1:9/").unwrap();
            let published = Self::new(Fetcher::new(nowhere).unwrap(), Clock::of(DateTime::default));
            let set = json!({"keys": keys}).to_string();
            published.keys.send_replace(Arc::new(KeySet::parse(set.as_bytes()).unwrap()));
            published.schedule().ask(published.clock.now());
            published.schedule().end(Outcome::Fetched);
            published
        }
    }
}
