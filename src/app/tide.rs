//! Gives memory back to the system when a rush is over. The allocator keeps what was freed, so without this a service that
//! had a thousand streams once would look for ever as if it still had them.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::shutdown::Shutdown;

/// How often tasks are counted.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How many tasks fewer are a rush that is over. A stream has two: its connection and its run.
const MANY: usize = 96;

/// How long it takes at most until memory is given back again: the logs of finished runs, for one, go later and unseen.
const AT_LATEST: Duration = Duration::from_secs(120);

/// Gives memory back again and again, until nothing new begins.
pub(super) async fn give_back(shutdown: Shutdown) {
    let mut tide = Tide::new(Instant::now());
    let mut tick = interval(LOOK_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = shutdown.drained() => return,
        }
        if tide.is_out(shutdown.tasks(), Instant::now()) {
            let began = Instant::now();
            // It takes some milliseconds, so no worker does it. What becomes of it changes nothing here.
            drop(shutdown.spawn_blocking(parlor_heap::give_back).await);
            tracing::debug!(duration_ms = began.elapsed().as_millis(), "free memory was given back");
        }
    }
}

/// How much was under way lately, in tasks.
#[derive(Debug)]
struct Tide {
    /// The most since memory was given back.
    high: usize,
    /// How many there were at the last look.
    before: usize,
    given_back: Instant,
}

impl Tide {
    const fn new(now: Instant) -> Self {
        Self { high: 0, before: 0, given_back: now }
    }

    /// Notes how many tasks there are and tells whether to give memory back now: when they have become many fewer, or it
    /// was long ago. Never while they come or go by the dozen, for then memory is about to be used, or freed.
    fn is_out(&mut self, tasks: usize, now: Instant) -> bool {
        let is_calm = tasks.abs_diff(self.before) < MANY / 2;
        self.before = tasks;
        self.high = self.high.max(tasks);
        let is_low = tasks <= self.high / 2 && self.high - tasks >= MANY;
        let is_late = now.duration_since(self.given_back) >= AT_LATEST;
        if !is_calm || !(is_low || is_late) {
            return false;
        }
        *self = Self { high: tasks, before: tasks, given_back: now };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks twice a second and returns the looks, counted from one, at which memory is given back.
    fn given_back_at(tasks: impl IntoIterator<Item = usize>) -> Vec<usize> {
        let began = Instant::now();
        let mut tide = Tide::new(began);
        let looks = (1..).zip(tasks).map(|(look, tasks)| (look, tasks, began + LOOK_EVERY * look));
        looks.filter_map(|(look, tasks, now)| tide.is_out(tasks, now).then_some(look as usize)).collect()
    }

    #[test]
    fn once_a_rush_is_over_memory_is_given_back_once() {
        assert_eq!(given_back_at([20, 2_000, 3_000, 3_000, 1_200, 40, 30, 30, 30]), [7]);
    }

    #[test]
    fn a_rush_that_goes_in_steps_is_over_at_each() {
        assert_eq!(given_back_at([3_000, 1_400, 1_400, 900, 900, 600, 600]), [3, 7]);
    }

    #[test]
    fn nothing_is_given_back_while_much_comes_and_goes() {
        assert_eq!(given_back_at([0, 600, 100, 700, 50, 600].repeat(30)), [0; 0]);
    }

    #[test]
    fn a_few_tasks_fewer_are_no_end_of_a_rush() {
        assert_eq!(given_back_at([100, 100, 20, 20, 20]), [0; 0]);
        assert_eq!(given_back_at([1_000, 1_000, 600, 600, 600]), [0; 0]);
    }

    #[test]
    fn where_nothing_happens_memory_is_given_back_every_two_minutes() {
        assert_eq!(given_back_at([20; 500]), [240, 480]);
    }
}
