//! What happens in a run, told once. Native SSE, text, JSON and ChatKit are renderings of these.

use std::time::Duration;

use serde::Serialize;

use super::{ConversationId, ItemId, RunFailure, RunId, RunStatus, ToolCall, ToolResult, Usage};

/// The longest time that a client is asked to wait, whatever a provider says.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// One thing that happened in a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The message was accepted and the run begins.
    RunCreated {
        /// The run.
        run_id: RunId,
        /// Its conversation.
        conversation_id: ConversationId,
        /// The user's message that it answers.
        user_message_id: ItemId,
        /// The provider asked.
        provider: String,
        /// The model asked.
        model: String,
        /// The attempt that begins.
        attempt: i32,
    },
    /// A piece of text of the message being written. Not stored.
    MessageDelta {
        /// The message.
        message_id: ItemId,
        /// The piece.
        delta: String,
    },
    /// A piece of what the model thinks before it speaks. Not stored, and no part of any message.
    ReasoningDelta {
        /// The message that is being thought about.
        message_id: ItemId,
        /// The piece.
        delta: String,
    },
    /// A message is whole, or cut short for good, and stored. It stands over all deltas.
    MessageCompleted {
        /// The message.
        message_id: ItemId,
        /// Its whole text.
        content: String,
        /// Whether it was cut short.
        incomplete: bool,
    },
    /// A message that an attempt was writing when it died is withdrawn; the model is asked again. That is stored.
    MessageDiscarded {
        /// The message. Listeners may never have heard of it.
        message_id: ItemId,
    },
    /// A call is about to be made; that is stored.
    ToolStarted {
        /// The message that asked for it.
        message_id: ItemId,
        /// The call.
        call: ToolCall,
    },
    /// A call is answered; the answer is stored.
    ToolCompleted {
        /// The message that asked for it.
        message_id: ItemId,
        /// The answer.
        result: ToolResult,
    },
    /// Something worth knowing that changes nothing. Not stored.
    Notice(Notice),
    /// The run reached its final state. Nothing follows.
    Ended(End),
}

/// The end of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct End {
    /// The run.
    pub run_id: RunId,
    /// Its final status; never `Running`.
    pub status: RunStatus,
    /// Why it failed, if it did.
    pub failure: Option<RunFailure>,
    /// What it cost.
    pub usage: Usage,
    /// How long the model asks to be left alone, counted from the end. Not stored.
    pub retry_after: Option<Duration>,
}

impl End {
    /// Says after how many seconds another try makes sense, where the model said so and the failure may pass.
    pub fn retry_after_seconds(&self) -> Option<u64> {
        self.failure.filter(|failure| failure.is_retryable())?;
        let wait = self.retry_after?.min(LONGEST_WAIT);
        Some((wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1))
    }
}

/// Something worth knowing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// What it is about.
    pub code: NoticeCode,
    /// The sentence that a person reads.
    pub message: String,
}

/// What a notice is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeCode {
    /// No model is configured; the built-in demo answers.
    DemoMode,
    /// The provider does not answer; another one does.
    ProviderFallback,
    /// The provider has the default model no more; its successor answers.
    ModelFallback,
    /// The reply hit a length limit.
    ReplyTruncated,
    /// The model had its turns with tools and was asked for a last word.
    MaxTurnsReached,
    /// A tool server is down; its tools were left out.
    ToolsUnavailable,
    /// Older turns did not fit and were left out. Told in the turn that leaves them out, not in those after it.
    HistoryTrimmed,
    /// The model failed before its first word and is asked again after a pause that people notice.
    ModelRetrying,
}

impl NoticeCode {
    /// Every code, for tables.
    pub const ALL: [Self; 8] = [
        Self::DemoMode,
        Self::ProviderFallback,
        Self::ModelFallback,
        Self::ReplyTruncated,
        Self::MaxTurnsReached,
        Self::ToolsUnavailable,
        Self::HistoryTrimmed,
        Self::ModelRetrying,
    ];

    /// Returns the code that clients know.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DemoMode => "demo_mode",
            Self::ProviderFallback => "provider_fallback",
            Self::ModelFallback => "model_fallback",
            Self::ReplyTruncated => "reply_truncated",
            Self::MaxTurnsReached => "max_turns_reached",
            Self::ToolsUnavailable => "tools_unavailable",
            Self::HistoryTrimmed => "history_trimmed",
            Self::ModelRetrying => "model_retrying",
        }
    }

    /// Returns the notice with its usual sentence.
    pub fn notice(self) -> Notice {
        let message = match self {
            Self::DemoMode => {
                "No model is configured: the built-in demo answers. Set LLM_PROVIDER and a key to talk to a model."
            }
            Self::ProviderFallback => "The usual AI service does not answer; another one does.",
            Self::ModelFallback => "The usual model is no longer offered; its successor answers.",
            Self::ReplyTruncated => "The reply hit a length limit and was cut short.",
            Self::MaxTurnsReached => "The model reached its limit of steps and was asked to sum up.",
            Self::ToolsUnavailable => "Some tools are unavailable right now.",
            Self::ModelRetrying => "The AI service is busy; trying again.",
            Self::HistoryTrimmed => "Older parts of this conversation were left out to fit the model.",
        };
        Notice { code: self, message: message.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(failure: Option<RunFailure>, retry_after: Option<Duration>) -> Option<u64> {
        let run_id = RunId::new();
        let (status, usage) = (RunStatus::Failed, Usage::default());
        End { run_id, status, failure, usage, retry_after }.retry_after_seconds()
    }

    #[test]
    fn a_client_is_told_to_wait_whole_seconds_of_a_day_at_most_and_only_for_what_may_pass() {
        let busy = Some(RunFailure::ModelRateLimited);
        let told = |millis: u64| seconds(busy, Some(Duration::from_millis(millis)));
        assert_eq!([0, 1, 30_000, 30_001].map(told), [Some(1), Some(1), Some(30), Some(31)]);
        assert_eq!(seconds(busy, Some(Duration::MAX)), Some(86_400));
        assert_eq!(seconds(busy, None), None);
        assert_eq!(seconds(Some(RunFailure::ModelQuota), Some(Duration::from_secs(9))), None);
        assert_eq!(seconds(None, Some(Duration::from_secs(9))), None);
    }
}
