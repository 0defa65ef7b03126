//! What may be done. Until there are rules, everything that a tool's schema accepts.

use async_trait::async_trait;

use crate::domain::{Gate, Principal, Tool, ToolCall, Verdict};

/// Allows every call. Isolation does not rest on it: the task server takes the user from the host alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct AllowAll;

#[async_trait]
impl Gate for AllowAll {
    async fn check(&self, _principal: &Principal, _tool: &Tool, _call: &ToolCall) -> Verdict {
        Verdict::Allow
    }
}
