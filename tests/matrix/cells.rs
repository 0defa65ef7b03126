//! The cells: every point of a turn, everything that may happen there, on both databases. A cell that means nothing says why.

use std::{collections::HashSet, fmt};

use parlor_db::testing::Engine;

use super::{
    model::{Failure, Stumble},
    support::random::Random,
};

/// The points of a turn, in their order. The provider of the test is held at `asked` and `mid-text`, the task server at
/// `call-arrived` and `effect-done`, the service at all others.
pub const POINTS: [&str; 13] = [
    "before-accept",
    "after-accept",
    "asked",
    "mid-text",
    "call-asked",
    "call-started",
    "call-arrived",
    "effect-done",
    "call-answered",
    "answer-stored",
    "before-end",
    "end-stored",
    "end-told",
];

/// The points that lie behind a turn for good: what comes before them is stored.
const NOT_AGAIN: [&str; 4] = ["after-accept", "answer-stored", "end-stored", "end-told"];

/// What happens while a turn is held at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The client hangs up, and comes back.
    HangUp,
    /// The client cancels.
    Cancel,
    /// The client cancels, and the service is killed before it has done so.
    CancelKill,
    /// The service is to stop, and the turn has time to end.
    Stop,
    /// The service is to stop, and the turn has no time.
    StopNow,
    /// The service is killed.
    Kill,
    /// The service is killed, and the next one at the same point.
    KillTwice,
    /// The service is killed, and the next two at the same point: more often than a turn is attempted.
    KillThrice,
    /// The service is frozen for a while.
    Freeze,
    /// The provider fails.
    Provider(Failure),
    /// The provider fails twice before its first byte, and is well when it is asked again.
    Stumble(Stumble),
    /// The task server is killed.
    ChildKill,
    /// The task server is frozen for good.
    ChildFreeze,
    /// The task server says what is no answer.
    ChildGarbage,
    /// The databases are gone for a while.
    Outage,
    /// The databases are busy for a moment.
    Busy,
    /// All readers of the database are taken.
    PoolFull,
}

/// Every fault.
pub const FAULTS: [Fault; 23] = [
    Fault::HangUp,
    Fault::Cancel,
    Fault::CancelKill,
    Fault::Stop,
    Fault::StopNow,
    Fault::Kill,
    Fault::KillTwice,
    Fault::KillThrice,
    Fault::Freeze,
    Fault::Provider(Failure::Reset),
    Fault::Provider(Failure::Stall),
    Fault::Provider(Failure::Error),
    Fault::Provider(Failure::Garbage),
    Fault::Provider(Failure::EndEarly),
    Fault::Stumble(Stumble::Unavailable),
    Fault::Stumble(Stumble::Limited),
    Fault::Stumble(Stumble::HangUp),
    Fault::ChildKill,
    Fault::ChildFreeze,
    Fault::ChildGarbage,
    Fault::Outage,
    Fault::Busy,
    Fault::PoolFull,
];

/// What the next process does with a run that the last one left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// It goes on with it.
    Resume,
    /// It ends it.
    Interrupt,
}

impl Recovery {
    /// Returns the word of the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Resume => "resume",
            Self::Interrupt => "interrupt",
        }
    }
}

/// One cell.
#[derive(Clone, Copy, Debug)]
pub struct Cell {
    pub engine: Engine,
    pub point: &'static str,
    pub fault: Fault,
    pub recovery: Recovery,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let engine = format!("{:?}", self.engine).to_lowercase();
        write!(f, "{engine}/{}/{}", self.point, self.fault.name())?;
        match self.recovery {
            Recovery::Resume => Ok(()),
            Recovery::Interrupt => f.write_str("/interrupt"),
        }
    }
}

impl Fault {
    /// Returns the fault in a word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::HangUp => "hang-up",
            Self::Cancel => "cancel",
            Self::CancelKill => "cancel-kill",
            Self::Stop => "stop",
            Self::StopNow => "stop-now",
            Self::Kill => "kill",
            Self::KillTwice => "kill-twice",
            Self::KillThrice => "kill-thrice",
            Self::Freeze => "freeze",
            Self::Provider(Failure::Reset) => "provider-reset",
            Self::Provider(Failure::Stall) => "provider-stall",
            Self::Provider(Failure::Error) => "provider-error",
            Self::Provider(Failure::Garbage) => "provider-garbage",
            Self::Provider(Failure::EndEarly) => "provider-end",
            Self::Stumble(Stumble::Unavailable) => "retry-503",
            Self::Stumble(Stumble::Limited) => "retry-429",
            Self::Stumble(Stumble::HangUp) => "retry-hang-up",
            Self::ChildKill => "child-kill",
            Self::ChildFreeze => "child-freeze",
            Self::ChildGarbage => "child-garbage",
            Self::Outage => "db-outage",
            Self::Busy => "db-busy",
            Self::PoolFull => "pool-full",
        }
    }

    /// Returns what may become of a turn that the fault leaves to the next process: one thing if it leaves none.
    const fn recoveries(self) -> &'static [Recovery] {
        match self {
            Self::StopNow | Self::Kill => &[Recovery::Resume, Recovery::Interrupt],
            Self::HangUp
            | Self::Cancel
            | Self::CancelKill
            | Self::Stop
            | Self::KillTwice
            | Self::KillThrice
            | Self::Freeze
            | Self::Provider(_)
            | Self::Stumble(_)
            | Self::ChildKill
            | Self::ChildFreeze
            | Self::ChildGarbage
            | Self::Outage
            | Self::Busy
            | Self::PoolFull => &[Recovery::Resume],
        }
    }
}

/// Lists all cells of all databases.
pub fn all() -> Vec<Cell> {
    let mut cells = Vec::new();
    for engine in [Engine::Sqlite, Engine::Postgres] {
        for point in POINTS {
            for fault in FAULTS {
                if meaningless(point, fault).is_none() {
                    let recoveries = fault.recoveries().iter();
                    cells.extend(recoveries.map(|recovery| Cell {
                        engine,
                        point,
                        fault,
                        recovery: *recovery,
                    }));
                }
            }
        }
    }
    cells
}

/// Says why a cell means nothing, if it does.
pub fn meaningless(point: &'static str, fault: Fault) -> Option<&'static str> {
    let at = place(point);
    match fault {
        Fault::Provider(Failure::Error) if point == "mid-text" => {
            Some("the answer has begun with 200: no status can follow")
        }
        Fault::Provider(_) | Fault::Stumble(_) if at >= place("before-end") => {
            Some("the provider has said all that it will be asked")
        }
        Fault::Cancel | Fault::CancelKill if at < place("asked") => {
            Some("nobody knows the run yet: its id comes with the first byte")
        }
        Fault::KillTwice | Fault::KillThrice if NOT_AGAIN.contains(&point) => {
            Some("a turn that goes on does not come to this point again")
        }
        Fault::HangUp
        | Fault::Cancel
        | Fault::CancelKill
        | Fault::Stop
        | Fault::StopNow
        | Fault::Kill
        | Fault::KillTwice
        | Fault::KillThrice
        | Fault::Freeze
        | Fault::Provider(_)
        | Fault::Stumble(_)
        | Fault::ChildKill
        | Fault::ChildFreeze
        | Fault::ChildGarbage
        | Fault::Outage
        | Fault::Busy
        | Fault::PoolFull => None,
    }
}

/// Chooses so many cells that every point and every fault is among them on both databases, and then some.
pub fn sample(random: &mut Random, count: usize) -> Vec<Cell> {
    let mut cells = all();
    for at in (1..cells.len()).rev() {
        let other = usize::try_from(random.below(at as u64 + 1)).unwrap();
        cells.swap(at, other);
    }
    let (mut seen, mut chosen, mut rest) = (HashSet::new(), Vec::new(), Vec::new());
    for cell in cells {
        let engine = format!("{:?}", cell.engine);
        let is_new = seen.insert((engine.clone(), cell.point)) | seen.insert((engine, cell.fault.name()));
        if is_new { chosen.push(cell) } else { rest.push(cell) }
    }
    let missing = count.saturating_sub(chosen.len());
    chosen.extend(rest.into_iter().take(missing));
    chosen
}

/// Returns where a point stands in a turn.
pub fn place(point: &str) -> usize {
    POINTS.iter().position(|known| *known == point).expect("a point")
}

/// Says how the turn of a cell may end: `status` or `status:code`. Everything else is a fault of the service.
pub fn allowed(cell: &Cell) -> Vec<&'static str> {
    let at = place(cell.point);
    let has_ended = at >= place("end-stored");
    let (completed, interrupted) = (vec!["completed"], vec!["failed:interrupted"]);
    match cell.fault {
        _ if has_ended => completed,
        Fault::HangUp
        | Fault::Stop
        | Fault::Freeze
        | Fault::Stumble(_)
        | Fault::ChildKill
        | Fault::ChildFreeze
        | Fault::ChildGarbage
        | Fault::Busy
        | Fault::PoolFull => completed,
        Fault::Cancel if cell.point == "before-end" => completed,
        Fault::Cancel | Fault::CancelKill => vec!["cancelled"],
        // What was not accepted is accepted by the next process, or still by this one.
        Fault::Kill | Fault::KillTwice | Fault::KillThrice if cell.point == "before-accept" => completed,
        Fault::StopNow if cell.point == "before-end" => completed,
        Fault::Kill | Fault::StopNow => match cell.recovery {
            Recovery::Resume => completed,
            Recovery::Interrupt => interrupted,
        },
        Fault::KillTwice => completed,
        Fault::KillThrice => interrupted,
        Fault::Provider(Failure::Stall) => vec!["failed:model_timeout"],
        Fault::Provider(_) => {
            vec!["failed:model_upstream", "failed:model_stream_lost", "failed:model_malformed_reply"]
        }
        Fault::Outage => vec!["completed", "failed:storage_unavailable"],
    }
}
