//! What model calls cost that come to no reply: they were given up, or failed. The others say so with their reply.

use std::sync::{Arc, Mutex, PoisonError};

use super::Usage;

/// Adds up costs from wherever they come. Cloning is cheap; all clones count together.
#[derive(Clone, Debug, Default)]
pub struct Meter(Arc<Mutex<Usage>>);

impl Meter {
    /// Adds what a call cost.
    pub fn add(&self, usage: Usage) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).add(usage);
    }

    /// Returns what was added since the last time, and begins anew.
    pub fn take(&self) -> Usage {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
