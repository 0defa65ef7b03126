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
    /// without one only if the database is down for long. Dropping it changes nothing.
    pub async fn follow(
        &self,
        user: &UserId,
        run: RunId,
        seen: Option<EventId>,
    ) -> Result<Followed, StoreError> {
        let seen = seen.unwrap_or(EventId::NONE);
        if let Some(live) = self.0.shelf.find(user, run) {
            // The log of a finished run outlives its conversation; what was deleted is not told again.
            if live.is_over() && matches!(self.0.store.find_run(user, run).await, Ok(None)) {
                return Ok(Followed::NoSuchRun);
            }
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
        Ok(Followed::Stream(Box::pin(from_store(Arc::clone(&self.0), user.clone(), run, seen))))
    }

    fn follow_live(&self, user: UserId, live: Arc<Live>, seen: EventId) -> Followed {
        let last = live.last();
        if seen > last {
            return Followed::Beyond;
        }
        if live.is_over() && seen == last {
            return Followed::Over;
        }
        let run = live.run;
        let inner = Arc::clone(&self.0);
        let heard = stream::unfold((live, seen), |(live, seen)| async move {
            let events = live.read(seen).await;
            let (last, _) = events.last()?;
            let seen = *last;
            Some((stream::iter(events), (live, seen)))
        })
        .flatten();
        Followed::Stream(Box::pin(complete(heard, inner, user, run, seen)))
    }
}

/// Goes on from storage if a live log was closed without the run's end: the database was down when it should have
/// been stored.
fn complete(
    heard: impl Stream<Item = Heard> + Send + 'static,
    inner: Arc<Inner>,
    user: UserId,
    run: RunId,
    seen: EventId,
) -> impl Stream<Item = Heard> + Send {
    let last_heard = Arc::new(std::sync::Mutex::new((seen, false)));
    let noting = Arc::clone(&last_heard);
    let noted = heard.inspect(move |(id, event)| {
        if let Ok(mut last) = noting.lock() {
            *last = (*id, matches!(**event, Event::Ended(_)));
        }
    });
    let rest = stream::once(async move {
        let (seen, is_ended) = last_heard.lock().map_or((seen, false), |last| *last);
        if is_ended { stream::empty().boxed() } else { from_store(inner, user, run, seen).boxed() }
    })
    .flatten();
    noted.chain(rest)
}

/// Waits for the end of a run that nobody here runs and tells it from storage. Gives up when a run could not
/// possibly be under way any more.
fn from_store(
    inner: Arc<Inner>,
    user: UserId,
    run: RunId,
    seen: EventId,
) -> impl Stream<Item = Heard> + Send {
    let events = async move {
        let deadline = Instant::now() + inner.settings.timeout + Duration::from_secs(120);
        while Instant::now() < deadline && !inner.shutdown.is_draining() {
            match inner.store.find_run(&user, run).await {
                Ok(Some(found)) if found.status.is_final() => {
                    let events = inner.store.replay(&user, &found).await.unwrap_or_default();
                    return behind(events, seen);
                }
                Ok(Some(_)) | Err(_) => sleep(LOOK_EVERY).await,
                Ok(None) => break,
            }
        }
        Vec::new()
    };
    stream::once(events).flat_map(stream::iter)
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
