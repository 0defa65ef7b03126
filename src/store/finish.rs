//! The end of a run: one transaction that stores the last text, answers every open call and sets the final status.
//!
//! It is the same whether the agent finished, the user cancelled, or the process before this one died.

use chrono::{DateTime, Utc};
use parlor_db::Tx;
use sea_query::{Expr, ExprTrait, InsertStatement, Query, UpdateStatement};
use uuid::Uuid;

use super::{
    Store, StoreError,
    calls::{self, OpenCall},
    context,
    items::{self, NewItem},
    runs,
    schema::Runs,
    steps::each_is_one,
    to_json,
};
use crate::domain::{
    ConversationId, End, Event, EventId, Item, ItemId, Reply, RunFailure, RunId, RunStatus, ToolResult,
    Usage, UserId,
};

/// How a run ends.
#[derive(Clone, Debug)]
pub struct Ending {
    /// The run.
    pub run: RunId,
    /// Its user.
    pub user: UserId,
    /// Its conversation.
    pub conversation: ConversationId,
    /// The attempt that may end it.
    pub attempt: i32,
    /// The attempt that its last events belong to: the same, or one more when they follow a crash.
    pub ends_as_attempt: i32,
    /// The id of the first event that is still to be told. If a step was stored that nobody was told of, because its
    /// commit was not answered, the events begin behind that one.
    pub next_event: EventId,
    /// Its final status.
    pub status: RunStatus,
    /// Why it failed, if it did.
    pub failure: Option<RunFailure>,
    /// The last reply, whole or cut short; none if there was no text.
    pub reply: Option<(ItemId, Reply)>,
    /// From which position on the model is shown the conversation, if the run found that out.
    pub context_start: Option<i64>,
    /// What it cost.
    pub usage: Usage,
    /// When its first text came, if it is not stored yet.
    pub first_delta_at: Option<DateTime<Utc>>,
}

impl Store {
    /// Ends a run and returns the events that tell so, the end event last.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] if the run is final already or another attempt has it: nothing was changed.
    pub async fn end_run(&self, ending: Ending) -> Result<Vec<(EventId, Event)>, StoreError> {
        let now = self.clock.now();
        self.db.write(move |tx| Box::pin(async move { end(tx, &ending, now).await })).await
    }
}

async fn end(
    tx: &mut Tx<'_>,
    ending: &Ending,
    now: DateTime<Utc>,
) -> Result<Vec<(EventId, Event)>, StoreError> {
    // Nearly always one item is written: the reply.
    let taken = i64::from(ending.reply.is_some());
    let last_place = items::take_places(tx, ending.conversation, taken, now).await?;
    let found = fence(tx, ending).await?;
    let open = if found.has_open_calls { calls::open_calls(tx, ending.run).await? } else { Vec::new() };
    let first = ending.next_event.max(EventId::from(found.last_event_id).next());
    let told = told(first, ending.reply.clone().filter(|_| !found.is_reply_stored), &open);

    let mut writes = tx.sequence();
    let places = i64::try_from(told.steps.len()).unwrap_or(i64::MAX);
    if places != taken {
        writes = writes.then(&items::locking(ending.conversation, places - taken, now));
    }
    for (position, step) in (last_place - taken + 1..).zip(&told.steps) {
        writes = writes.then(&ending.insertion(step, position, now)?);
    }
    for call in &open {
        writes = writes.then(&calls::settlement(call.id, answer(call).status, now));
    }
    each_is_one(&writes.then(&closing(ending, told.end, now)?).run().await?)?;
    if let Some(start) = ending.context_start {
        tx.execute(&context::beginning_at(ending.conversation, start)).await?;
    }
    Ok(told.into_events(ending))
}

/// What is stored of a run that is still running.
#[derive(sqlx::FromRow)]
struct Found {
    last_event_id: i64,
    /// Whether the last reply is stored already: its commit was not answered.
    is_reply_stored: bool,
    has_open_calls: bool,
}

/// Goes on only if the run is still running in the attempt that may end it.
async fn fence(tx: &mut Tx<'_>, ending: &Ending) -> Result<Found, StoreError> {
    let is_reply_stored = match &ending.reply {
        Some((id, _)) => Expr::exists(items::with_id(*id)),
        None => Expr::val(1).eq(0),
    };
    let select = Query::select()
        .column(Runs::LastEventId)
        .expr_as(is_reply_stored, "is_reply_stored")
        .expr_as(Expr::exists(calls::open_ones(ending.run)), "has_open_calls")
        .from(Runs::Table)
        .and_where(Expr::col(Runs::Id).eq(ending.run.uuid()))
        .and_where(Expr::col(Runs::Status).eq(RunStatus::Running.as_str()))
        .and_where(Expr::col(Runs::Attempt).eq(ending.attempt))
        .to_owned();
    tx.find(&select).await?.ok_or(StoreError::Fenced)
}

impl Ending {
    fn insertion(
        &self,
        step: &Step,
        position: i64,
        now: DateTime<Utc>,
    ) -> Result<InsertStatement, StoreError> {
        let (user, conversation, run, item) = (&self.user, self.conversation, self.run, &step.item);
        items::insertion(
            &NewItem { user, conversation, run, id: step.id, event: step.event, item, now },
            position,
        )
    }
}

/// What an ending still has to tell, decided before anything is written.
struct Told {
    steps: Vec<Step>,
    /// The id of the end event, which follows the steps.
    end: EventId,
}

struct Step {
    event: EventId,
    id: ItemId,
    /// The message that the step tells of: the reply itself, or the one that asked for the call.
    message: ItemId,
    item: Item,
}

fn told(first: EventId, reply: Option<(ItemId, Reply)>, open: &[OpenCall]) -> Told {
    let mut told = Told { steps: Vec::new(), end: first };
    if let Some((id, reply)) = reply {
        told.push(id, id, Item::Assistant(reply));
    }
    for call in open {
        told.push(ItemId::new(), call.message, Item::Tool(answer(call)));
    }
    told
}

impl Told {
    fn push(&mut self, id: ItemId, message: ItemId, item: Item) {
        self.steps.push(Step { event: self.end, id, message, item });
        self.end = self.end.next();
    }

    fn into_events(self, ending: &Ending) -> Vec<(EventId, Event)> {
        let (run_id, status, failure, usage) = (ending.run, ending.status, ending.failure, ending.usage);
        let end = End { run_id, status, failure, usage, retry_after: None };
        let steps = self.steps.into_iter().filter_map(|step| {
            let message_id = step.message;
            let event = match step.item {
                Item::Assistant(reply) => {
                    Event::MessageCompleted { message_id, content: reply.text, incomplete: reply.incomplete }
                }
                Item::Tool(result) => Event::ToolCompleted { message_id, result },
                Item::User(_) => return None,
            };
            Some((step.event, event))
        });
        steps.chain([(self.end, Event::Ended(end))]).collect()
    }
}

/// Answers a call that the run leaves open: never reached, or in flight.
fn answer(call: &OpenCall) -> ToolResult {
    if call.was_started {
        ToolResult::unknown(call.id, &call.server, &call.name)
    } else {
        ToolResult::not_run(call.id, &call.server, &call.name)
    }
}

/// Sets the final status of a run that [`fence`] let through.
fn closing(ending: &Ending, last_event: EventId, now: DateTime<Utc>) -> Result<UpdateStatement, StoreError> {
    let update = Query::update()
        .table(Runs::Table)
        .value(Runs::Status, ending.status.as_str())
        .value(Runs::ErrorCode, ending.failure.map(RunFailure::as_str))
        .value(Runs::Attempt, ending.ends_as_attempt)
        .value(Runs::LastEventId, last_event.get())
        .value(Runs::Usage, to_json("usage", &ending.usage)?)
        .value(Runs::PartialMessageId, Option::<Uuid>::None)
        .value(Runs::PartialText, Option::<String>::None)
        .value(Runs::FirstDeltaAt, runs::first_delta(ending.first_delta_at))
        .value(Runs::EndedAt, now)
        .and_where(Expr::col(Runs::Id).eq(ending.run.uuid()))
        .to_owned();
    Ok(update)
}
