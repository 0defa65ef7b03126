//! The tools behind the protocol: for whom is a call, what does it ask, do it, answer it.

use std::{error::Error, sync::Arc, time::Instant};

use parlor_db::DbError;
use parlor_failpoints::failpoint;
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestMethod, CallToolRequestParams, CallToolResponse, CallToolResult, ConstString as _,
        CustomRequest, CustomResult, ErrorCode, Implementation, JsonObject, ListToolsResult,
        PaginatedRequestParams, RequestMetaObject, ServerCapabilities, ServerConfig, Tool,
    },
    service::RequestContext,
};
use serde_json::Value;
use tracing::Instrument as _;

use crate::{
    identity::{CALL_KEY, CallKey, Trust, USER_KEY},
    settings::Access,
    store::{ArgumentsHash, Mark, StoreError, TaskStore},
    tools::{Answer, Code, Refusal, Request, ToolName},
};

/// What a model is told about the server as a whole.
const INSTRUCTIONS: &str = "Manages the user's task list. Tasks have numbers that never change. The user is known \
                            from the connection; no tool takes a user.";

/// The name of the field in `_meta` that ties a call to a trace (W3C trace context).
const TRACE_KEY: &str = "traceparent";

/// The longest trace parent; a well-formed one has 55 characters.
const TRACE_LIMIT: usize = 64;

/// The task server, for any transport. Cloning is cheap.
#[derive(Clone)]
pub(crate) struct TaskServer {
    store: TaskStore,
    trust: Trust,
    access: Access,
    tools: Arc<[Tool]>,
}

impl TaskServer {
    /// Serves the tasks of a store.
    pub(crate) fn new(store: TaskStore, trust: Trust, access: Access) -> Self {
        let tools = ToolName::ALL.into_iter().filter(|tool| allows(access, *tool));
        Self { store, trust, access, tools: tools.map(ToolName::definition).collect() }
    }

    /// Does one call. It is not interrupted when the caller cancels: what it writes is short, and a result that is
    /// stored under its key is worth more than a moment saved.
    async fn call(
        &self,
        tool: ToolName,
        arguments: &JsonObject,
        meta: &RequestMetaObject,
    ) -> Result<Answer, Refusal> {
        let user = self.trust.user(meta.get(USER_KEY))?;
        if !allows(self.access, tool) {
            let message = format!("{} is not available: this server only reads", tool.as_str());
            return Err(Refusal::new(Code::ReadOnly, message));
        }
        let key = call_key(meta)?;
        match Request::parse(tool, arguments)? {
            Request::List(filter) => {
                Ok(Answer::listed(self.store.list(&user, &filter).await.map_err(refuse)?))
            }
            Request::Change(deed, change) => {
                let arguments = ArgumentsHash::of(arguments);
                let mark = key.map(|key| Mark { key, tool: tool.as_str(), arguments });
                failpoint!("call-arrived");
                let task = self.store.change(&user, change, mark).await.map_err(refuse)?;
                failpoint!("effect-done");
                Ok(Answer::Changed(deed, task))
            }
        }
    }
}

impl ServerHandler for TaskServer {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("task-management-server", env!("CARGO_PKG_VERSION")))
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.tools.to_vec()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(tool) = ToolName::find(&request.name) else {
            return Err(ErrorData::invalid_params("there is no such tool; tools/list names them all", None));
        };
        let span =
            tracing::info_span!("tool_call", tool.name = tool.as_str(), traceparent = trace(&context.meta));
        let arguments = request.arguments.unwrap_or_default();
        let answered = async {
            let started = Instant::now();
            let outcome = self.call(tool, &arguments, &context.meta).await;
            let refusal = outcome.as_ref().err().map(|refusal| refusal.code);
            tracing::debug!(?refusal, duration_ms = started.elapsed().as_millis(), "a tool was called");
            outcome
        };
        let outcome = answered.instrument(span).await;
        Ok(result(outcome)?.into())
    }

    /// Answers what the protocol library could not read. A call whose arguments are no object arrives here; it gets
    /// the same refusal as every other call with wrong arguments.
    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        let arguments = request.params.as_ref().and_then(|params| params.get("arguments"));
        let is_about_arguments = arguments.is_some_and(|arguments| !arguments.is_object());
        if request.method != CallToolRequestMethod::VALUE || !is_about_arguments {
            return Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, request.method, None));
        }
        let refusal = Refusal::new(Code::InvalidArguments, "`arguments` must be a JSON object");
        json(&result(Err(refusal))?).map(CustomResult::new)
    }
}

const fn allows(access: Access, tool: ToolName) -> bool {
    match access {
        Access::Full => true,
        Access::ReadOnly => tool.is_read_only(),
    }
}

/// Tells a failure of the store. What the caller must not see is logged here, once.
fn refuse(error: StoreError) -> Refusal {
    match &error {
        StoreError::TaskNotFound(_) | StoreError::AmbiguousTitle { .. } | StoreError::CallKeyReused => {}
        StoreError::Db(DbError::Unavailable { .. }) => {
            tracing::warn!(error = &error as &dyn Error, "the task database is unavailable");
        }
        StoreError::Unreadable(_) | StoreError::Db(DbError::Refused(_) | DbError::Panicked) => {
            tracing::error!(error = &error as &dyn Error, "a task tool failed");
        }
    }
    error.into()
}

fn result(outcome: Result<Answer, Refusal>) -> Result<CallToolResult, ErrorData> {
    let result = match outcome {
        Ok(answer) => answer.into_result(),
        Err(refusal) => refusal.into_result(),
    };
    result.map_err(|error| unwritable(&error))
}

fn json(result: &CallToolResult) -> Result<Value, ErrorData> {
    serde_json::to_value(result).map_err(|error| unwritable(&error))
}

fn unwritable(error: &serde_json::Error) -> ErrorData {
    tracing::error!(error = error as &dyn Error, "a result cannot be written as JSON");
    ErrorData::internal_error("the result cannot be written as JSON", None)
}

fn call_key(meta: &RequestMetaObject) -> Result<Option<CallKey>, Refusal> {
    let Some(sent) = meta.get(CALL_KEY) else { return Ok(None) };
    match sent.as_str().and_then(CallKey::parse) {
        Some(key) => Ok(Some(key)),
        None => Err(Refusal::new(Code::InvalidArguments, format!("`{CALL_KEY}` in `_meta` must be a UUID"))),
    }
}

fn trace(meta: &RequestMetaObject) -> Option<&str> {
    meta.get(TRACE_KEY).and_then(Value::as_str).filter(|text| text.len() <= TRACE_LIMIT)
}
