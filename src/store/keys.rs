//! Idempotency keys: a client's word that two requests are one.

use chrono::{DateTime, TimeDelta, Utc};
use parlor_db::{SequenceError, Tx};
use sea_query::{Expr, ExprTrait, OnConflict, Query, SelectStatement};
use uuid::Uuid;

use super::{
    AcceptError, Refusal, Store, StoreError,
    schema::{IdempotencyKeys, Items, Runs},
};
use crate::domain::{ConversationId, RunId, UserId};

/// A client's word that two requests are one.
#[derive(Clone, Debug)]
pub struct IdempotencyKey {
    /// The key: 1 to 255 printable ASCII characters.
    pub key: String,
    /// A digest of what was asked.
    pub body_hash: String,
    /// How long the key is remembered.
    pub lifetime: TimeDelta,
}

impl Store {
    /// Finds out what a key was used for, without a write: the run of the same request, or that it was another one.
    pub async fn find_first_use(
        &self,
        user: &UserId,
        key: &IdempotencyKey,
    ) -> Result<Option<Refusal>, StoreError> {
        let alive = Expr::col((IdempotencyKeys::Table, IdempotencyKeys::CreatedAt))
            .gte(self.clock.now() - key.lifetime);
        let found: Option<FirstUse> = self.db.find(first_use(user, key).and_where(alive)).await?;
        Ok(found.map(|found| found.verdict(key)))
    }

    /// Forgets keys older than their lifetime.
    pub async fn forget_keys(&self, lifetime: TimeDelta) -> Result<(), StoreError> {
        let oldest = self.clock.now() - lifetime;
        self.db
            .write(move |tx| {
                Box::pin(async move {
                    let expired = Query::delete()
                        .from_table(IdempotencyKeys::Table)
                        .and_where(Expr::col(IdempotencyKeys::CreatedAt).lt(oldest))
                        .take();
                    tx.execute(&expired).await?;
                    Ok(())
                })
            })
            .await
    }
}

/// Claims the key for this run, or finds out what it was used for. A concurrent request with the same key waits here
/// until the first one is committed or rolled back.
pub(super) async fn claim(
    tx: &mut Tx<'_>,
    user: &UserId,
    run: RunId,
    key: &IdempotencyKey,
    now: DateTime<Utc>,
) -> Result<(), AcceptError> {
    let forget = Query::delete()
        .from_table(IdempotencyKeys::Table)
        .and_where(Expr::col(IdempotencyKeys::UserId).eq(user.as_str()))
        .and_where(Expr::col(IdempotencyKeys::Key).eq(&key.key))
        .take();
    let expired = Expr::col(IdempotencyKeys::CreatedAt).lt(now - key.lifetime);
    let columns = [
        IdempotencyKeys::UserId,
        IdempotencyKeys::Key,
        IdempotencyKeys::BodyHash,
        IdempotencyKeys::RunId,
        IdempotencyKeys::CreatedAt,
    ];
    let values = [
        user.as_str().into(),
        key.key.as_str().into(),
        key.body_hash.as_str().into(),
        run.uuid().into(),
        now.into(),
    ];
    let claim = Query::insert()
        .into_table(IdempotencyKeys::Table)
        .columns(columns)
        .values_panic(values)
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .take();
    let forget_expired = forget.clone().and_where(expired).take();
    match tx.sequence().then(&forget_expired).one(&claim).run().await {
        Ok(_) => return Ok(()),
        Err(SequenceError::Missed(_)) => {}
        Err(SequenceError::Database(error)) => return Err(error.into()),
    }
    if let Some(found) = tx.find::<FirstUse>(&first_use(user, key)).await? {
        return Err(AcceptError::Refused(found.verdict(key)));
    }
    // Its run was deleted, with its conversation: the key is free again.
    tx.execute(&forget).await?;
    if tx.execute(&claim).await? == 1 { Ok(()) } else { Err(StoreError::corrupt("idempotency key").into()) }
}

/// Hands the keys of the runs that have told anything from a position on to the run that stands in their place: a
/// request that comes again hears what is stored there, and nothing is done a second time.
pub(super) async fn hand_over(
    tx: &mut Tx<'_>,
    conversation: ConversationId,
    position: i64,
    run: RunId,
) -> Result<(), StoreError> {
    let taken_back = Query::select()
        .column(Items::RunId)
        .from(Items::Table)
        .and_where(Expr::col(Items::ConversationId).eq(conversation.uuid()))
        .and_where(Expr::col(Items::Position).gte(position))
        .take();
    let handed_over = Query::update()
        .table(IdempotencyKeys::Table)
        .value(IdempotencyKeys::RunId, run.uuid())
        .and_where(Expr::col(IdempotencyKeys::RunId).in_subquery(taken_back))
        .take();
    tx.execute(&handed_over).await?;
    Ok(())
}

/// What a key was used for.
#[derive(sqlx::FromRow)]
struct FirstUse {
    body_hash: String,
    run_id: Uuid,
    conversation_id: Uuid,
}

impl FirstUse {
    fn verdict(self, key: &IdempotencyKey) -> Refusal {
        if self.body_hash == key.body_hash {
            Refusal::Repeated { run: self.run_id.into(), conversation: self.conversation_id.into() }
        } else {
            Refusal::KeyReused
        }
    }
}

fn first_use(user: &UserId, key: &IdempotencyKey) -> SelectStatement {
    Query::select()
        .column((IdempotencyKeys::Table, IdempotencyKeys::BodyHash))
        .column((IdempotencyKeys::Table, IdempotencyKeys::RunId))
        .column((Runs::Table, Runs::ConversationId))
        .from(IdempotencyKeys::Table)
        .inner_join(
            Runs::Table,
            Expr::col((Runs::Table, Runs::Id)).equals((IdempotencyKeys::Table, IdempotencyKeys::RunId)),
        )
        .and_where(Expr::col((IdempotencyKeys::Table, IdempotencyKeys::UserId)).eq(user.as_str()))
        .and_where(Expr::col((IdempotencyKeys::Table, IdempotencyKeys::Key)).eq(&key.key))
        .take()
}
