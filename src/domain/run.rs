//! A run: one turn of the agent, from an accepted message to exactly one final state.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{ConversationId, EventId, RunFailure, RunId};

/// A run as clients see it.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// The conversation that it belongs to.
    pub conversation_id: ConversationId,
    /// Where it stands.
    pub status: RunStatus,
    /// The run that it goes on with after an approval.
    pub resumes: Option<RunId>,
    /// The provider that it was accepted for.
    pub provider: String,
    /// The model that it was accepted for.
    pub model: String,
    /// How often it was taken up, counted from 1.
    pub attempt: i32,
    /// The last event that is stored.
    pub last_event_id: EventId,
    /// What the model calls cost.
    pub usage: Usage,
    /// Why it failed, if it did.
    pub failure: Option<RunFailure>,
    /// When it was accepted.
    pub created_at: DateTime<Utc>,
    /// When its first text came.
    pub first_delta_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
}

/// Where a run stands. All but `Running` are final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Under way.
    Running,
    /// The model has answered.
    Completed,
    /// It ended without an answer; the failure says why.
    Failed,
    /// The user stopped it.
    Cancelled,
    /// It waits for a person to decide; deciding starts a new run.
    AwaitingApproval,
}

impl RunStatus {
    /// Every status, for tables and look-ups.
    pub const ALL: [Self; 5] =
        [Self::Running, Self::Completed, Self::Failed, Self::Cancelled, Self::AwaitingApproval];

    /// Returns the word that clients and the database know.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::AwaitingApproval => "awaiting_approval",
        }
    }

    /// Finds the status of a word.
    pub fn find(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }

    /// Tells whether nothing will change any more.
    pub fn is_final(self) -> bool {
        self != Self::Running
    }
}

impl fmt::Display for RunStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What model calls cost, in tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Tokens that the model read.
    pub input_tokens: u64,
    /// Tokens that the model wrote.
    pub output_tokens: u64,
    /// Both together.
    pub total_tokens: u64,
    /// Of those read, how many came from the provider's cache.
    pub cached_input_tokens: u64,
    /// Of those written, how many were reasoning.
    pub reasoning_tokens: u64,
    /// How often a model was asked.
    pub model_calls: u64,
    /// Whether any of it is our estimate, because the provider said nothing.
    pub estimated: bool,
    /// What it cost, in millionths of a US dollar; nothing if the price of any of the calls is not known.
    pub cost_micros: Option<u64>,
}

impl Usage {
    /// Adds what another call cost.
    pub fn add(&mut self, other: Self) {
        self.cost_micros = match (self.model_calls, self.cost_micros, other.cost_micros) {
            (0, _, cost) => cost,
            (_, Some(cost), Some(more)) => Some(cost.saturating_add(more)),
            (_, None, _) | (_, _, None) => None,
        };
        self.input_tokens = self.input_tokens.saturating_add(other.input_tokens);
        self.output_tokens = self.output_tokens.saturating_add(other.output_tokens);
        self.total_tokens = self.total_tokens.saturating_add(other.total_tokens);
        self.cached_input_tokens = self.cached_input_tokens.saturating_add(other.cached_input_tokens);
        self.reasoning_tokens = self.reasoning_tokens.saturating_add(other.reasoning_tokens);
        self.model_calls = self.model_calls.saturating_add(other.model_calls);
        self.estimated |= other.estimated;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(cost_micros: Option<u64>) -> Usage {
        Usage {
            input_tokens: 7,
            output_tokens: 3,
            total_tokens: 10,
            model_calls: 1,
            cost_micros,
            ..Usage::default()
        }
    }

    #[test]
    fn calls_add_up_and_one_of_unknown_price_makes_the_sum_unknown() {
        let mut usage = Usage::default();
        usage.add(call(Some(5)));
        usage.add(call(Some(6)));
        assert_eq!((usage.total_tokens, usage.model_calls, usage.cost_micros), (20, 2, Some(11)));
        usage.add(call(None));
        usage.add(call(Some(1)));
        assert_eq!((usage.model_calls, usage.cost_micros), (4, None));
    }
}
