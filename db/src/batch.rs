//! Units of work that share one commit, each within a savepoint of its own. One that is alone has the transaction for
//! itself.
//!
//! A unit that fails is undone to its savepoint, and only it fails. Nobody is answered before COMMIT: a unit sees what
//! those before it wrote, so even its refusal holds only once they are kept. If the transaction itself is in doubt, by
//! an error of one of its commands or by one after which SQLite may have ended it, all are told so.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt;

use crate::{
    DbError,
    connection::{Connection, Frame, Sharing},
    error::Trouble,
    tx::{Stage, Traces, Tx},
    unit::{Ended, Unit, Wish},
};

/// How long a batch may take, COMMIT included. Its statements have shorter limits of their own; this one catches a
/// server that stopped answering.
const LIMIT: Duration = Duration::from_secs(15);

/// What those hear whose commit was lost by another unit.
const LOST_TOGETHER: &str = "another write of the same commit failed";

/// Whether a connection may be used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    Sound,
    Condemned,
}

/// Units in the order in which they came, with what became of those that are undone.
#[derive(Default)]
pub(crate) struct Batch {
    members: Vec<Member>,
}

struct Member {
    unit: Box<dyn Unit>,
    ended: Ended,
}

/// What became of one unit within the transaction.
enum Left {
    /// What it wrote is there, to be committed.
    Written,
    /// It is to be undone, and how it is to be answered.
    ToUndo(Ended),
    /// It panicked: it is to be undone, and the connection is not used after the commit.
    Panicked,
    /// The transaction is in doubt.
    Doubtful(DbError),
    /// Its last statements were run and may be kept or not: it failed behind them, or the transaction could not be ended.
    Unknown(DbError),
}

/// The transaction is lost, by the unit at this place or by a command between units.
struct Doubt {
    culprit: Option<usize>,
    error: DbError,
}

impl Batch {
    pub(crate) fn add(&mut self, unit: Box<dyn Unit>) {
        self.members.push(Member { unit, ended: Ended::AsItWished });
    }

    pub(crate) const fn len(&self) -> usize {
        self.members.len()
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Tells whether the transaction is for one unit or for several.
    pub(crate) const fn sharing(&self) -> Sharing {
        if self.len() > 1 { Sharing::Several } else { Sharing::One }
    }

    /// Answers that nothing could begin.
    pub(crate) fn lose(self, error: DbError) {
        self.answer_lost(Doubt { culprit: None, error });
    }

    /// Runs every unit in the transaction that has begun, ends the transaction, and answers.
    pub(crate) async fn run(mut self, connection: &mut Connection) -> Condition {
        let work = self.transact(connection);
        let done = match tokio::time::timeout(LIMIT, work).await {
            Ok(done) => done,
            Err(_elapsed) => {
                Err(Doubt { culprit: None, error: DbError::unavailable("a write took too long") })
            }
        };
        match done {
            Ok(condition) => {
                self.members.into_iter().for_each(|member| member.unit.answer(member.ended));
                condition
            }
            Err(doubt) => {
                self.answer_lost(doubt);
                Condition::Condemned
            }
        }
    }

    async fn transact(&mut self, connection: &mut Connection) -> Result<Condition, Doubt> {
        let sharing = self.sharing();
        let (mut condition, mut has_begun, mut is_written) = (Condition::Sound, false, false);
        for (place, member) in self.members.iter_mut().enumerate() {
            let frame = connection.frame(sharing, has_begun);
            let (stage, left) = run_one(connection, member.unit.as_mut(), frame).await;
            has_begun |= stage != Stage::Unopened;
            let doubt = |error| Doubt { culprit: Some(place), error };
            let is_kept = matches!(left, Left::Written);
            match left {
                // What a unit has closed that was alone is committed by that.
                Left::Written => {
                    is_written |=
                        stage == Stage::Open || (stage == Stage::Closed && sharing == Sharing::Several);
                }
                Left::ToUndo(ended) => member.ended = ended,
                Left::Panicked => condition = Condition::Condemned,
                Left::Doubtful(error) => return Err(doubt(error)),
                Left::Unknown(error) => return Err(Doubt { culprit: None, error }),
            }
            if stage == Stage::Open {
                let ended =
                    if is_kept { connection.keep(sharing).await } else { connection.undo(sharing).await };
                ended.map_err(|error| doubt(error.into()))?;
            }
        }
        let ended = match sharing {
            _ if is_written => connection.commit().await,
            Sharing::Several if has_begun => connection.roll_back().await,
            Sharing::One | Sharing::Several => Ok(()),
        };
        ended.map_err(|error| Doubt { culprit: None, error: error.into() })?;
        Ok(condition)
    }

    fn answer_lost(self, doubt: Doubt) {
        let reason = match &doubt.error {
            DbError::Unavailable { reason, .. } if doubt.culprit.is_none() => *reason,
            DbError::Unavailable { .. } | DbError::Refused(_) | DbError::Panicked => LOST_TOGETHER,
        };
        let told_first = doubt.culprit.unwrap_or_default();
        let mut error = Some(doubt.error);
        for (place, member) in self.members.into_iter().enumerate() {
            let ended = match error.take_if(|_| place == told_first) {
                Some(error) if doubt.culprit.is_some() => Ended::ByItsFault(error),
                Some(error) => Ended::Lost(error),
                None => Ended::Lost(DbError::unavailable(reason)),
            };
            member.unit.answer(ended);
        }
    }
}

/// Runs a unit, and returns how far the transaction has come and what is to become of what was done.
async fn run_one(connection: &mut Connection, unit: &mut dyn Unit, frame: Frame) -> (Stage, Left) {
    let mut tx = Tx::new(connection, frame);
    let wish = AssertUnwindSafe(unit.run(&mut tx)).catch_unwind().await.ok();
    let traces = tx.left();
    (traces.stage, left(wish, traces))
}

/// Decides what is to become of what a unit did. It has no wish if it panicked.
fn left(wish: Option<Wish>, Traces { stage, trouble, unended }: Traces) -> Left {
    if let Some(error) = unended {
        return Left::Unknown(error);
    }
    match (wish, trouble) {
        (_, Some(Trouble::Connection)) => {
            Left::Doubtful(DbError::unavailable("the connection failed in the middle"))
        }
        (Some(Wish::Commit), None) => Left::Written,
        (Some(Wish::RollBack) | None, None) if stage == Stage::Closed => {
            Left::Unknown(DbError::unavailable("a unit failed behind its last statements"))
        }
        (None, _) => Left::Panicked,
        (Some(Wish::Commit), Some(Trouble::Statement | Trouble::Busy)) => {
            let error = DbError::unavailable("a statement failed and was overlooked");
            Left::ToUndo(Ended::ByItsFault(error))
        }
        (Some(Wish::RollBack), Some(Trouble::Statement | Trouble::Busy) | None) => {
            Left::ToUndo(Ended::AsItWished)
        }
    }
}
