//! The HTTP connections to a provider.

use std::time::Duration;

use thread_local::ThreadLocal;

/// How many connections of a thread are kept for the next question. Each costs some 25 KB, and after a rush there would be as many
/// as there were questions at once.
const MOST_IDLE: usize = 64;

/// A client for each thread that asks: a connection is worked on where it was opened, and is of no use to a turn on another thread.
pub(super) struct Transport {
    clients: ThreadLocal<reqwest::Client>,
    connect_timeout: Duration,
}

impl Transport {
    /// Makes the client of this thread, so that what keeps one from being made mostly shows now. That of another thread is made
    /// with its first question, which takes some milliseconds: the certificates of the system are read.
    pub(super) fn new(connect_timeout: Duration) -> reqwest::Result<Self> {
        let transport = Self { clients: ThreadLocal::new(), connect_timeout };
        transport.here()?;
        Ok(transport)
    }

    /// Returns the client of this thread.
    pub(super) fn here(&self) -> reqwest::Result<reqwest::Client> {
        self.clients.get_or_try(|| self.client()).cloned()
    }

    fn client(&self) -> reqwest::Result<reqwest::Client> {
        reqwest::Client::builder()
            .connect_timeout(self.connect_timeout)
            .pool_max_idle_per_host(MOST_IDLE)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
    }
}
