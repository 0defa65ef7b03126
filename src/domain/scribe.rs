//! Where the agent writes down what it does. Write down, then act, then tell.

use std::time::Duration;

use async_trait::async_trait;

use super::{BoxError, ItemId, ModelIdentity, NoticeCode, Reply, ToolCall, ToolResult, Usage};

/// Why something could not be written down. The run cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ScribeError {
    /// Another attempt or a final state took the run from this one.
    #[error("the run is no longer this attempt's")]
    Fenced,
    /// Storage does not answer.
    #[error("storage is unavailable")]
    Unavailable(#[source] BoxError),
}

/// Writes down the steps of one run. The agent acts on nothing that is not written down.
#[async_trait]
pub trait Scribe: Send + Sync {
    /// Returns the id of the message that is written next. It is stored already, so that whoever goes on with the run can
    /// withdraw what was told of the message.
    fn next_message(&self) -> ItemId;

    /// Tells listeners a piece of text. Never waits and stores nothing.
    fn delta(&self, message: ItemId, text: &str);

    /// Tells listeners a piece of what the model thinks. Never waits and stores nothing.
    fn reasoning(&self, message: ItemId, text: &str);

    /// Tells listeners something worth knowing. Never waits and stores nothing.
    fn notice(&self, code: NoticeCode);

    /// Remembers from which position on the model is shown the conversation. Never waits; it is safe once the run has ended,
    /// and if it gets lost the same is found out again.
    fn context_starts(&self, position: i64);

    /// Notes that another model answers, and tells listeners so. Never waits.
    fn replaced(&self, by: &ModelIdentity, notice: NoticeCode);

    /// Counts what a model call cost.
    fn spent(&self, usage: Usage);

    /// Remembers how long the model asks to be left alone. Never waits; it is told with the failure of the run, if it fails.
    fn asked_to_wait(&self, wait: Duration);

    /// Returns once the reply and its calls are safe.
    async fn reply(&self, message: ItemId, reply: &Reply) -> Result<(), ScribeError>;

    /// Returns once it is safe that this call of the newest reply is about to be made.
    async fn call_started(&self, call: &ToolCall) -> Result<(), ScribeError>;

    /// Returns once the answer to a call of the newest reply is safe.
    async fn call_ended(&self, result: &ToolResult) -> Result<(), ScribeError>;
}
