//! The agent: asks what is next, does it, and writes it down, until there is nothing left to do.
//!
//! The loop is all there is to it. What comes next is decided by [`next`]; what a step is stands in `ask` and `hands`.

mod ask;
mod asking;
mod calibration;
mod hands;
mod history;
pub mod instructions;
pub mod window;

use std::{sync::Arc, time::Duration};

pub use calibration::Calibration;
pub use hands::{Hands, Past};
pub use history::History;
use parlor_failpoints::failpoint;
use tokio_util::sync::CancellationToken;
use window::Room;

use crate::domain::{
    CallId, ConversationId, Item, ItemId, Model, Next, NoticeCode, Principal, Reply, RunFailure, Scribe,
    ScribeError, ToolCall, ToolChoice, next,
};

/// An agent, ready for any conversation of any user.
pub struct Agent {
    /// What it does things with.
    pub hands: Hands,
    /// The constant instructions.
    pub instructions: Arc<str>,
    /// How it paces itself.
    pub limits: Limits,
    /// How far its estimate of tokens is off.
    pub calibration: Calibration,
}

/// How far a turn may go.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How often the model may ask for tools after one message of the user.
    pub max_turns: usize,
    /// How many tokens a request has at most, by our estimate: instructions, tools and history.
    pub history_tokens: usize,
    /// Whether listeners hear what the model thinks before it speaks.
    pub tells_reasoning: bool,
    /// How long the model may be silent once its reply has begun. Until then it has limits of its own.
    pub idle: Duration,
}

/// One turn: a conversation that waits for the agent.
pub struct Turn<'a> {
    /// On whose behalf it acts.
    pub principal: &'a Principal,
    /// The model that is asked.
    pub model: &'a dyn Model,
    /// The conversation.
    pub conversation_id: ConversationId,
    /// Its history, as far as it may be shown, the user's message last.
    pub history: History,
    /// Whether the first reply to the user's message may, must or must not call a tool.
    pub tool_choice: ToolChoice,
    /// Open calls that an earlier attempt began; what became of them is not known.
    pub in_doubt: &'a [CallId],
    /// Cancelled when the user wants no more.
    pub cancel: &'a CancellationToken,
    /// Where every step is written down.
    pub scribe: &'a dyn Scribe,
}

/// Why a turn ended without a last word.
#[derive(Debug)]
pub enum Stop {
    /// The user wanted no more.
    Cancelled,
    /// Something failed.
    Failed(RunFailure),
    /// Another attempt has the run.
    Fenced,
}

impl Agent {
    /// Tells how many tokens of history, by our estimate, may be worth reading for a model.
    pub fn reach(&self, model: &dyn Model) -> usize {
        self.calibration.estimated(&model.identity(), self.limits.history_tokens)
    }

    /// Takes a turn to its end and returns the last reply, which is not written down yet: it belongs into one commit
    /// with the end of the run. There is none if there was nothing to do. The history of the turn has it as its last item.
    pub async fn take(&self, turn: &mut Turn<'_>) -> Result<Option<(ItemId, Reply)>, Stop> {
        let mut last = None;
        if !matches!(turn.history.items().last(), Some(Item::User(_))) {
            // An earlier attempt had the reply that the choice was for.
            turn.tool_choice = ToolChoice::Auto;
        }
        loop {
            if turn.cancel.is_cancelled() {
                return Err(Stop::Cancelled);
            }
            match next(turn.history.items(), self.limits.max_turns) {
                Next::AskModel { tools } => {
                    let (message, reply) = self.ask(turn, tools).await?;
                    turn.tool_choice = ToolChoice::Auto;
                    if reply.calls.is_empty() {
                        last = Some((message, reply.clone()));
                    } else {
                        failpoint!("call-asked");
                        turn.scribe.reply(message, &reply).await?;
                    }
                    turn.history.push(Item::Assistant(reply));
                }
                Next::CallTool(call) => {
                    let past = turn.past(call);
                    if past == Past::Unmade {
                        turn.scribe.call_started(call).await?;
                    }
                    failpoint!("call-started");
                    let result = self.hands.call(turn.principal, call, past, turn.cancel).await?;
                    failpoint!("call-answered");
                    turn.scribe.call_ended(&result).await?;
                    failpoint!("answer-stored");
                    turn.history.push(Item::Tool(result));
                }
                Next::Rest => return Ok(last),
            }
        }
    }
}

impl From<ScribeError> for Stop {
    fn from(error: ScribeError) -> Self {
        match error {
            ScribeError::Fenced => Self::Fenced,
            ScribeError::Unavailable(source) => {
                tracing::error!(error = source.as_ref(), "a step of a run could not be stored");
                Self::Failed(RunFailure::StorageUnavailable)
            }
        }
    }
}

impl Turn<'_> {
    fn notice(&self, code: NoticeCode) {
        self.scribe.notice(code);
    }

    /// Tells whether a call may have been made before this attempt.
    fn past(&self, call: &ToolCall) -> Past {
        if self.in_doubt.contains(&call.id) { Past::InDoubt } else { Past::Unmade }
    }

    /// Leaves the oldest turns out if there is too much, and returns how many tokens are left. The next turns begin at the
    /// same place, and the user is told now and not again until more is left out.
    fn make_room(&mut self, room: Room) -> usize {
        let cut = window::cut(self.history.items(), room);
        if cut.count > 0 {
            self.scribe.context_starts(self.history.leave_out(cut.count));
            self.notice(NoticeCode::HistoryTrimmed);
        }
        cut.left
    }
}
