//! Following a run: live, again, from another device, or long after. One call serves them all.

use std::{sync::Arc, time::Duration};

use futures_util::{Stream, StreamExt, stream};
use tokio::time::{Instant, sleep};

use super::{Inner, Runs, live::Live};
use crate::{
    domain::{Event, EventId, RunId, UserId},
    store::StoreError,
};

/// How often a run that nobody here runs is looked up.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How long after its own limit a run may still be ended by whoever finds it.
const LATE_END: Duration = Duration::from_secs(120);

/// One thing heard of a run.
pub type Heard = (EventId, Arc<Event>);

/// What following came to.
pub enum Followed {
    /// The events behind the given id, then live ones, until the run's end.
    Stream(std::pin::Pin<Box<dyn Stream<Item = Heard> + Send>>),
    /// The run is over and its end was seen.
    Over,
    /// The id lies beyond all that was ever told.
    Beyond,
    /// The user has no such run.
    NoSuchRun,
}

impl Runs {
    /// Follows a run of the user from its start, or behind `seen`. The stream ends after the end event; it ends
    /// without one only if the end cannot be stored for long, the service stops or the run is deleted. Dropping it changes nothing.
    pub async fn follow(
        &self,
        user: &UserId,
        run: RunId,
        seen: Option<EventId>,
    ) -> Result<Followed, StoreError> {
        let seen = seen.unwrap_or(EventId::NONE);
        if let Some(live) = self.0.shelf.find(user, run) {
            return Ok(self.follow_live(user.clone(), live, seen));
        }
        let Some(found) = self.0.store.find_run(user, run).await? else {
            return Ok(Followed::NoSuchRun);
        };
        if found.status.is_final() {
            if let Some(verdict) = at_the_end(seen, found.last_event_id) {
                return Ok(verdict);
            }
            let events = self.0.store.replay(user, &found).await?;
            return Ok(Followed::Stream(Box::pin(stream::iter(behind(events, seen)))));
        }
        let (inner, user) = (Arc::clone(&self.0), user.clone());
        let stored = async move { stream::iter(inner.wait_for_stored(&user, run, seen).await) };
        Ok(Followed::Stream(Box::pin(stream::once(stored).flatten())))
    }

    fn follow_live(&self, user: UserId, live: Arc<Live>, seen: EventId) -> Followed {
        // In this order: what is told between the two looks must not pass for having been seen.
        let is_complete = live.is_complete();
        let last = live.last();
        if seen > last {
            return Followed::Beyond;
        }
        if is_complete && seen == last {
            return Followed::Over;
        }
        let (inner, run) = (Arc::clone(&self.0), live.run);
        let heard = stream::unfold(Hearing { live, seen, is_ended: false }, move |hearing| {
            let (inner, user) = (Arc::clone(&inner), user.clone());
            async move {
                if hearing.is_ended {
                    return None;
                }
                let mut events = hearing.live.read(hearing.seen).await;
                if events.is_empty() {
                    // Closed without the end: the database was away when it should have been stored.
                    // Boxed, since every listener's stream would have room for it.
                    events = Box::pin(inner.wait_for_stored(&user, run, hearing.seen)).await;
                }
                let (last, event) = events.last()?;
                let is_ended = matches!(**event, Event::Ended(_));
                let hearing = Hearing { seen: *last, is_ended, ..hearing };
                Some((stream::iter(events), hearing))
            }
        });
        Followed::Stream(Box::pin(heard.flatten()))
    }
}

/// How far a reader has come.
struct Hearing {
    live: Arc<Live>,
    seen: EventId,
    is_ended: bool,
}

impl Inner {
    /// Waits for the end of a run that nobody here runs and returns what is stored behind `seen`. Gives up, with
    /// nothing, when the run could not possibly be under way any more or the service is about to stop.
    async fn wait_for_stored(&self, user: &UserId, run: RunId, seen: EventId) -> Vec<Heard> {
        let deadline = Instant::now() + self.settings.timeout + LATE_END;
        while Instant::now() < deadline && !self.shutdown.is_draining() {
            let stored = async {
                match self.store.find_run(user, run).await? {
                    Some(found) if found.status.is_final() => self.store.replay(user, &found).await.map(Some),
                    Some(_) => Ok(None),
                    None => Ok(Some(Vec::new())),
                }
            };
            match stored.await {
                Ok(Some(events)) => return behind(events, seen),
                Ok(None) => {}
                Err(error) => {
                    tracing::debug!(error = &error as &dyn std::error::Error, "a run could not be read yet");
                }
            }
            sleep(LOOK_EVERY).await;
        }
        Vec::new()
    }
}

fn at_the_end(seen: EventId, last: EventId) -> Option<Followed> {
    match seen.cmp(&last) {
        std::cmp::Ordering::Less => None,
        std::cmp::Ordering::Equal => Some(Followed::Over),
        std::cmp::Ordering::Greater => Some(Followed::Beyond),
    }
}

fn behind(events: Vec<(EventId, Event)>, seen: EventId) -> Vec<Heard> {
    events.into_iter().filter(|(id, _)| *id > seen).map(|(id, event)| (id, Arc::new(event))).collect()
}
