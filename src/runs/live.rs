//! Runs that are being told: the log of each, who may read it, and the word to cancel.
//!
//! Readers share a log and keep one number each. There is no queue per reader, so a slow one costs nothing and an
//! absent one nothing at all.

use std::{
    collections::{HashMap, VecDeque},
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::watch, task::yield_now, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    herald::{Debt, Herald},
    log::{Log, Voice},
};
use crate::domain::{ConversationId, Event, EventId, ItemId, RunId, UserId};

/// How much memory the logs of finished runs may take together, in bytes.
const FINISHED_BYTES: usize = 64 * 1024 * 1024;

/// A run that is being told, or was a moment ago.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) run: RunId,
    pub(super) user: UserId,
    pub(super) conversation: ConversationId,
    /// Cancelled when the user wants no more.
    pub(super) cancel: CancellationToken,
    log: Mutex<Log>,
    told: watch::Sender<Progress>,
    herald: Mutex<Herald>,
}

/// How far a run was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Progress {
    last: EventId,
    is_over: bool,
}

impl Live {
    pub(super) fn new(
        run: RunId,
        user: UserId,
        conversation: ConversationId,
        cancel: CancellationToken,
    ) -> Self {
        let told = watch::Sender::new(Progress { last: EventId::NONE, is_over: false });
        Self { run, user, conversation, cancel, log: Mutex::default(), told, herald: Mutex::default() }
    }

    pub(super) fn push(&self, id: EventId, event: Event) {
        locked(&self.log).push(id, event);
        locked(&self.herald).forgive();
        self.told.send_modify(|progress| progress.last = id);
    }

    pub(super) fn push_delta(&self, id: EventId, voice: Voice, message: ItemId, delta: &str) {
        locked(&self.log).push_delta(id, voice, message, delta);
        if locked(&self.herald).is_to_tell(Instant::now()) {
            self.told.send_modify(|progress| progress.last = id);
        }
    }

    /// Does the work of the run, and meanwhile tells deltas of the same moment together: whatever else waits for the thread
    /// goes first, in case it brings more of them. All are in the log as they come; what is more than a delta is told at
    /// once, with all before it.
    pub(super) async fn gathering<T>(&self, work: impl Future<Output = T>) -> T {
        locked(&self.herald).is_gathering = true;
        let mut work = std::pin::pin!(work);
        poll_fn(|context| {
            let polled = work.as_mut().poll(context);
            let debt = locked(&self.herald).debt();
            match debt {
                Debt::None => {}
                Debt::Growing if polled.is_pending() => {
                    // Its first step is to ask for another turn.
                    let _ = std::pin::pin!(yield_now()).poll(context);
                }
                Debt::Growing | Debt::Due => self.tell_all(),
            }
            polled
        })
        .await
    }

    fn tell_all(&self) {
        let last = self.last();
        locked(&self.herald).settle(Instant::now());
        self.told.send_modify(|progress| progress.last = last);
    }

    /// Lets whoever heard up to this id from an earlier attempt go on from there.
    pub(super) fn reach(&self, id: EventId) {
        locked(&self.log).reach(id);
    }

    /// Says that nothing more will be told here.
    pub(super) fn close(&self) {
        self.told.send_modify(|progress| progress.is_over = true);
    }

    /// Returns the id of the newest event.
    pub(super) fn last(&self) -> EventId {
        locked(&self.log).last().unwrap_or(EventId::NONE)
    }

    /// Tells whether the run's end was told.
    pub(super) fn is_complete(&self) -> bool {
        locked(&self.log).is_complete()
    }

    pub(super) fn is_over(&self) -> bool {
        self.told.borrow().is_over
    }

    /// Waits until there is something behind `seen` and returns it; nothing if there never will be.
    pub(super) async fn read(&self, seen: EventId) -> Vec<(EventId, Arc<Event>)> {
        let mut told = self.told.subscribe();
        // The sender lives in `self`, so waiting ends only by what it waits for.
        let _ = told.wait_for(|progress| progress.last > seen || progress.is_over).await.map(drop);
        locked(&self.log).look(seen)
    }

    /// Waits until nothing more will be told.
    pub(super) async fn over(&self) {
        let _ = self.told.subscribe().wait_for(|progress| progress.is_over).await.map(drop);
    }

    fn bytes(&self) -> usize {
        locked(&self.log).bytes()
    }
}

/// All live runs of this process, and those that ended a short while ago.
#[derive(Debug)]
pub(super) struct Shelf {
    state: Mutex<ShelfState>,
    keep: Duration,
}

#[derive(Debug, Default)]
struct ShelfState {
    runs: HashMap<RunId, Arc<Live>>,
    finished: VecDeque<(Instant, RunId, usize)>,
    finished_bytes: usize,
}

impl Shelf {
    /// Makes a shelf that keeps the log of a finished run for `keep`.
    pub(super) fn new(keep: Duration) -> Self {
        Self { state: Mutex::default(), keep }
    }

    /// Puts a run on the shelf.
    pub(super) fn open(
        &self,
        run: RunId,
        user: UserId,
        conversation: ConversationId,
        cancel: CancellationToken,
    ) -> Arc<Live> {
        let live = Arc::new(Live::new(run, user, conversation, cancel));
        locked(&self.state).runs.insert(run, Arc::clone(&live));
        live
    }

    /// Takes a run off the shelf; those who listen go on with what is stored.
    pub(super) fn discard(&self, live: &Live) {
        locked(&self.state).runs.remove(&live.run);
        live.close();
    }

    /// Forgets the finished runs of a conversation that was deleted.
    pub(super) fn forget(&self, user: &UserId, conversation: ConversationId) {
        locked(&self.state).runs.retain(|_, live| live.user != *user || live.conversation != conversation);
    }

    /// Finds a run of the user.
    pub(super) fn find(&self, user: &UserId, run: RunId) -> Option<Arc<Live>> {
        locked(&self.state).runs.get(&run).filter(|live| live.user == *user).cloned()
    }

    /// Tells whether somebody runs it.
    pub(super) fn has_running(&self, run: RunId) -> bool {
        locked(&self.state).runs.get(&run).is_some_and(|live| !live.is_over())
    }

    /// Closes a run's log and lets go of it after a while. Readers that have it keep it. A log that does not tell the
    /// end is let go at once: what is stored will know more.
    pub(super) fn retire(&self, live: &Live) {
        if !live.is_complete() {
            return self.discard(live);
        }
        live.close();
        let (bytes, now) = (live.bytes(), Instant::now());
        let mut state = locked(&self.state);
        state.finished.push_back((now, live.run, bytes));
        state.finished_bytes += bytes;
        state.sweep(now, self.keep);
    }

    /// Lets go of what is too old or too much.
    pub(super) fn sweep(&self) {
        locked(&self.state).sweep(Instant::now(), self.keep);
    }
}

impl ShelfState {
    fn sweep(&mut self, now: Instant, keep: Duration) {
        while let Some((ended, run, bytes)) = self.finished.front().copied() {
            if now.duration_since(ended) < keep && self.finished_bytes <= FINISHED_BYTES {
                return;
            }
            self.finished.pop_front();
            self.finished_bytes -= bytes;
            self.runs.remove(&run);
        }
    }
}

/// Locks for a few instructions. A panic under the lock leaves plain data that is still good to read.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;
    use crate::domain::{End, RunStatus, Usage};

    fn user(name: &str) -> UserId {
        UserId::parse(name).unwrap()
    }

    fn opened(shelf: &Shelf) -> Arc<Live> {
        shelf.open(RunId::new(), user("ada"), ConversationId::new(), CancellationToken::new())
    }

    fn end(run_id: RunId) -> Event {
        let usage = Usage::default();
        Event::Ended(End { run_id, status: RunStatus::Completed, failure: None, usage, retry_after: None })
    }

    #[tokio::test]
    async fn a_reader_waits_for_what_comes_and_ends_with_the_run() {
        let live =
            Arc::new(Live::new(RunId::new(), user("ada"), ConversationId::new(), CancellationToken::new()));
        let reader = tokio::spawn({
            let live = Arc::clone(&live);
            async move { live.read(EventId::NONE).await.len() }
        });
        live.push_delta(1.into(), Voice::Speech, ItemId::new(), "x");
        assert_eq!(reader.await.unwrap(), 1);
        live.close();
        assert_eq!(live.read(1.into()).await.len(), 0);
    }

    /// Tells deltas after the given pauses, in milliseconds, and returns what readers were told of each time, and when.
    async fn told(pauses: &[u64]) -> Vec<(i64, u128)> {
        let live = Live::new(RunId::new(), user("ada"), ConversationId::new(), CancellationToken::new());
        let (mut news, began, message) = (live.told.subscribe(), Instant::now(), ItemId::new());
        let telling = live.gathering(async {
            for (id, pause) in (1_i64..).zip(pauses) {
                sleep(Duration::from_millis(*pause)).await;
                live.push_delta(id.into(), Voice::Speech, message, "x");
            }
            std::future::pending::<()>().await;
        });
        let hearing = async {
            let mut told = Vec::new();
            while let Ok(Ok(())) = tokio::time::timeout(Duration::from_secs(1), news.changed()).await {
                told.push((news.borrow_and_update().last.get(), began.elapsed().as_millis()));
            }
            told
        };
        tokio::select! {
            // A reader that was told goes before whoever waits for its next turn.
            biased;
            told = hearing => told,
            () = telling => Vec::new(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn of_a_burst_the_first_delta_is_told_at_once_and_the_rest_together() {
        assert_eq!(told(&[0; 50]).await, [(1, 0), (50, 0)]);
    }

    #[tokio::test(start_paused = true)]
    async fn deltas_that_come_as_people_read_are_told_as_they_come() {
        assert_eq!(told(&[0, 10, 10]).await, [(1, 0), (2, 10), (3, 20)]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_more_than_a_delta_is_told_at_once() {
        let live = Live::new(RunId::new(), user("ada"), ConversationId::new(), CancellationToken::new());
        live.gathering(async {
            live.push_delta(1.into(), Voice::Speech, ItemId::new(), "x");
            live.push_delta(2.into(), Voice::Speech, ItemId::new(), "y");
            assert_eq!(live.told.borrow().last, 1.into());
            live.push(3.into(), end(live.run));
            assert_eq!(live.told.borrow().last, 3.into());
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_finished_log_stays_for_a_while() {
        let shelf = Shelf::new(Duration::from_secs(300));
        let live = opened(&shelf);
        live.push(1.into(), end(live.run));
        shelf.retire(&live);
        tokio::time::advance(Duration::from_secs(299)).await;
        shelf.sweep();
        assert!(shelf.find(&user("ada"), live.run).is_some());
        tokio::time::advance(Duration::from_secs(2)).await;
        shelf.sweep();
        assert!(shelf.find(&user("ada"), live.run).is_none());
    }

    #[tokio::test]
    async fn finished_logs_are_let_go_oldest_first_when_they_are_too_much() {
        let shelf = Shelf::new(Duration::from_secs(300));
        let text = "x".repeat(1024 * 1024);
        let all: Vec<_> = (0..70).map(|_| opened(&shelf)).collect();
        for live in &all {
            live.push_delta(1.into(), Voice::Speech, ItemId::new(), &text);
            live.push(2.into(), end(live.run));
            shelf.retire(live);
        }
        let kept = all.iter().filter(|live| shelf.find(&user("ada"), live.run).is_some()).count();
        assert_eq!(kept, 63);
        assert!(shelf.find(&user("ada"), all[69].run).is_some());
    }

    #[tokio::test]
    async fn a_log_without_its_end_is_let_go_at_once() {
        let shelf = Shelf::new(Duration::from_secs(300));
        let live = opened(&shelf);
        live.push_delta(1.into(), Voice::Speech, ItemId::new(), "half");
        shelf.retire(&live);
        assert!(shelf.find(&user("ada"), live.run).is_none());
        assert!(live.is_over());
    }

    #[tokio::test]
    async fn a_run_is_found_by_its_user_alone() {
        let shelf = Shelf::new(Duration::ZERO);
        let live = opened(&shelf);
        assert!(shelf.find(&user("bob"), live.run).is_none());
        assert!(shelf.find(&user("ada"), live.run).is_some());
    }
}
