//! A whole turn in one answer: the Chat object of the contract, section 3. Joined from the finished run, what it wrote
//! and what was heard on the way.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{
    messages::MessageOut,
    shapes::{NoticeOut, UsageOut},
};
use crate::domain::{
    CallId, CallStatus, ConversationId, Item, ItemId, Notice, Recorded, Run, RunId, RunStatus,
};

/// A whole turn in one answer.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Chat)]
pub struct ChatOut {
    run_id: RunId,
    conversation_id: ConversationId,
    status: RunStatus,
    /// The last message of the agent, if it wrote any.
    message: Option<MessageOut>,
    tool_calls: Vec<ToolCallOut>,
    notices: Vec<NoticeOut>,
    usage: UsageOut,
}

/// A call with its answer.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ToolCall)]
struct ToolCallOut {
    call_id: CallId,
    message_id: ItemId,
    server: String,
    name: String,
    #[schema(value_type = Object)]
    arguments: Map<String, Value>,
    status: CallStatus,
    /// Whether the status is anything but `ok`.
    is_error: bool,
    /// What the tool answered: its structured content, else its text.
    result: Value,
    /// Whether the result was cut to 64 KiB.
    truncated: bool,
    duration_ms: Option<u64>,
}

impl ChatOut {
    /// Joins a finished run, the items that it wrote and the notices that were heard into one answer.
    pub fn new(run: &Run, items: Vec<Recorded>, notices: Vec<Notice>) -> Self {
        let tool_calls = calls_with_answers(&items);
        let last = items.into_iter().rev().find(|recorded| is_spoken(&recorded.item));
        Self {
            run_id: run.id,
            conversation_id: run.conversation_id,
            status: run.status,
            message: last.map(|recorded| MessageOut::new(run.conversation_id, recorded)),
            tool_calls,
            notices: notices.into_iter().map(NoticeOut::from).collect(),
            usage: run.usage.into(),
        }
    }
}

fn is_spoken(item: &Item) -> bool {
    match item {
        Item::Assistant(reply) => !reply.text.is_empty(),
        Item::User(_) | Item::Tool(_) => false,
    }
}

fn calls_with_answers(items: &[Recorded]) -> Vec<ToolCallOut> {
    let mut asked: HashMap<CallId, (ItemId, Map<String, Value>)> = HashMap::new();
    let mut calls = Vec::new();
    for recorded in items {
        match &recorded.item {
            Item::User(_) => {}
            Item::Assistant(reply) => {
                asked.extend(reply.calls.iter().map(|call| (call.id, (recorded.id, call.arguments.clone()))));
            }
            Item::Tool(result) => {
                let (message_id, arguments) =
                    asked.remove(&result.call_id).unwrap_or((recorded.id, Map::new()));
                calls.push(ToolCallOut {
                    call_id: result.call_id,
                    message_id,
                    server: result.server.clone(),
                    name: result.name.clone(),
                    arguments,
                    status: result.status,
                    is_error: result.status.is_error(),
                    result: result.result.clone(),
                    truncated: result.truncated,
                    duration_ms: result.duration_ms,
                });
            }
        }
    }
    calls
}
