//! The description of the API, OpenAPI 3.1. Each handler says what is its own; what all have in common is added here.

mod answers;
mod components;
mod fields;
mod operations;
mod refusals;
mod unions;

use serde_json::Value;
use utoipa::OpenApi;

use super::{chat, chatkit, conversations, docs, health, page, problem::ProblemOut, retry, runs, tasks};
use crate::wire;

/// What the handlers say of themselves.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Parlor",
        description = "A conversational backend. You post a sentence, an agent answers it with the help of tools, and \
            what happens comes back as a stream of events, as bare text or as one JSON object. A turn is a run: it goes \
            on when its client hangs up, and can be followed again from any event. Clients ignore fields and events \
            that they do not know.",
        license(name = "MIT", identifier = "MIT"),
    ),
    paths(
        chat::chat,
        conversations::list,
        conversations::create,
        conversations::read,
        conversations::edit,
        conversations::delete,
        conversations::messages,
        retry::retry,
        runs::read,
        runs::events,
        runs::cancel,
        tasks::list,
        tasks::create,
        tasks::read,
        tasks::edit,
        tasks::delete,
        chatkit::chatkit,
        chatkit::of_user,
        page::index,
        page::file,
        page::chatkit_demo,
        health::live,
        health::ready,
        docs::description,
        docs::page,
        docs::file,
    ),
    components(schemas(ProblemOut<'_>)),
    tags(
        (name = "chat", description = "Turns"),
        (name = "conversations", description = "Conversations and their messages"),
        (name = "runs", description = "Turns under way or over: read, followed, cancelled"),
        (name = "tasks", description = "The task list, for clients that show one"),
        (name = "chatkit", description = "The protocol of the ChatKit component"),
        (name = "page", description = "The page for people"),
        (name = "health", description = "Whether the service lives and can work"),
        (name = "docs", description = "This description"),
    )
)]
struct Handlers;

/// Describes every route.
pub(super) fn document() -> Value {
    let mut handlers = Handlers::openapi();
    if let Some(components) = &mut handlers.components {
        components.schemas.extend(wire::described());
    }
    let mut document = serde_json::to_value(handlers).unwrap_or_default();
    components::add(&mut document);
    if let Some(schemas) = document.pointer_mut("/components/schemas").and_then(Value::as_object_mut) {
        unions::name_their_parts(schemas);
        fields::demand_all_fields(schemas);
        fields::demand_something(schemas, "TaskEdit");
    }
    operations::complete(&mut document);
    document
}

/// Tells whether a route answers each user for themselves.
fn knows_users(path: &str) -> bool {
    path.starts_with("/api/") || path == "/chatkit"
}
