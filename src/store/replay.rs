//! A run told again from what is stored: its items, call starts and end, under the ids that they had.
//!
//! A message that was withdrawn is told as that. Deltas and notices were never stored; `message.completed` stands for the deltas.

use sea_query::{Expr, ExprTrait, Query};
use std::collections::HashMap;
use uuid::Uuid;

use super::{Store, StoreError, schema::ToolCalls};
use crate::domain::{CallId, End, Event, EventId, Item, ItemId, Recorded, Run, RunId, UserId};

#[derive(sqlx::FromRow)]
struct CallRow {
    id: Uuid,
    item_id: Uuid,
    started_event_id: Option<i64>,
}

impl Store {
    /// Tells a run again, in the order of its events. A run that is not final is told as far as it is stored.
    pub async fn replay(&self, user: &UserId, run: &Run) -> Result<Vec<(EventId, Event)>, StoreError> {
        let items = self.items_of_run(user, run.id).await?;
        let calls = self.calls_of_run(user, run.id).await?;
        let mut events = told(run, items, &calls);
        if run.attempt > 1 {
            let discarded = self.discarded(user, run.id).await?.into_iter();
            events.extend(
                discarded.map(|gone| (gone.event, Event::MessageDiscarded { message_id: gone.message })),
            );
            events.sort_by_key(|(id, _)| *id);
        }
        Ok(events)
    }

    async fn calls_of_run(
        &self,
        user: &UserId,
        run: RunId,
    ) -> Result<HashMap<CallId, (ItemId, Option<EventId>)>, StoreError> {
        let select = Query::select()
            .columns([ToolCalls::Id, ToolCalls::ItemId, ToolCalls::StartedEventId])
            .from(ToolCalls::Table)
            .and_where(Expr::col(ToolCalls::RunId).eq(run.uuid()))
            .and_where(Expr::col(ToolCalls::UserId).eq(user.as_str()))
            .take();
        let rows: Vec<CallRow> = self.db.all(&select).await?;
        let calls = rows.into_iter().map(|row| {
            let started = row.started_event_id.map(EventId::from);
            (row.id.into(), (row.item_id.into(), started))
        });
        Ok(calls.collect())
    }
}

fn told(
    run: &Run,
    items: Vec<Recorded>,
    calls: &HashMap<CallId, (ItemId, Option<EventId>)>,
) -> Vec<(EventId, Event)> {
    let mut events = Vec::new();
    for recorded in items {
        match recorded.item {
            Item::User(_) => events.push((recorded.event_id, created(run, recorded.id))),
            Item::Assistant(reply) => {
                let message_id = recorded.id;
                for call in reply.calls {
                    if let Some((_, Some(started))) = calls.get(&call.id) {
                        events.push((*started, Event::ToolStarted { message_id, call }));
                    }
                }
                if !reply.text.is_empty() {
                    let (content, incomplete) = (reply.text, reply.incomplete);
                    events.push((
                        recorded.event_id,
                        Event::MessageCompleted { message_id, content, incomplete },
                    ));
                }
            }
            Item::Tool(result) => {
                let asked_by = calls.get(&result.call_id).map_or(recorded.id, |(message, _)| *message);
                events.push((recorded.event_id, Event::ToolCompleted { message_id: asked_by, result }));
            }
        }
    }
    if run.status.is_final() {
        let (run_id, status, failure, usage) = (run.id, run.status, run.failure, run.usage);
        let end = End { run_id, status, failure, usage, retry_after: None };
        events.push((run.last_event_id, Event::Ended(end)));
    }
    events.sort_by_key(|(id, _)| *id);
    events
}

fn created(run: &Run, user_message_id: ItemId) -> Event {
    Event::RunCreated {
        run_id: run.id,
        conversation_id: run.conversation_id,
        user_message_id,
        provider: run.provider.clone(),
        model: run.model.clone(),
        attempt: 1,
    }
}
