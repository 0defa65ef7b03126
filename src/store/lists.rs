//! Lists that calls have brought, as they were changed by buttons since.

use std::collections::HashMap;

use sea_query::{Expr, ExprTrait, OnConflict, Query};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{
    Store, StoreError, from_json,
    schema::{Items, Lists, ToolCalls},
    to_json,
};
use crate::domain::{CallId, ConversationId, ItemId, UserId};

/// A call that was made in a conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct PastCall {
    /// The reply that asked for it.
    pub message: ItemId,
    /// The tool.
    pub name: String,
    /// Its arguments.
    pub arguments: Map<String, Value>,
}

#[derive(sqlx::FromRow)]
struct PastCallRow {
    item_id: Uuid,
    name: String,
    arguments: String,
}

impl Store {
    /// Finds a call that was made in a conversation of the user.
    pub async fn find_call(
        &self,
        user: &UserId,
        conversation: ConversationId,
        call: CallId,
    ) -> Result<Option<PastCall>, StoreError> {
        let of = |column| Expr::col((ToolCalls::Table, column));
        let select = Query::select()
            .columns(
                [ToolCalls::ItemId, ToolCalls::Name, ToolCalls::Arguments]
                    .map(|column| (ToolCalls::Table, column)),
            )
            .from(ToolCalls::Table)
            .inner_join(
                Items::Table,
                Expr::col((Items::Table, Items::Id)).equals((ToolCalls::Table, ToolCalls::ItemId)),
            )
            .and_where(of(ToolCalls::Id).eq(call.uuid()))
            .and_where(of(ToolCalls::UserId).eq(user.as_str()))
            .and_where(Expr::col((Items::Table, Items::ConversationId)).eq(conversation.uuid()))
            .take();
        let Some(row) = self.db.find::<PastCallRow>(&select).await? else { return Ok(None) };
        let arguments = from_json("arguments", &row.arguments)?;
        Ok(Some(PastCall { message: row.item_id.into(), name: row.name, arguments }))
    }

    /// Keeps the list of a call as it is now.
    pub async fn change_list(&self, user: &UserId, call: CallId, result: Value) -> Result<(), StoreError> {
        let (user, now) = (user.clone(), self.clock.now());
        let result = to_json("list", &result)?;
        self.db
            .write(move |tx| {
                Box::pin(async move {
                    let newest = OnConflict::column(Lists::CallId)
                        .update_columns([Lists::Result, Lists::UpdatedAt])
                        .to_owned();
                    let insert = Query::insert()
                        .into_table(Lists::Table)
                        .columns([Lists::CallId, Lists::UserId, Lists::Result, Lists::UpdatedAt])
                        .values_panic([call.uuid().into(), user.as_str().into(), result.into(), now.into()])
                        .on_conflict(newest)
                        .take();
                    tx.execute(&insert).await?;
                    Ok(())
                })
            })
            .await
    }

    /// Returns the lists of these calls that were changed.
    pub async fn changed_lists(
        &self,
        user: &UserId,
        calls: &[CallId],
    ) -> Result<HashMap<CallId, Value>, StoreError> {
        if calls.is_empty() {
            return Ok(HashMap::new());
        }
        let select = Query::select()
            .columns([Lists::CallId, Lists::Result])
            .from(Lists::Table)
            .and_where(Expr::col(Lists::UserId).eq(user.as_str()))
            .and_where(Expr::col(Lists::CallId).is_in(calls.iter().map(|call| call.uuid())))
            .take();
        let rows: Vec<(Uuid, String)> = self.db.all(&select).await?;
        rows.into_iter().map(|(id, result)| Ok((id.into(), from_json("list", &result)?))).collect()
    }
}
