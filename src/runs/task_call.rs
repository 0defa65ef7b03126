//! One guarded tool call outside any run: the task list of the REST interface. Same tools, same gate, same limits.

use serde_json::{Map, Value};

use super::Runs;
use crate::domain::{CallId, CallStatus, Principal, ToolCall, ToolResult};

/// A tool and its arguments.
#[derive(Clone, Debug)]
pub struct TaskCall {
    /// The tool.
    pub tool: &'static str,
    /// Its arguments.
    pub arguments: Map<String, Value>,
}

/// Why a call brought no result of the tool.
#[derive(Debug, thiserror::Error)]
pub enum TaskCallError {
    /// The tool server is down; the call was not made.
    #[error("the task tools are unavailable")]
    Unavailable,
    /// There was no answer; whether the call took effect is not known.
    #[error("the task tool gave no answer; the change may have been made")]
    InDoubt,
    /// Rules or a read-only task server forbid it.
    #[error("{0}")]
    Forbidden(String),
    /// The tool refused: its code and its sentence.
    #[error("{code}: {message}")]
    Tool {
        /// The code, such as `task_not_found`.
        code: String,
        /// What is wrong, in words for the client.
        message: String,
    },
    /// The arguments do not fit the tool's schema.
    #[error("{0}")]
    Invalid(String),
}

impl Runs {
    /// Makes one call on behalf of the principal and returns its structured result.
    pub async fn call_task_tool(
        &self,
        principal: &Principal,
        call: TaskCall,
    ) -> Result<Value, TaskCallError> {
        let hands = &self.0.agent.hands;
        let tools = hands.tools(principal).await;
        let Some(tool) = tools.iter().find(|tool| tool.name == call.tool && tool.is_keyed) else {
            let is_up = tools.iter().any(|tool| tool.is_keyed);
            return Err(if is_up { not_offered(call.tool) } else { TaskCallError::Unavailable });
        };
        let call = ToolCall {
            id: CallId::new(),
            provider_id: String::new(),
            server: tool.server.to_string(),
            name: tool.name.clone(),
            arguments: call.arguments,
            unparsed: None,
            provider_meta: None,
        };
        outcome(hands.make(principal, &call).await)
    }
}

fn outcome(result: ToolResult) -> Result<Value, TaskCallError> {
    match result.status {
        CallStatus::Ok => Ok(result.result),
        CallStatus::Invalid => Err(TaskCallError::Invalid(result.text)),
        CallStatus::Error => match (result.result.get("code"), result.result.get("message")) {
            (Some(Value::String(code)), Some(Value::String(message))) => Err(refusal(code, message)),
            _ => Err(TaskCallError::Unavailable),
        },
        CallStatus::Denied => Err(TaskCallError::Forbidden(result.text)),
        CallStatus::Timeout | CallStatus::Unknown => Err(TaskCallError::InDoubt),
        CallStatus::Cancelled | CallStatus::NotRun => Err(TaskCallError::Unavailable),
    }
}

fn not_offered(tool: &str) -> TaskCallError {
    TaskCallError::Forbidden(format!("the task server does not offer `{tool}`; it may be read-only"))
}

fn refusal(code: &str, message: &str) -> TaskCallError {
    match code {
        "storage_unavailable" => TaskCallError::Unavailable,
        "read_only" => TaskCallError::Forbidden(message.into()),
        _ => TaskCallError::Tool { code: code.into(), message: message.into() },
    }
}
