//! Why a run failed: a stable code for programs, a plain sentence for people, and whether trying again may help.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The code of a failed run. The detail behind it stays in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunFailure {
    /// The service stopped while the run was under way.
    Interrupted,
    /// The provider refuses the key.
    ModelAuth,
    /// The provider's quota or credit is used up.
    ModelQuota,
    /// The provider asks to slow down.
    ModelRateLimited,
    /// The provider does not know the model.
    ModelNotFound,
    /// The conversation is too long for the model.
    ModelContextOverflow,
    /// The provider's filter stopped the answer.
    ModelContentFiltered,
    /// The provider refuses the request.
    ModelInvalidRequest,
    /// The provider's reply cannot be used.
    ModelMalformedReply,
    /// The provider failed.
    ModelUpstream,
    /// The provider did not answer in time.
    ModelTimeout,
    /// The answer broke off.
    ModelStreamLost,
    /// The run as a whole took too long.
    RunTimeout,
    /// The database could not be written to.
    StorageUnavailable,
    /// A fault of ours.
    Internal,
}

impl RunFailure {
    /// Every code, for tables and look-ups.
    pub const ALL: [Self; 15] = [
        Self::Interrupted,
        Self::ModelAuth,
        Self::ModelQuota,
        Self::ModelRateLimited,
        Self::ModelNotFound,
        Self::ModelContextOverflow,
        Self::ModelContentFiltered,
        Self::ModelInvalidRequest,
        Self::ModelMalformedReply,
        Self::ModelUpstream,
        Self::ModelTimeout,
        Self::ModelStreamLost,
        Self::RunTimeout,
        Self::StorageUnavailable,
        Self::Internal,
    ];

    /// Returns the code that clients and the database know.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Interrupted => "interrupted",
            Self::ModelAuth => "model_auth",
            Self::ModelQuota => "model_quota",
            Self::ModelRateLimited => "model_rate_limited",
            Self::ModelNotFound => "model_not_found",
            Self::ModelContextOverflow => "model_context_overflow",
            Self::ModelContentFiltered => "model_content_filtered",
            Self::ModelInvalidRequest => "model_invalid_request",
            Self::ModelMalformedReply => "model_malformed_reply",
            Self::ModelUpstream => "model_upstream",
            Self::ModelTimeout => "model_timeout",
            Self::ModelStreamLost => "model_stream_lost",
            Self::RunTimeout => "run_timeout",
            Self::StorageUnavailable => "storage_unavailable",
            Self::Internal => "internal",
        }
    }

    /// Finds the failure of a code.
    pub fn find(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|failure| failure.as_str() == code)
    }

    /// Returns the sentence that a user reads.
    pub const fn message(self) -> &'static str {
        match self {
            Self::Interrupted => "The answer was interrupted. Please try again.",
            Self::ModelAuth | Self::ModelQuota | Self::ModelNotFound | Self::ModelInvalidRequest => {
                "AI service unavailable. Please contact whoever runs this service."
            }
            Self::ModelRateLimited => "The AI service is busy. Please try again in a moment.",
            Self::ModelContextOverflow => {
                "This conversation is too long for the model. Please start a new one."
            }
            Self::ModelContentFiltered => "The AI service declined to answer this.",
            Self::ModelMalformedReply | Self::ModelUpstream => {
                "AI service temporarily unavailable. Please try again."
            }
            Self::ModelTimeout => "The AI service did not answer in time. Please try again.",
            Self::ModelStreamLost => "The answer broke off. Please try again.",
            Self::RunTimeout => "This took too long and was stopped. Please try again.",
            Self::StorageUnavailable => "Storage is temporarily unavailable. Please try again.",
            Self::Internal => "Something went wrong on our side. Please try again.",
        }
    }

    /// Tells whether the same message may well succeed later.
    pub const fn is_retryable(self) -> bool {
        match self {
            Self::Interrupted
            | Self::ModelRateLimited
            | Self::ModelMalformedReply
            | Self::ModelUpstream
            | Self::ModelTimeout
            | Self::ModelStreamLost
            | Self::RunTimeout
            | Self::StorageUnavailable
            | Self::Internal => true,
            Self::ModelAuth
            | Self::ModelQuota
            | Self::ModelNotFound
            | Self::ModelContextOverflow
            | Self::ModelContentFiltered
            | Self::ModelInvalidRequest => false,
        }
    }
}

impl fmt::Display for RunFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_found_again_by_its_word() {
        for failure in RunFailure::ALL {
            assert_eq!(RunFailure::find(failure.as_str()), Some(failure));
        }
    }
}
