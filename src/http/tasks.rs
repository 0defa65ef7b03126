//! The task list for clients that show one: the same tools that the model has, called on the user's behalf.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    App,
    fields::Fields,
    params::{Params, path_of},
    problem::Problem,
    query::Query,
};
use crate::{
    domain::Principal,
    runs::TaskCall,
    wire::{PageOut, TaskOut},
};

/// The most characters of a search and of a description.
const LONGEST: (usize, usize) = (200, 4_000);

const STATUSES: [&str; 2] = ["pending", "completed"];
const PRIORITIES: [&str; 3] = ["low", "medium", "high"];

/// What `list_tasks` answers.
#[derive(Deserialize)]
struct Listed {
    tasks: Vec<TaskOut>,
    next_after: Option<i64>,
}

/// What the tools that change a task answer.
#[derive(Deserialize)]
struct Changed {
    task: TaskOut,
}

/// Lists the user's tasks by number.
pub(super) async fn list(
    State(app): State<App>,
    principal: Principal,
    query: Query,
) -> Result<Json<PageOut<TaskOut>>, Problem> {
    let (limit, mut arguments) = (query.limit()?, Map::new());
    let status = query.choice("status", &["pending", "completed", "all"])?;
    let priority = query.choice("priority", &PRIORITIES)?;
    let search = query.find("search").filter(|text| text.chars().count() <= LONGEST.0);
    if query.find("search").is_some() && search.is_none() {
        return Err(Problem::field("search", "must be at most 200 characters"));
    }
    for (name, value) in [("status", status), ("priority", priority), ("search", search)] {
        arguments.extend(value.map(|value| (name.to_owned(), value.into())));
    }
    let after: Option<i64> = query.cursor()?;
    if after.is_some_and(|after| after < 0) {
        return Err(Problem::field("cursor", "must be a next_cursor of this list"));
    }
    let Listed { tasks, next_after } = page(&app, &principal, arguments, after, limit).await?;
    Ok(Json(PageOut { data: tasks, next_cursor: next_after.map(|after| after.to_string()) }))
}

/// Lists as many tasks as a page holds. One answer of the tool holds fewer if they are long.
async fn page(
    app: &App,
    principal: &Principal,
    mut arguments: Map<String, Value>,
    after: Option<i64>,
    limit: u64,
) -> Result<Listed, Problem> {
    let mut page = Listed { tasks: Vec::new(), next_after: after };
    loop {
        arguments.insert("limit".into(), limit.saturating_sub(page.tasks.len() as u64).into());
        arguments.extend(page.next_after.map(|after| ("after".to_owned(), after.into())));
        let more: Listed = call(app, principal, "list_tasks", arguments.clone()).await?;
        let is_last = more.tasks.is_empty() || more.next_after.is_none();
        page.tasks.extend(more.tasks);
        page.next_after = more.next_after;
        if is_last || page.tasks.len() as u64 >= limit {
            return Ok(page);
        }
    }
}

/// Adds a task.
pub(super) async fn create(
    State(app): State<App>,
    principal: Principal,
    mut fields: Fields,
) -> Result<Response, Problem> {
    if !fields.has("title") {
        fields.fault("title", "is required");
    }
    let arguments = content(&mut fields);
    fields.finish()?;
    let Changed { task } = call(&app, &principal, "add_task", arguments).await?;
    let location = format!("{}/tasks/{}", path_of(&principal.user), task.number);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(task)).into_response())
}

/// Reads a task.
pub(super) async fn read(
    State(app): State<App>,
    principal: Principal,
    params: Params,
) -> Result<Json<TaskOut>, Problem> {
    let number = params.number("number")?;
    let arguments = object(json!({"limit": 1, "after": number - 1}));
    let listed: Listed = call(&app, &principal, "list_tasks", arguments).await?;
    let found = listed.tasks.into_iter().find(|task| task.number == number);
    found.map(Json).ok_or(Problem::NotFound("task"))
}

/// Changes a task.
pub(super) async fn edit(
    State(app): State<App>,
    principal: Principal,
    params: Params,
    mut fields: Fields,
) -> Result<Json<TaskOut>, Problem> {
    let mut arguments = content(&mut fields);
    let status = fields.choice("status", &STATUSES);
    arguments.extend(status.map(|status| ("status".to_owned(), status.into())));
    fields.finish()?;
    let number = params.number("number")?;
    if arguments.is_empty() {
        return Err(Problem::field("body", "must hold title, description, priority or status"));
    }
    arguments.insert("number".into(), number.into());
    let Changed { task } = call(&app, &principal, "update_task", arguments).await?;
    Ok(Json(task))
}

/// Deletes a task.
pub(super) async fn delete(
    State(app): State<App>,
    principal: Principal,
    params: Params,
) -> Result<StatusCode, Problem> {
    let number = params.number("number")?;
    let _: Changed = call(&app, &principal, "delete_task", object(json!({"number": number}))).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Reads the fields that adding and changing have in common.
fn content(fields: &mut Fields) -> Map<String, Value> {
    let title = fields.title("title").map(|title| title.as_str().to_owned());
    let description = fields.text("description");
    if description.as_ref().is_some_and(|text| text.chars().count() > LONGEST.1) {
        fields.fault("description", "must be at most 4000 characters");
    }
    let priority = fields.choice("priority", &PRIORITIES).map(str::to_owned);
    let given = [("title", title), ("description", description), ("priority", priority)];
    given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into()))).collect()
}

async fn call<T: for<'a> Deserialize<'a>>(
    app: &App,
    principal: &Principal,
    tool: &'static str,
    arguments: Map<String, Value>,
) -> Result<T, Problem> {
    let result = app.runs.call_task_tool(principal, TaskCall { tool, arguments }).await?;
    serde_json::from_value(result).map_err(|error| Problem::Internal(error.into()))
}

fn object(value: Value) -> Map<String, Value> {
    if let Value::Object(fields) = value { fields } else { Map::new() }
}
