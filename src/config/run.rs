//! The settings of runs: how long they may take and how long they are remembered.

use std::time::Duration;

use super::reader::Reader;

/// The settings of runs.
#[derive(Clone, Debug)]
pub struct Run {
    /// The limit for a run as a whole.
    pub timeout: Duration,
    /// How long a finished run can still be followed live; zero: not at all.
    pub live_log: Duration,
    /// How long an `Idempotency-Key` is remembered.
    pub idempotency: Duration,
    /// How long a stop waits for what is under way; zero: not at all.
    pub shutdown_grace: Duration,
}

impl Run {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let hours: u32 = reader.number("IDEMPOTENCY_HOURS", 24, 1..=8_760);
        Self {
            timeout: reader.seconds("RUN_TIMEOUT", 300),
            live_log: reader.seconds_or_zero("LIVE_LOG", 300),
            idempotency: Duration::from_secs(u64::from(hours) * 60 * 60),
            shutdown_grace: reader.seconds_or_zero("SHUTDOWN_GRACE", 25),
        }
    }
}
