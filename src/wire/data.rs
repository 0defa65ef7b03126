//! What stands in the data of an event. Fields only ever grow.

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::{
    ToSchema,
    openapi::{RefOr, Schema},
};

use super::shapes::{NoticeOut, RunErrorOut, UsageOut};
use crate::domain::{CallId, CallStatus, ConversationId, End, Event, ItemId, RunFailure, RunId, RunStatus};

/// A schema by its name.
type Named = (String, RefOr<Schema>);

/// Describes the data of every event, and all that it is made of.
pub fn described() -> Vec<Named> {
    let mut all = Vec::new();
    describe::<RunCreatedOut<'_>>(&mut all);
    describe::<MessageDeltaOut<'_>>(&mut all);
    describe::<MessageCompletedOut<'_>>(&mut all);
    describe::<MessageDiscardedOut>(&mut all);
    describe::<ToolStartedOut<'_>>(&mut all);
    describe::<ToolCompletedOut<'_>>(&mut all);
    describe::<NoticeOut>(&mut all);
    describe::<RunEndedOut>(&mut all);
    describe::<RunFailedOut>(&mut all);
    all
}

fn describe<T: ToSchema>(all: &mut Vec<Named>) {
    all.push((T::name().into_owned(), T::schema()));
    T::schemas(all);
}

/// The data of an event.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum DataOut<'a> {
    RunCreated(RunCreatedOut<'a>),
    MessageDelta(MessageDeltaOut<'a>),
    MessageCompleted(MessageCompletedOut<'a>),
    MessageDiscarded(MessageDiscardedOut),
    ToolStarted(ToolStartedOut<'a>),
    ToolCompleted(ToolCompletedOut<'a>),
    Notice(NoticeOut),
    Ended(RunEndedOut),
    Failed(RunFailedOut),
}

/// The message is stored and the run begins.
#[derive(Serialize, ToSchema)]
#[schema(as = RunCreated)]
pub(super) struct RunCreatedOut<'a> {
    run_id: RunId,
    conversation_id: ConversationId,
    user_message_id: ItemId,
    provider: &'a str,
    model: &'a str,
    /// Counts from 1; a run that was cut short by a crash has another.
    attempt: i32,
}

/// A piece of text of the message that is being written, or of what the model thinks before it. Not stored.
#[derive(Serialize, ToSchema)]
#[schema(as = MessageDelta)]
pub(super) struct MessageDeltaOut<'a> {
    message_id: ItemId,
    delta: &'a str,
}

/// A message is whole and stored; it stands over all its deltas.
#[derive(Serialize, ToSchema)]
#[schema(as = MessageCompleted)]
pub(super) struct MessageCompletedOut<'a> {
    message_id: ItemId,
    content: &'a str,
    /// Whether it was cut short.
    incomplete: bool,
}

/// The text of an attempt that died is withdrawn; the model is asked again. The message may not have been heard of.
#[derive(Serialize, ToSchema)]
#[schema(as = MessageDiscarded)]
pub(super) struct MessageDiscardedOut {
    message_id: ItemId,
}

/// A call is about to be made.
#[derive(Serialize, ToSchema)]
#[schema(as = ToolStarted)]
pub(super) struct ToolStartedOut<'a> {
    message_id: ItemId,
    call_id: CallId,
    server: &'a str,
    name: &'a str,
    #[schema(value_type = Object)]
    arguments: &'a Map<String, Value>,
}

/// A call is answered.
#[derive(Serialize, ToSchema)]
#[schema(as = ToolCompleted)]
pub(super) struct ToolCompletedOut<'a> {
    message_id: ItemId,
    call_id: CallId,
    server: &'a str,
    name: &'a str,
    status: CallStatus,
    /// Whether the status is anything but `ok`.
    is_error: bool,
    /// What the tool answered: its structured content, else its text.
    #[schema(value_type = Value)]
    result: &'a Value,
    /// Whether the result was cut to 64 KiB.
    truncated: bool,
    duration_ms: Option<u64>,
}

/// The run has ended.
#[derive(Serialize, ToSchema)]
#[schema(as = RunEnded)]
pub(super) struct RunEndedOut {
    run_id: RunId,
    usage: UsageOut,
}

/// The run has failed.
#[derive(Serialize, ToSchema)]
#[schema(as = RunFailed)]
pub(super) struct RunFailedOut {
    run_id: RunId,
    usage: UsageOut,
    #[serde(flatten)]
    error: RunErrorOut,
    /// Where the model asks to be left alone for a while: how long, from the end of the run. Missing where nobody said so, and
    /// when the run is told from storage.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    retry_after_seconds: Option<u64>,
}

impl<'a> From<&'a Event> for DataOut<'a> {
    fn from(event: &'a Event) -> Self {
        match event {
            Event::RunCreated { run_id, conversation_id, user_message_id, provider, model, attempt } => {
                Self::RunCreated(RunCreatedOut {
                    run_id: *run_id,
                    conversation_id: *conversation_id,
                    user_message_id: *user_message_id,
                    provider,
                    model,
                    attempt: *attempt,
                })
            }
            // Text and reasoning alike; the name tells them apart.
            Event::MessageDelta { message_id, delta } | Event::ReasoningDelta { message_id, delta } => {
                Self::MessageDelta(MessageDeltaOut { message_id: *message_id, delta })
            }
            Event::MessageCompleted { message_id, content, incomplete } => {
                let (message_id, incomplete) = (*message_id, *incomplete);
                Self::MessageCompleted(MessageCompletedOut { message_id, content, incomplete })
            }
            Event::MessageDiscarded { message_id } => {
                Self::MessageDiscarded(MessageDiscardedOut { message_id: *message_id })
            }
            Event::ToolStarted { message_id, call } => Self::ToolStarted(ToolStartedOut {
                message_id: *message_id,
                call_id: call.id,
                server: &call.server,
                name: &call.name,
                arguments: &call.arguments,
            }),
            Event::ToolCompleted { message_id, result } => Self::ToolCompleted(ToolCompletedOut {
                message_id: *message_id,
                call_id: result.call_id,
                server: &result.server,
                name: &result.name,
                status: result.status,
                is_error: result.status.is_error(),
                result: &result.result,
                truncated: result.truncated,
                duration_ms: result.duration_ms,
            }),
            Event::Notice(notice) => Self::Notice(notice.clone().into()),
            Event::Ended(end) => end.into(),
        }
    }
}

impl From<&End> for DataOut<'_> {
    fn from(end: &End) -> Self {
        let (run_id, usage) = (end.run_id, end.usage.into());
        match end.status {
            RunStatus::Completed | RunStatus::Cancelled | RunStatus::AwaitingApproval => {
                Self::Ended(RunEndedOut { run_id, usage })
            }
            RunStatus::Failed | RunStatus::Running => {
                let error = end.failure.unwrap_or(RunFailure::Internal).into();
                let retry_after_seconds = end.retry_after_seconds();
                Self::Failed(RunFailedOut { run_id, usage, error, retry_after_seconds })
            }
        }
    }
}
