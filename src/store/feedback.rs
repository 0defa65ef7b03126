//! What people think of answers.

use parlor_db::Tx;
use sea_query::{Expr, ExprTrait, OnConflict, Query};
use std::collections::HashMap;
use uuid::Uuid;

use super::{
    Store, StoreError,
    schema::{Feedbacks, Items},
};
use crate::domain::{ConversationId, Feedback, ItemId, UserId};

impl Store {
    /// Keeps what the user thinks of items of a conversation; a later word stands over an earlier one. Returns whether
    /// all of them are there: if not, nothing is kept.
    pub async fn give_feedback(
        &self,
        user: &UserId,
        conversation: ConversationId,
        items: Vec<ItemId>,
        feedback: Feedback,
    ) -> Result<bool, StoreError> {
        let (user, now) = (user.clone(), self.clock.now());
        self.db
            .write(move |tx| {
                Box::pin(async move {
                    for item in &items {
                        if !is_there(tx, &user, conversation, *item).await? {
                            return Ok(false);
                        }
                    }
                    for item in items {
                        let columns =
                            [Feedbacks::ItemId, Feedbacks::UserId, Feedbacks::Kind, Feedbacks::CreatedAt];
                        let newest = OnConflict::column(Feedbacks::ItemId)
                            .update_columns([Feedbacks::Kind, Feedbacks::CreatedAt])
                            .to_owned();
                        let insert = Query::insert()
                            .into_table(Feedbacks::Table)
                            .columns(columns)
                            .values_panic([
                                item.uuid().into(),
                                user.as_str().into(),
                                feedback.as_str().into(),
                                now.into(),
                            ])
                            .on_conflict(newest)
                            .take();
                        tx.execute(&insert).await?;
                    }
                    Ok(true)
                })
            })
            .await
    }

    /// Returns what the user thinks of these items; those without a word are left out.
    pub async fn feedback(
        &self,
        user: &UserId,
        items: &[ItemId],
    ) -> Result<HashMap<ItemId, Feedback>, StoreError> {
        let select = Query::select()
            .columns([Feedbacks::ItemId, Feedbacks::Kind])
            .from(Feedbacks::Table)
            .and_where(Expr::col(Feedbacks::UserId).eq(user.as_str()))
            .and_where(Expr::col(Feedbacks::ItemId).is_in(items.iter().map(|item| item.uuid())))
            .take();
        let rows: Vec<(Uuid, String)> = self.db.all(&select).await?;
        Ok(rows.into_iter().filter_map(|(id, kind)| Some((id.into(), Feedback::find(&kind)?))).collect())
    }
}

async fn is_there(
    tx: &mut Tx<'_>,
    user: &UserId,
    conversation: ConversationId,
    item: ItemId,
) -> Result<bool, StoreError> {
    let select = Query::select()
        .column(Items::Position)
        .from(Items::Table)
        .and_where(Expr::col(Items::Id).eq(item.uuid()))
        .and_where(Expr::col(Items::ConversationId).eq(conversation.uuid()))
        .and_where(Expr::col(Items::UserId).eq(user.as_str()))
        .take();
    Ok(tx.find::<(i64,)>(&select).await?.is_some())
}
