//! Buttons of widgets. What they do is the person's own act: the tool is called for them, and no model is asked.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};

use super::{
    Asking, stream,
    turns::{trouble, troubled},
};
use crate::{
    domain::{CallId, ConversationId},
    http::problem::Problem,
    runs::TaskCall,
    store::PastCall,
    wire::chatkit::{self, Action, COMPLETE_TASK, ItemKey, ItemOut, LIST_TASKS},
};

/// Does what the button says and answers with events.
pub(super) async fn act(asking: &Asking<'_>, action: &Action) -> Result<Response, Problem> {
    asking.thread(action.thread).await?;
    match done(asking, action).await {
        Ok(item) => {
            let replaced = item.as_ref().map(chatkit::replaced).unwrap_or_default();
            Ok(stream::frames([chatkit::options(), replaced, chatkit::tasks_changed()].concat()))
        }
        Err(Problem::MalformedRequest(what)) => Ok(troubled(what, false)),
        Err(problem) => trouble(problem, false),
    }
}

/// Does what the button says and answers with the widget as it is then.
pub(super) async fn act_at_once(asking: &Asking<'_>, action: &Action) -> Result<Response, Problem> {
    asking.thread(action.thread).await?;
    let item = done(asking, action).await?;
    let answer = item.map_or_else(|| json!({}), |item| json!({"updated_item": item}));
    Ok(Json(answer).into_response())
}

/// Does it and shows the list as it is then. If the list cannot be shown, it is done all the same.
async fn done(asking: &Asking<'_>, action: &Action) -> Result<Option<ItemOut>, Problem> {
    if action.kind != COMPLETE_TASK {
        return Err(Problem::MalformedRequest("there is no such action"));
    }
    let number = action.payload.get("number").and_then(Value::as_i64);
    let number = number.ok_or_else(|| Problem::field("action.payload.number", "must be a number"))?;
    let (call, past) = list_of(asking, action).await?;
    tool(asking, "complete_task", [("number".to_owned(), number.into())].into_iter().collect()).await?;
    match listed_again(asking, action.thread, call, past).await {
        Ok(item) => Ok(item),
        Err(problem) => {
            problem.log();
            Ok(None)
        }
    }
}

async fn listed_again(
    asking: &Asking<'_>,
    thread: ConversationId,
    call: CallId,
    past: PastCall,
) -> Result<Option<ItemOut>, Problem> {
    let now = tool(asking, LIST_TASKS, past.arguments).await?;
    let item = chatkit::widget(thread, call, &now);
    asking.app.store.change_list(asking.user(), call, now).await?;
    Ok(item)
}

/// Finds the call that the widget shows.
async fn list_of(asking: &Asking<'_>, action: &Action) -> Result<(CallId, PastCall), Problem> {
    let Some(ItemKey::Widget(call)) = action.item else { return Err(Problem::NotFound("item")) };
    let found = asking.app.store.find_call(asking.user(), action.thread, call).await?;
    let found = found.filter(|past| past.name == LIST_TASKS).ok_or(Problem::NotFound("item"))?;
    Ok((call, found))
}

async fn tool(
    asking: &Asking<'_>,
    tool: &'static str,
    arguments: Map<String, Value>,
) -> Result<Value, Problem> {
    Ok(asking.app.runs.call_task_tool(asking.principal, TaskCall { tool, arguments }).await?)
}
