//! Desks: the threads that connections are served at, one per core, each with a runtime of its own. Whatever a connection asks
//! for stays on its thread. A scheduler that shares its tasks among threads wakes another one at nearly every step of a
//! turn, and that costs more than the step.

use std::{
    future::Future,
    io,
    num::NonZero,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use tokio::runtime::{Builder, Handle, Runtime};

/// All desks. When this is dropped they end, with what is still served there.
#[derive(Debug)]
pub struct Desks {
    first: Desk,
    others: Vec<Desk>,
    runtimes: Vec<Runtime>,
}

#[derive(Debug)]
struct Desk {
    runtime: Handle,
    /// How many are served here.
    served: Arc<AtomicUsize>,
}

impl Desks {
    /// Opens a desk for each core that this process may use. The first is the runtime that this is called on.
    ///
    /// # Errors
    /// The system gives no more threads or files.
    pub fn open() -> io::Result<Self> {
        Self::open_so_many(thread::available_parallelism().map_or(1, NonZero::get))
    }

    fn open_so_many(count: usize) -> io::Result<Self> {
        let mut desks = Self { first: Desk::at(Handle::current()), others: Vec::new(), runtimes: Vec::new() };
        for _ in 1..count {
            let runtime = runtime()?;
            desks.others.push(Desk::at(runtime.handle().clone()));
            desks.runtimes.push(runtime);
        }
        Ok(desks)
    }

    /// Serves somebody at the desk where the fewest are.
    pub fn serve(&self, work: impl Future<Output = ()> + Send + 'static) {
        let others = self.others.iter();
        let desk =
            others.fold(&self.first, |best, other| if other.count() < best.count() { other } else { best });
        let served = Served::at(desk);
        desk.runtime.spawn(async move {
            work.await;
            drop(served);
        });
    }
}

impl Drop for Desks {
    fn drop(&mut self) {
        // Waiting for them is not allowed where this is dropped.
        self.runtimes.drain(..).for_each(Runtime::shutdown_background);
    }
}

impl Desk {
    fn at(runtime: Handle) -> Self {
        Self { runtime, served: Arc::default() }
    }

    fn count(&self) -> usize {
        self.served.load(Ordering::Relaxed)
    }
}

/// Somebody who is served at a desk, until this is dropped.
struct Served(Arc<AtomicUsize>);

impl Served {
    fn at(desk: &Desk) -> Self {
        desk.served.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(&desk.served))
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Makes a runtime that has one thread for its tasks. It is the kind that could have more, for that lets a task go next that
/// the one before has woken; with the other kind each step of a turn would wait for all that is ready, and where there is more
/// to do than can be done no turn would come to its end. What other threads bring goes first: that is mostly a writer which
/// the database has answered, and everybody waits for it.
///
/// # Errors
/// The system gives no more threads or files.
pub fn runtime() -> io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(1).enable_all().global_queue_interval(1).build()
}

#[cfg(test)]
mod tests {
    use tokio::sync::{mpsc, oneshot};

    use super::*;

    #[tokio::test]
    async fn each_is_served_where_the_fewest_are_and_stays_there() {
        let desks = Desks::open_so_many(2).unwrap();
        let here = thread::current().id();
        let (said, mut heard) = mpsc::unbounded_channel();
        let mut leaving = Vec::new();
        for number in 0..4 {
            let (leave, left) = oneshot::channel::<()>();
            let said = said.clone();
            desks.serve(async move {
                said.send((number, thread::current().id() == here)).unwrap();
                let _ = left.await;
                said.send((number, thread::current().id() == here)).unwrap();
            });
            leaving.push(leave);
        }
        let mut places = [None; 4];
        for _ in 0..4 {
            let (number, is_here) = heard.recv().await.unwrap();
            places[number] = Some(is_here);
        }
        assert_eq!(places, [Some(true), Some(false), Some(true), Some(false)]);
        drop(leaving);
        for _ in 0..4 {
            let (number, is_here) = heard.recv().await.unwrap();
            assert_eq!(places[number], Some(is_here), "{number}");
        }
    }

    #[tokio::test]
    async fn a_desk_ends_with_what_is_served_there_when_all_are_closed() {
        let desks = Desks::open_so_many(2).unwrap();
        let (held, dropped) = oneshot::channel::<()>();
        desks.serve(std::future::pending());
        desks.serve(async move {
            let _held = held;
            std::future::pending::<()>().await;
        });
        drop(desks);
        assert!(dropped.await.is_err());
    }
}
