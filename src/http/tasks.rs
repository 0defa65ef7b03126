//! The task list for clients that show one: the same tools that the model has, called on the user's behalf.

mod body;

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

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
    wire::{PageOut, TaskOut, TaskPriority},
};
use body::{NewTaskIn, PRIORITIES, TaskEditIn};

/// The most characters of a search.
const LONGEST_SEARCH: usize = 200;

/// Which tasks are listed.
#[derive(ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "it only describes; the words are read by hand")]
enum Listing {
    Pending,
    Completed,
    All,
}

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
#[utoipa::path(
    get,
    path = "/api/{user_id}/tasks",
    operation_id = "list_tasks",
    tag = "tasks",
    params(
        ("status" = inline(Option<Listing>), Query, description = "Only those; all if it is left out."),
        ("priority" = Option<TaskPriority>, Query, description = "Only those."),
        ("search" = Option<String>, Query, max_length = 200, pattern = r"^[^\u0000]*$",
            description = "Only those with this text in title or description, whatever the case."),
    ),
    responses((status = 200, description = "A page.", body = PageOut<TaskOut>)),
)]
pub(super) async fn list(
    State(app): State<App>,
    principal: Principal,
    query: Query,
) -> Result<Json<PageOut<TaskOut>>, Problem> {
    let (limit, mut arguments) = (query.limit()?, Map::new());
    let status = query.choice("status", &["pending", "completed", "all"])?;
    let priority = query.choice("priority", &PRIORITIES)?;
    let search = query.find("search").filter(|text| text.chars().count() <= LONGEST_SEARCH);
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
#[utoipa::path(
    post,
    path = "/api/{user_id}/tasks",
    operation_id = "create_task",
    tag = "tasks",
    request_body(content = NewTaskIn, examples(
        ("a title" = (value = json!({"title": "Buy milk"}))),
        ("all there is" = (value = json!({
            "title": "Pay rent", "description": "Before the first", "priority": "high",
        }))),
    )),
    responses((
        status = 201,
        description = "The task.",
        body = TaskOut,
        headers(("Location" = String, description = "Where it is.")),
        links(
            ("read" = (operation_id = "read_task", parameters(
                ("user_id" = "$request.path.user_id"), ("number" = "$response.body#/number")))),
            ("edit" = (operation_id = "edit_task", parameters(
                ("user_id" = "$request.path.user_id"), ("number" = "$response.body#/number")))),
            ("delete" = (operation_id = "delete_task", parameters(
                ("user_id" = "$request.path.user_id"), ("number" = "$response.body#/number")))),
        ),
    )),
)]
pub(super) async fn create(
    State(app): State<App>,
    principal: Principal,
    fields: Fields,
) -> Result<Response, Problem> {
    let arguments = arguments(&NewTaskIn::parse(fields)?);
    let Changed { task } = call(&app, &principal, "add_task", arguments).await?;
    let location = format!("{}/tasks/{}", path_of(&principal.user), task.number);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(task)).into_response())
}

/// Reads a task.
#[utoipa::path(
    get,
    path = "/api/{user_id}/tasks/{number}",
    operation_id = "read_task",
    tag = "tasks",
    responses((status = 200, description = "The task.", body = TaskOut)),
)]
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
#[utoipa::path(
    patch,
    path = "/api/{user_id}/tasks/{number}",
    operation_id = "edit_task",
    tag = "tasks",
    request_body(content = TaskEditIn, examples(
        ("done" = (value = json!({"status": "completed"}))),
        ("other words" = (value = json!({"title": "Buy oat milk", "priority": "low"}))),
    )),
    responses((status = 200, description = "The task as it is now.", body = TaskOut)),
)]
pub(super) async fn edit(
    State(app): State<App>,
    principal: Principal,
    params: Params,
    fields: Fields,
) -> Result<Json<TaskOut>, Problem> {
    let mut arguments = arguments(&TaskEditIn::parse(fields)?);
    let number = params.number("number")?;
    if arguments.is_empty() {
        return Err(Problem::field("body", "must hold title, description, priority or status"));
    }
    arguments.insert("number".into(), number.into());
    let Changed { task } = call(&app, &principal, "update_task", arguments).await?;
    Ok(Json(task))
}

/// Deletes a task.
#[utoipa::path(
    delete,
    path = "/api/{user_id}/tasks/{number}",
    operation_id = "delete_task",
    tag = "tasks",
    responses((status = 204, description = "It is gone.")),
)]
pub(super) async fn delete(
    State(app): State<App>,
    principal: Principal,
    params: Params,
) -> Result<StatusCode, Problem> {
    let number = params.number("number")?;
    let _: Changed = call(&app, &principal, "delete_task", object(json!({"number": number}))).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Hands what a client asks for to the tool, whose arguments have the same names.
fn arguments(body: &impl Serialize) -> Map<String, Value> {
    object(serde_json::to_value(body).unwrap_or_default())
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
