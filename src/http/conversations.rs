//! Conversations and their messages.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

use utoipa::ToSchema;

use super::{
    App,
    fields::{Fields, described_optional_title, described_title},
    params::{Params, path_of},
    problem::Problem,
    query::Query,
};
use crate::{
    domain::{ConversationId, ItemId, Principal, Recorded, Role, Title},
    store::{ConversationEdit, ConversationPage, Deleted, ItemPage},
    wire::{ConversationOut, MessageOut, PageOut},
};

/// The name of the id in the path.
const ID: &str = "conversation_id";

/// A conversation that a client asks for.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewConversation)]
struct NewConversationIn {
    #[schema(schema_with = described_optional_title)]
    title: Option<Title>,
}

/// Another title for a conversation.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ConversationEdit)]
struct ConversationEditIn {
    #[schema(schema_with = described_title)]
    title: Title,
}

/// Lists the user's conversations, newest first.
#[utoipa::path(
    get,
    path = "/api/{user_id}/conversations",
    operation_id = "list_conversations",
    tag = "conversations",
    responses((status = 200, description = "A page.", body = PageOut<ConversationOut>)),
)]
pub(super) async fn list(
    State(app): State<App>,
    principal: Principal,
    query: Query,
) -> Result<Json<PageOut<ConversationOut>>, Problem> {
    let limit = query.limit()?;
    let page = ConversationPage { after: query.cursor()?, newest_first: true, limit: limit + 1 };
    let mut found = app.store.conversations(&principal.user, page).await?;
    let has_more = found.len() as u64 > limit;
    found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let next_cursor = found.last().filter(|_| has_more).map(|last| last.id.to_string());
    Ok(Json(PageOut { data: found.into_iter().map(ConversationOut::from).collect(), next_cursor }))
}

/// Makes an empty conversation.
#[utoipa::path(
    post,
    path = "/api/{user_id}/conversations",
    operation_id = "create_conversation",
    tag = "conversations",
    request_body(content = NewConversationIn, examples(
        ("with a title" = (value = json!({"title": "Groceries"}))),
        ("without" = (value = json!({}))),
    )),
    responses((
        status = 201,
        description = "The conversation.",
        body = ConversationOut,
        headers(("Location" = String, description = "Where it is.")),
        links(
            ("read" = (operation_id = "read_conversation", parameters(
                ("user_id" = "$request.path.user_id"), ("conversation_id" = "$response.body#/id")))),
            ("edit" = (operation_id = "edit_conversation", parameters(
                ("user_id" = "$request.path.user_id"), ("conversation_id" = "$response.body#/id")))),
            ("delete" = (operation_id = "delete_conversation", parameters(
                ("user_id" = "$request.path.user_id"), ("conversation_id" = "$response.body#/id")))),
            ("messages" = (operation_id = "list_messages", parameters(
                ("user_id" = "$request.path.user_id"), ("conversation_id" = "$response.body#/id")))),
        ),
    )),
)]
pub(super) async fn create(
    State(app): State<App>,
    principal: Principal,
    fields: Fields,
) -> Result<Response, Problem> {
    let NewConversationIn { title } = NewConversationIn::parse(fields)?;
    let made = app.store.create_conversation(&principal.user, title).await?;
    let location = format!("{}/conversations/{}", path_of(&principal.user), made.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(ConversationOut::from(made)))
        .into_response())
}

/// Reads a conversation.
#[utoipa::path(
    get,
    path = "/api/{user_id}/conversations/{conversation_id}",
    operation_id = "read_conversation",
    tag = "conversations",
    responses((status = 200, description = "The conversation.", body = ConversationOut)),
)]
pub(super) async fn read(
    State(app): State<App>,
    principal: Principal,
    params: Params,
) -> Result<Json<ConversationOut>, Problem> {
    let found = app.store.find_conversation(&principal.user, params.id(ID)?).await?;
    found.map(ConversationOut::from).map(Json).ok_or(Problem::NotFound("conversation"))
}

/// Renames a conversation.
#[utoipa::path(
    patch,
    path = "/api/{user_id}/conversations/{conversation_id}",
    operation_id = "edit_conversation",
    tag = "conversations",
    request_body(content = ConversationEditIn, example = json!({"title": "Errands"})),
    responses((status = 200, description = "The conversation as it is now.", body = ConversationOut)),
)]
pub(super) async fn edit(
    State(app): State<App>,
    principal: Principal,
    params: Params,
    fields: Fields,
) -> Result<Json<ConversationOut>, Problem> {
    let ConversationEditIn { title } = ConversationEditIn::parse(fields)?;
    let id = params.id(ID)?;
    let edited = app.store.edit_conversation(&principal.user, id, ConversationEdit { title }).await?;
    edited.map(ConversationOut::from).map(Json).ok_or(Problem::NotFound("conversation"))
}

/// Deletes a conversation with all it holds.
#[utoipa::path(
    delete,
    path = "/api/{user_id}/conversations/{conversation_id}",
    operation_id = "delete_conversation",
    tag = "conversations",
    responses((status = 204, description = "It is gone.")),
)]
pub(super) async fn delete(
    State(app): State<App>,
    principal: Principal,
    params: Params,
) -> Result<StatusCode, Problem> {
    let id = params.id(ID)?;
    match app.store.delete_conversation(&principal.user, id).await? {
        Deleted::Gone => {
            app.runs.forget(&principal.user, id);
            Ok(StatusCode::NO_CONTENT)
        }
        Deleted::Absent => Err(Problem::NotFound("conversation")),
        Deleted::Busy { active } => Err(Problem::ConversationBusy { active }),
    }
}

/// Lists the messages of a conversation, oldest first unless asked otherwise.
#[utoipa::path(
    get,
    path = "/api/{user_id}/conversations/{conversation_id}/messages",
    operation_id = "list_messages",
    tag = "conversations",
    params(
        ("roles" = Option<Vec<Role>>, Query, style = Form, explode = false,
            description = "Only messages of these, separated by commas."),
        ("order" = inline(Option<Order>), Query, description = "Oldest or newest first."),
    ),
    responses((status = 200, description = "A page.", body = PageOut<MessageOut>)),
)]
pub(super) async fn messages(
    State(app): State<App>,
    principal: Principal,
    params: Params,
    query: Query,
) -> Result<Json<PageOut<MessageOut>>, Problem> {
    let id: ConversationId = params.id(ID)?;
    let limit = query.limit()?;
    let page = ItemPage {
        roles: roles(&query)?,
        after: query.cursor()?,
        newest_first: query.choice("order", &["asc", "desc"])? == Some("desc"),
        limit: limit + 1,
    };
    if app.store.find_conversation(&principal.user, id).await?.is_none() {
        return Err(Problem::NotFound("conversation"));
    }
    let mut found = app.store.items(&principal.user, id, &page).await?;
    let has_more = found.len() as u64 > limit;
    found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let next_cursor = found.last().filter(|_| has_more).map(|last| last.position.to_string());
    let ids: Vec<ItemId> = found.iter().map(|item| item.id).collect();
    let feedback = app.store.feedback(&principal.user, &ids).await?;
    let message = |item: Recorded| {
        let feedback = feedback.get(&item.id).copied();
        MessageOut::new(id, item).with_feedback(feedback)
    };
    Ok(Json(PageOut { data: found.into_iter().map(message).collect(), next_cursor }))
}

/// In which order messages are listed.
#[derive(ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "it only describes; the words are read by hand")]
enum Order {
    Asc,
    Desc,
}

impl NewConversationIn {
    fn parse(mut fields: Fields) -> Result<Self, Problem> {
        let title = fields.title("title");
        fields.finish()?;
        Ok(Self { title })
    }
}

impl ConversationEditIn {
    fn parse(mut fields: Fields) -> Result<Self, Problem> {
        let title = fields.title("title");
        if title.is_none() {
            fields.fault("title", "is required");
        }
        fields.finish()?;
        let title = title.ok_or_else(|| Problem::field("title", "is required"))?;
        Ok(Self { title })
    }
}

fn roles(query: &Query) -> Result<Vec<Role>, Problem> {
    let words = query.find("roles").unwrap_or_default().split(',').filter(|word| !word.is_empty());
    let roles = words.map(|word| match word {
        "user" => Ok(Role::User),
        "assistant" => Ok(Role::Assistant),
        "tool" => Ok(Role::Tool),
        _ => Err(Problem::field("roles", "must be user, assistant or tool, separated by commas")),
    });
    roles.collect()
}
