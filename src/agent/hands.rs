//! One guarded tool call: the tool exists, the arguments fit, the gate allows it; then it is made, within its limit.
//!
//! Everything that can go wrong is an answer that the model reads; only cancelling ends the turn.

use std::{sync::Arc, time::Duration};

use serde_json::Value;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::Stop;
use crate::domain::{
    CallStatus, Gate, Principal, RESULT_LIMIT, Tool, ToolCall, ToolError, ToolHost, ToolOutput, ToolResult,
    Verdict, cut_at, without_nul,
};

/// How long a cancelled turn waits for the call that is in flight.
const CANCEL_GRACE: Duration = Duration::from_millis(800);

/// What is known of a call before it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Past {
    /// It was never made.
    Unmade,
    /// It was begun by an attempt that died; it may have had its effect.
    InDoubt,
}

/// The tools and the gate before them. Cloning is cheap.
#[derive(Clone)]
pub struct Hands {
    host: Arc<dyn ToolHost>,
    gate: Arc<dyn Gate>,
}

impl Hands {
    /// Puts the gate before the tools.
    pub fn new(host: Arc<dyn ToolHost>, gate: Arc<dyn Gate>) -> Self {
        Self { host, gate }
    }

    /// Lists the tools that are there now.
    pub async fn tools(&self, principal: &Principal) -> Arc<[Tool]> {
        self.host.list(principal).await
    }

    /// Tells whether a configured tool server is missing right now.
    pub fn is_degraded(&self) -> bool {
        self.host.is_degraded()
    }

    /// Makes a call and returns its answer, whatever it is, within the limits of what is stored. One that is in doubt is made
    /// again only if that cannot have a second effect; else its answer is that nobody knows. After a cancel it waits a moment for the answer; a call that was not made by then is not made any more.
    ///
    /// # Errors
    /// [`Stop::Cancelled`] if there was no answer by then; the call's effect is in doubt.
    pub async fn call(
        &self,
        principal: &Principal,
        call: &ToolCall,
        past: Past,
        cancel: &CancellationToken,
    ) -> Result<ToolResult, Stop> {
        if cancel.is_cancelled() && past == Past::Unmade {
            let sentence = "This call was not made: the user cancelled.";
            return Ok(ToolResult::without_output(call, CallStatus::Cancelled, sentence));
        }
        let started = Instant::now();
        let mut making = std::pin::pin!(self.settle(principal, call, past));
        let mut result = tokio::select! {
            result = &mut making => result,
            () = cancel.cancelled() => match timeout(CANCEL_GRACE, making).await {
                Ok(result) => result,
                Err(_elapsed) => return Err(Stop::Cancelled),
            },
        };
        within_limits(&mut result);
        let elapsed = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        result.duration_ms = Some(elapsed);
        tracing::debug!(
            tool.name = %call.name, call.id = %call.id, status = %result.status, duration_ms = elapsed,
            "a tool call ended"
        );
        Ok(result)
    }

    async fn settle(&self, principal: &Principal, call: &ToolCall, past: Past) -> ToolResult {
        match past {
            Past::Unmade => self.make(principal, call).await,
            Past::InDoubt => self.repeat(principal, call).await,
        }
    }

    /// Makes a call again that may have been made before, or says that nobody knows.
    async fn repeat(&self, principal: &Principal, call: &ToolCall) -> ToolResult {
        if call.server.is_empty() || call.unparsed.is_some() {
            return self.make(principal, call).await; // No server was ever sent it.
        }
        let unknown = ToolResult::unknown(call.id, &call.server, &call.name);
        let tools = self.host.list(principal).await;
        let Ok(tool) = check(&tools, call) else { return unknown };
        if !tool.may_be_repeated() || self.gate.check(principal, tool, call).await != Verdict::Allow {
            return unknown;
        }
        match self.send(principal, tool, call).await {
            Ok(output) => answer(call, output),
            Err(_what_keeps_it_in_doubt) => unknown,
        }
    }

    /// Makes a call and returns its answer, however large: for callers that neither store nor tell it.
    pub async fn make(&self, principal: &Principal, call: &ToolCall) -> ToolResult {
        let tools = self.host.list(principal).await;
        if !call.server.is_empty() && tools.iter().all(|tool| tool.server.as_ref() != call.server) {
            // It was there when the model asked.
            return failure(call, &ToolError::Unavailable { server: call.server.clone() });
        }
        let tool = match check(&tools, call) {
            Ok(tool) => tool,
            Err(fault) => return ToolResult::without_output(call, CallStatus::Invalid, fault),
        };
        match self.gate.check(principal, tool, call).await {
            Verdict::Allow => {}
            Verdict::Deny { reason } => return ToolResult::without_output(call, CallStatus::Denied, reason),
        }
        match self.send(principal, tool, call).await {
            Ok(output) => answer(call, output),
            Err(error) => failure(call, &error),
        }
    }

    /// Sends a call, and sends it once more if its server went away and a repetition cannot have a second effect.
    async fn send(
        &self,
        principal: &Principal,
        tool: &Tool,
        call: &ToolCall,
    ) -> Result<ToolOutput, ToolError> {
        match self.host.call(principal, call).await {
            Err(ToolError::Lost { server }) if tool.may_be_repeated() => {
                tracing::warn!(
                    tool.server = %server, tool.name = %call.name, call.id = %call.id,
                    "a tool server went away during a call that is safe to repeat"
                );
                match self.host.call(principal, call).await {
                    // The first try was sent: what became of it is not known.
                    Err(ToolError::Unavailable { server }) => Err(ToolError::Lost { server }),
                    outcome => outcome,
                }
            }
            outcome => outcome,
        }
    }
}

/// Finds the tool of a call and checks the arguments against its schema. The fault is written for the model.
fn check<'a>(tools: &'a [Tool], call: &ToolCall) -> Result<&'a Tool, String> {
    let Some(tool) = tools.iter().find(|tool| tool.name == call.name && tool.server.as_ref() == call.server)
    else {
        let names: Vec<&str> = tools.iter().map(|tool| tool.name.as_str()).collect();
        let there_are = if names.is_empty() { "none right now".into() } else { names.join(", ") };
        return Err(format!("There is no tool `{}`. Available tools: {there_are}.", call.name));
    };
    if call.unparsed.is_some() {
        return Err(format!("The arguments of `{}` are not a JSON object. Send one JSON object.", call.name));
    }
    if call.arguments.values().any(holds_nul) {
        return Err(format!("The arguments of `{}` hold a NUL character. Remove it.", call.name));
    }
    let faults = tool.schema.faults(&call.arguments);
    if !faults.is_empty() {
        return Err(format!(
            "The arguments of `{}` do not fit its schema: {}.",
            call.name,
            faults.join("; ")
        ));
    }
    Ok(tool)
}

fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(holds_nul),
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || holds_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn answer(call: &ToolCall, output: ToolOutput) -> ToolResult {
    let status = if output.is_error { CallStatus::Error } else { CallStatus::Ok };
    let text = without_nul(output.text);
    let result = output.structured.unwrap_or_else(|| Value::String(text.clone()));
    ToolResult { text, result, ..ToolResult::without_output(call, status, "") }
}

/// Cuts an answer to what is stored.
fn within_limits(result: &mut ToolResult) {
    if result.text.len() > RESULT_LIMIT {
        result.text = cut_at(&result.text, RESULT_LIMIT).to_owned();
        result.truncated = true;
    }
    let written = match &result.result {
        Value::String(text) => text.clone(),
        structured => structured.to_string(),
    };
    if written.len() > RESULT_LIMIT || holds_nul(&result.result) {
        result.truncated |= written.len() > RESULT_LIMIT;
        result.result = Value::String(cut_at(&without_nul(written), RESULT_LIMIT).to_owned());
    }
}

fn failure(call: &ToolCall, error: &ToolError) -> ToolResult {
    match error {
        ToolError::Unavailable { .. } => ToolResult::without_output(
            call,
            CallStatus::Error,
            "The tool is unavailable right now; the call was not made. Tell the user and do not claim success.",
        ),
        ToolError::Lost { .. } => ToolResult::unknown(call.id, &call.server, &call.name),
        ToolError::Timeout { seconds } => ToolResult::without_output(
            call,
            CallStatus::Timeout,
            format!(
                "The tool gave no answer within {seconds} s. Check the current state before repeating the call."
            ),
        ),
        ToolError::Refused { reason } => ToolResult::without_output(
            call,
            CallStatus::Error,
            format!("The tool server refused the call: {}", without_nul(reason.clone())),
        ),
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use serde_json::{Map, json};

    use super::*;
    use crate::domain::{CallId, ToolSchema, UserId};

    fn tool() -> Tool {
        let schema = json!({
            "type": "object", "additionalProperties": false, "properties": {"title": {"type": "string"}}
        });
        Tool {
            server: "tasks".into(),
            name: "add_task".into(),
            description: String::new(),
            schema: ToolSchema::compile(schema).unwrap(),
            is_read_only: false,
            is_keyed: true,
        }
    }

    fn call(arguments: &Value) -> ToolCall {
        ToolCall {
            id: CallId::new(),
            provider_id: String::new(),
            server: "tasks".into(),
            name: "add_task".into(),
            arguments: arguments.as_object().cloned().unwrap_or_else(Map::new),
            unparsed: None,
            provider_meta: None,
        }
    }

    #[test]
    fn a_call_of_a_tool_that_is_not_there_names_those_that_are() {
        let wrong = ToolCall { name: "drop_table".into(), ..call(&json!({})) };
        let fault = check(&[tool()], &wrong).unwrap_err();
        assert_eq!(fault, "There is no tool `drop_table`. Available tools: add_task.");
    }

    #[test]
    fn arguments_must_be_an_object_that_fits_and_holds_no_nul() {
        assert!(check(&[tool()], &call(&json!({"title": "milk"}))).is_ok());
        assert!(check(&[tool()], &call(&json!({"user_id": "bob"}))).unwrap_err().contains("user_id"));
        assert!(check(&[tool()], &call(&json!({"title": "a\0b"}))).unwrap_err().contains("NUL"));
        let unparsed = ToolCall { unparsed: Some("{".into()), ..call(&json!({})) };
        assert!(check(&[tool()], &unparsed).unwrap_err().contains("not a JSON object"));
    }

    type Answer = fn() -> Result<ToolOutput, ToolError>;

    /// A server with one tool that answers every call in one way.
    struct Host {
        tool: Tool,
        answer: Answer,
    }

    #[async_trait]
    impl ToolHost for Host {
        async fn list(&self, _principal: &Principal) -> Arc<[Tool]> {
            [self.tool.clone()].into()
        }

        fn is_degraded(&self) -> bool {
            false
        }

        async fn call(&self, _principal: &Principal, _call: &ToolCall) -> Result<ToolOutput, ToolError> {
            (self.answer)()
        }
    }

    struct Open;

    #[async_trait]
    impl Gate for Open {
        async fn check(&self, _principal: &Principal, _tool: &Tool, _call: &ToolCall) -> Verdict {
            Verdict::Allow
        }
    }

    fn done() -> Result<ToolOutput, ToolError> {
        Ok(ToolOutput { is_error: false, text: "Done".into(), structured: None })
    }

    async fn status_in_doubt(call: &ToolCall, tool: Tool, answer: Answer) -> CallStatus {
        let hands = Hands::new(Arc::new(Host { tool, answer }), Arc::new(Open));
        let principal = Principal { user: UserId::parse("ada").unwrap(), expires_at: None };
        let cancel = CancellationToken::new();
        hands.call(&principal, call, Past::InDoubt, &cancel).await.unwrap().status
    }

    #[tokio::test]
    async fn a_call_in_doubt_is_made_again_only_where_that_has_no_second_effect() {
        assert_eq!(status_in_doubt(&call(&json!({})), tool(), done).await, CallStatus::Ok);
        let harmless = Tool { is_keyed: false, is_read_only: true, ..tool() };
        assert_eq!(status_in_doubt(&call(&json!({})), harmless, done).await, CallStatus::Ok);
        let unkeyed = Tool { is_keyed: false, ..tool() };
        assert_eq!(status_in_doubt(&call(&json!({})), unkeyed, done).await, CallStatus::Unknown);
        let never_sent = ToolCall { unparsed: Some("{".into()), ..call(&json!({})) };
        assert_eq!(status_in_doubt(&never_sent, tool(), done).await, CallStatus::Invalid);
    }

    #[tokio::test]
    async fn a_call_in_doubt_stays_in_doubt_when_its_server_is_down() {
        let down = || Err(ToolError::Unavailable { server: "tasks".into() });
        assert_eq!(status_in_doubt(&call(&json!({})), tool(), down).await, CallStatus::Unknown);
        let gone = Tool { name: "another".into(), ..tool() };
        assert_eq!(status_in_doubt(&call(&json!({})), gone, done).await, CallStatus::Unknown);
    }

    #[test]
    fn an_output_over_the_limit_is_cut_and_says_so() {
        let output = ToolOutput {
            is_error: false,
            text: "x".repeat(RESULT_LIMIT + 1),
            structured: Some(json!({"text": "y".repeat(RESULT_LIMIT)})),
        };
        let mut result = answer(&call(&json!({})), output);
        within_limits(&mut result);
        assert_eq!((result.text.len(), result.truncated), (RESULT_LIMIT, true));
        assert_eq!(result.result.as_str().map(str::len), Some(RESULT_LIMIT));
    }

    #[test]
    fn an_output_within_the_limit_is_kept_as_it_is() {
        let output = ToolOutput { is_error: true, text: "no".into(), structured: Some(json!({"code": "x"})) };
        let result = answer(&call(&json!({})), output);
        assert_eq!(
            (result.status, result.result, result.truncated),
            (CallStatus::Error, json!({"code": "x"}), false)
        );
    }
}
