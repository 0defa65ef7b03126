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
    /// What becomes of a run that is cut short by a crash or a deploy.
    pub recovery: Recovery,
    /// How often a run is attempted at most.
    pub max_attempts: i32,
    /// How many runs may be under way at once.
    pub most_active: usize,
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
            recovery: reader.parsed("RUN_RECOVERY", Recovery::Resume, "resume or interrupt", Recovery::parse),
            max_attempts: reader.number("RUN_MAX_ATTEMPTS", 3, 1..=100),
            most_active: reader.number("MAX_ACTIVE_RUNS", 2_000, 1..=1_000_000),
            shutdown_grace: reader.seconds_or_zero("SHUTDOWN_GRACE", 25),
        }
    }
}

/// What becomes of a run that is cut short by a crash or a deploy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// The next start goes on with it.
    Resume,
    /// It ends as interrupted.
    Interrupt,
}

impl std::fmt::Display for Recovery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Resume => "resume",
            Self::Interrupt => "interrupt",
        })
    }
}

impl Recovery {
    fn parse(word: &str) -> Option<Self> {
        [Self::Resume, Self::Interrupt].into_iter().find(|choice| choice.to_string() == word)
    }
}
