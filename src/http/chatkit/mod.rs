//! `POST /chatkit` and `POST /api/{user_id}/chatkit`: the ChatKit protocol, one operation per request.
//!
//! What a user should read comes as an event in a stream, because the component shows nothing of a refused request and
//! repeats one that failed with 5xx.

mod actions;
mod pages;
mod stream;
mod turns;

use axum::{
    Json,
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};
use utoipa::{
    ToSchema,
    openapi::{Object, ObjectBuilder, Type},
};

pub use turns::OnDisconnect;

use super::{App, fields::Fields, problem::Problem};
use crate::{
    domain::{ConversationId, Feedback, Principal, Title},
    runs::Prompt,
    store::{ConversationEdit, Deleted},
    wire::chatkit::{Fault, Input, ItemKey, OPERATIONS, PageOut, Request, Span, ThreadOut},
};
use turns::{Asking, troubled};

/// One operation. What each of them takes is ChatKit's to say.
#[derive(ToSchema)]
#[schema(as = ChatKitRequest)]
pub(super) struct OperationIn {
    /// Which one.
    #[schema(schema_with = operation)]
    #[expect(dead_code, reason = "it only describes")]
    r#type: String,
    /// With what.
    #[schema(value_type = Option<Object>, nullable = false, required = false)]
    #[expect(dead_code, reason = "it only describes")]
    params: Map<String, Value>,
}

fn operation() -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(OPERATIONS)).build()
}

/// Answers one operation of ChatKit.
///
/// The user is the token's; without tokens the one of `X-User-Id`, or `local`. Operations that make the model speak are
/// answered with events, the others with one object.
#[utoipa::path(
    post,
    path = "/chatkit",
    operation_id = "chatkit",
    tag = "chatkit",
    params(
        ("X-User-Id" = Option<String>, Header, pattern = "^[A-Za-z0-9][A-Za-z0-9._@:|+~=-]{0,127}$",
            description = "The user, where no tokens are asked for."),
        ("X-Parlor-On-Disconnect" = Option<String>, Header, pattern = "^(cancel|continue)$",
            description = "What hanging up means for this request; otherwise `CHATKIT_ON_DISCONNECT` says."),
    ),
    request_body(content = OperationIn, examples(
        ("the threads" = (value = json!({"type": "threads.list", "params": {"limit": 20, "order": "desc"}}))),
    )),
    responses((
        status = 200,
        description = "Events of ChatKit, or one object.",
        content((String = "text/event-stream"), (Object = "application/json")),
    )),
)]
pub(super) async fn chatkit(
    State(app): State<App>,
    principal: Result<Principal, Problem>,
    headers: HeaderMap,
    fields: Result<Fields, Problem>,
) -> Response {
    respond(app, principal, headers, fields).await
}

/// Answers one operation of ChatKit for the user in the path.
#[utoipa::path(
    post,
    path = "/api/{user_id}/chatkit",
    operation_id = "chatkit_of_user",
    tag = "chatkit",
    params(("X-Parlor-On-Disconnect" = Option<String>, Header, pattern = "^(cancel|continue)$",
        description = "What hanging up means for this request; otherwise `CHATKIT_ON_DISCONNECT` says.")),
    request_body(content = OperationIn, examples(
        ("the threads" = (value = json!({"type": "threads.list", "params": {"limit": 20, "order": "desc"}}))),
    )),
    responses((
        status = 200,
        description = "Events of ChatKit, or one object.",
        content((String = "text/event-stream"), (Object = "application/json")),
    )),
)]
pub(super) async fn of_user(
    State(app): State<App>,
    principal: Result<Principal, Problem>,
    headers: HeaderMap,
    fields: Result<Fields, Problem>,
) -> Response {
    respond(app, principal, headers, fields).await
}

async fn respond(
    app: App,
    principal: Result<Principal, Problem>,
    headers: HeaderMap,
    fields: Result<Fields, Problem>,
) -> Response {
    let answer = async {
        let (principal, body) = (principal?, fields?.into_map());
        let asking = Asking::new(&app, &principal, &headers)?;
        operate(&asking, Request::read(body)?).await
    };
    answer.await.unwrap_or_else(Problem::with_message)
}

async fn operate(asking: &Asking<'_>, request: Request) -> Result<Response, Problem> {
    match request {
        Request::Create(input) => say(asking, None, input).await,
        Request::Add(thread, input) => say(asking, Some(thread), input).await,
        Request::Retry(thread, item) => retry(asking, thread, item).await,
        Request::Act(action) => actions::act(asking, &action).await,
        Request::ActAtOnce(action) => actions::act_at_once(asking, &action).await,
        Request::ClientToolOutput(thread) => {
            nothing_waits(asking, thread, "No tool of this page is being waited for.").await
        }
        Request::StructuredInput(thread) => {
            nothing_waits(asking, thread, "No answers are being waited for.").await
        }
        Request::Threads(span) => pages::threads(asking, span).await.map(answer),
        Request::Thread(thread) => read(asking, thread).await.map(answer),
        Request::Items(thread, span) => {
            asking.thread(thread).await?;
            pages::items(asking, thread, span).await.map(answer)
        }
        Request::Rename(thread, title) => rename(asking, thread, &title).await.map(answer),
        Request::Delete(thread) => delete(asking, thread).await.map(answer),
        Request::Feedback(thread, items, feedback) => {
            judge(asking, thread, &items, feedback).await.map(answer)
        }
        Request::Unsupported(what) => Err(Problem::MalformedRequest(what)),
    }
}

fn answer(body: impl serde::Serialize) -> Response {
    Json(body).into_response()
}

async fn say(asking: &Asking<'_>, thread: Option<ConversationId>, input: Input) -> Result<Response, Problem> {
    if let Some(thread) = thread {
        asking.thread(thread).await?;
    }
    if let Some(objection) = turns::objection(&input) {
        return Ok(troubled(objection, false));
    }
    let prompt = match thread {
        None => Prompt::Begin(input.text),
        Some(thread) => Prompt::Say(thread, input.text),
    };
    asking.turn(prompt, input.model).await
}

async fn retry(
    asking: &Asking<'_>,
    thread: ConversationId,
    item: Option<ItemKey>,
) -> Result<Response, Problem> {
    asking.thread(thread).await?;
    match pages::find_item(asking, thread, item).await? {
        Some(item) => asking.turn(Prompt::Again(thread, Some(item)), None).await,
        None => Ok(troubled("That message is no longer there.", false)),
    }
}

/// Refuses what only makes sense after a question that we never ask, but not before the thread is known to be theirs.
async fn nothing_waits(
    asking: &Asking<'_>,
    thread: ConversationId,
    sentence: &str,
) -> Result<Response, Problem> {
    asking.thread(thread).await?;
    Ok(troubled(sentence, false))
}

async fn read(asking: &Asking<'_>, thread: ConversationId) -> Result<ThreadOut, Problem> {
    let found = asking.thread(thread).await?;
    let items = pages::items(asking, thread, Span::first()).await?;
    Ok(ThreadOut::new(&found).with_items(items))
}

async fn rename(asking: &Asking<'_>, thread: ConversationId, title: &str) -> Result<ThreadOut, Problem> {
    let title = Title::parse(title).map_err(|error| Problem::field("title", error.to_string()))?;
    let edited =
        asking.app.store.edit_conversation(asking.user(), thread, ConversationEdit { title }).await?;
    edited.as_ref().map(ThreadOut::new).ok_or(Problem::NotFound("thread"))
}

async fn delete(asking: &Asking<'_>, thread: ConversationId) -> Result<Value, Problem> {
    match asking.app.store.delete_conversation(asking.user(), thread).await? {
        Deleted::Gone => {
            asking.app.runs.forget(asking.user(), thread);
            Ok(json!({}))
        }
        Deleted::Absent => Err(Problem::NotFound("thread")),
        Deleted::Busy { active } => Err(Problem::ConversationBusy { active }),
    }
}

async fn judge(
    asking: &Asking<'_>,
    thread: ConversationId,
    items: &[ItemKey],
    feedback: Feedback,
) -> Result<Map<String, Value>, Problem> {
    asking.thread(thread).await?;
    let mut meant = Vec::new();
    for item in items.iter().take(pages::MOST_ITEMS) {
        let found = pages::find_item(asking, thread, Some(*item)).await?;
        meant.push(found.ok_or(Problem::NotFound("item"))?);
    }
    match asking.app.store.give_feedback(asking.user(), thread, meant, feedback).await? {
        true => Ok(Map::new()),
        false => Err(Problem::NotFound("item")),
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::NoSuchOperation => Self::MalformedRequest("there is no such operation"),
            Fault::Wrong(message) => Self::field("params", message),
            Fault::NoSuchThread => Self::NotFound("thread"),
            Fault::NoSuchItem => Self::NotFound("item"),
        }
    }
}

/// A page of anything, cut from one element more.
fn page<T>(mut found: Vec<T>, limit: u64, id: impl Fn(&T) -> String) -> PageOut<T> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = found.len() > limit;
    found.truncate(limit);
    let after = found.last().filter(|_| has_more).map(id);
    PageOut { data: found, has_more, after }
}
