//! May this call be made? Asked before every call, whoever makes it.

use async_trait::async_trait;

use super::{Principal, Tool, ToolCall};

/// The answer of the gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Make the call.
    Allow,
    /// Do not make it; the model is told why.
    Deny {
        /// The reason that the model and the user read.
        reason: String,
    },
}

/// Decides whether a principal may make a call.
#[async_trait]
pub trait Gate: Send + Sync {
    /// Decides on one call of a tool that exists, with arguments that its schema accepts.
    async fn check(&self, principal: &Principal, tool: &Tool, call: &ToolCall) -> Verdict;
}
