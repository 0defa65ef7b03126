//! Which turns are worked on before they are accepted: those that most likely will be. A question about a turn that is
//! refused costs what the provider takes for it.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::watch;

use crate::domain::UserId;

/// An idempotency key and whose it is.
type Key = (UserId, String);

/// What is known of turns that ask to be accepted.
#[derive(Debug, Default)]
pub(super) struct Foresight {
    /// The keys of those that wait for their verdict. Each is closed with it.
    keys: Mutex<HashMap<Key, watch::Receiver<()>>>,
    /// Whether the last one could not be stored.
    is_storage_down: AtomicBool,
}

/// The right to work on a turn before it is accepted. It is held until the verdict is there.
#[derive(Debug)]
pub(super) struct Foreseen<'a> {
    foresight: &'a Foresight,
    waits: Option<(Key, watch::Sender<()>)>,
}

impl Foresight {
    /// Lets a turn be worked on, unless storage failed the last time. A request with the key of one that waits for its
    /// verdict waits for that too, no longer than a write may take, and has no such right: it will be a repetition.
    pub(super) async fn of(&self, user: &UserId, key: Option<&str>) -> Option<Foreseen<'_>> {
        if self.is_storage_down.load(Ordering::Relaxed) {
            return None;
        }
        let Some(key) = key else { return Some(Foreseen { foresight: self, waits: None }) };
        let key = (user.clone(), key.to_owned());
        let mut verdict = match self.keys().entry(key.clone()) {
            Entry::Occupied(first) => first.get().clone(),
            Entry::Vacant(place) => {
                let (sender, verdict) = watch::channel(());
                place.insert(verdict);
                return Some(Foreseen { foresight: self, waits: Some((key, sender)) });
            }
        };
        // An error says that the sender is gone, and that is waited for.
        let _ = verdict.changed().await;
        None
    }

    /// Learns whether a turn could be stored or refused, or whether storage failed.
    pub(super) fn learn(&self, is_storage_down: bool) {
        self.is_storage_down.store(is_storage_down, Ordering::Relaxed);
    }

    fn keys(&self) -> MutexGuard<'_, HashMap<Key, watch::Receiver<()>>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Foreseen<'_> {
    fn drop(&mut self) {
        if let Some((key, _sender)) = &self.waits {
            self.foresight.keys().remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn of_requests_with_one_key_only_the_first_is_foreseen_and_the_others_wait_for_its_verdict() {
        let (foresight, ada) = (Foresight::default(), UserId::parse("ada").unwrap());
        let bob = UserId::parse("bob").unwrap();
        let first = foresight.of(&ada, Some("k")).await;
        assert!(first.is_some());
        let mut others = [Box::pin(foresight.of(&ada, Some("k"))), Box::pin(foresight.of(&ada, Some("k")))];
        assert!(others.iter_mut().all(|other| other.now_or_never().is_none()));
        assert!(foresight.of(&ada, Some("other")).await.is_some());
        assert!(foresight.of(&bob, Some("k")).await.is_some());
        assert!(foresight.of(&ada, None).await.is_some());
        drop(first);
        for other in others {
            assert!(other.await.is_none());
        }
        assert!(foresight.of(&ada, Some("k")).await.is_some(), "nothing is left behind");
    }

    #[tokio::test]
    async fn nothing_is_foreseen_while_storage_is_down() {
        let (foresight, user) = (Foresight::default(), UserId::parse("ada").unwrap());
        foresight.learn(true);
        assert!(foresight.of(&user, None).await.is_none());
        foresight.learn(false);
        assert!(foresight.of(&user, None).await.is_some());
    }
}
