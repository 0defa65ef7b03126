//! The row of a run that begins. That a conversation is busy is found out here, by the database.

use chrono::{DateTime, Utc};
use parlor_db::Tx;
use sea_query::{InsertStatement, OnConflict, Query};

use super::{
    StoreError,
    accept::{AcceptError, Refusal},
    schema::Runs,
    to_json,
};
use crate::domain::{
    ConversationId, EventId, ItemId, ModelIdentity, RunId, RunStatus, ToolChoice, Usage, UserId,
};

/// A run that is to begin.
#[derive(Clone, Debug)]
pub struct NewRun {
    /// Its id, made by the caller so that it can listen before anything is said.
    pub id: RunId,
    /// The id of the first message that will be written. It is stored before a word of it is told, so that it can be
    /// withdrawn by whoever takes the run over.
    pub first_message: ItemId,
    /// The model that will be asked.
    pub model: ModelIdentity,
    /// Whether the first reply may, must or must not call a tool.
    pub tool_choice: ToolChoice,
    /// The process that runs it.
    pub owner: String,
}

/// Inserts the run, unless another one of the conversation is under way: that shows as a conflict with the index of
/// running runs, and then no row is touched.
pub(super) fn insertion(
    run: &NewRun,
    user: &UserId,
    conversation: ConversationId,
    now: DateTime<Utc>,
) -> Result<InsertStatement, StoreError> {
    let columns = [
        Runs::Id,
        Runs::UserId,
        Runs::ConversationId,
        Runs::Status,
        Runs::Provider,
        Runs::Model,
        Runs::Owner,
        Runs::Attempt,
        Runs::LastEventId,
        Runs::PartialMessageId,
        Runs::ToolChoice,
        Runs::Usage,
        Runs::CreatedAt,
    ];
    let values = [
        run.id.uuid().into(),
        user.as_str().into(),
        conversation.uuid().into(),
        RunStatus::Running.as_str().into(),
        run.model.provider.as_str().into(),
        run.model.model.as_str().into(),
        run.owner.as_str().into(),
        1.into(),
        EventId::first_of(1).get().into(),
        run.first_message.uuid().into(),
        run.tool_choice.as_str().into(),
        to_json("usage", &Usage::default())?.into(),
        now.into(),
    ];
    let insert = Query::insert()
        .into_table(Runs::Table)
        .columns(columns)
        .values_panic(values)
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .take();
    Ok(insert)
}

/// Says which run it was that kept another from beginning.
pub(super) async fn busy(tx: &mut Tx<'_>, conversation: ConversationId) -> AcceptError {
    match super::runs::find_running(tx, conversation).await {
        Ok(Some(active)) => Refusal::Busy { active }.into(),
        Ok(None) => StoreError::corrupt("running run").into(),
        Err(error) => error.into(),
    }
}
