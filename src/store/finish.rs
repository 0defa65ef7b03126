//! The end of a run: one transaction that stores the last text, answers every open call and sets the final status.
//!
//! It is the same whether the agent finished, the user cancelled, or the process before this one died.

use chrono::{DateTime, Utc};
use parlor_db::{SequenceError, Tx};
use sea_query::{Expr, ExprTrait, InsertStatement, Query, UpdateStatement};
use uuid::Uuid;

use super::{
    Store, StoreError,
    calls::{self, OpenCall},
    context,
    items::{self, NewItem},
    runs,
    schema::Runs,
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
    let told = told(ending.next_event, ending.reply.clone(), &[]);
    let mut writes = tx.sequence().one(&items::locking(ending.conversation, ending.places(), now));
    writes = writes.one(&closing_plainly(ending, told.end, now)?);
    for step in &told.steps {
        writes = writes.then(&ending.insertion(step, items::last_place(ending.conversation), now)?);
    }
    if let Some(start) = ending.context_start {
        writes = writes.then(&context::beginning_at(ending.conversation, start));
    }
    match writes.last().await {
        Ok(_) => Ok(told.into_events(ending)),
        Err(SequenceError::Missed(0)) => Err(StoreError::Fenced), // The conversation was deleted.
        Err(SequenceError::Missed(_)) => end_with_care(tx, ending, now).await,
        Err(SequenceError::Database(error)) => Err(error.into()),
    }
}

/// Ends a run that is not as it mostly is: another attempt has it, calls are open, or more is stored than was told. The
/// places for what is mostly stored are taken.
async fn end_with_care(
    tx: &mut Tx<'_>,
    ending: &Ending,
    now: DateTime<Utc>,
) -> Result<Vec<(EventId, Event)>, StoreError> {
    let found = fence(tx, ending).await?;
    let open = if found.has_open_calls { calls::open_calls(tx, ending.run).await? } else { Vec::new() };
    let first = ending.next_event.max(EventId::from(found.last_event_id).next());
    let told = told(first, ending.reply.clone().filter(|_| !found.is_reply_stored), &open);

    let places = i64::try_from(told.steps.len()).unwrap_or(i64::MAX);
    let more = places - ending.places();
    let last_place = items::take_places(tx, ending.conversation, more, now).await?;
    let mut writes = tx.sequence().one(&closing(ending, told.end, now)?);
    for (position, step) in (last_place - places + 1..).zip(&told.steps) {
        writes = writes.then(&ending.insertion(step, position.into(), now)?);
    }
    for call in &open {
        writes = writes.one(&calls::settlement(call.id, answer(call).status, now));
    }
    if let Some(start) = ending.context_start {
        writes = writes.then(&context::beginning_at(ending.conversation, start));
    }
    writes.last().await?;
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
        .take();
    tx.find(&select).await?.ok_or(StoreError::Fenced)
}

impl Ending {
    /// Returns how many places the end of a run mostly takes: one for the reply.
    fn places(&self) -> i64 {
        i64::from(self.reply.is_some())
    }

    fn insertion(
        &self,
        step: &Step,
        position: Expr,
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

/// Sets the final status of a run that is as it mostly is: nothing is stored that was not told, and no call is open. Else no
/// row is touched.
fn closing_plainly(
    ending: &Ending,
    last_event: EventId,
    now: DateTime<Utc>,
) -> Result<UpdateStatement, StoreError> {
    let mut closing = closing(ending, last_event, now)?;
    closing
        .and_where(Expr::col(Runs::LastEventId).lt(ending.next_event.get()))
        .and_where(Expr::exists(calls::open_ones(ending.run)).not());
    if let Some((id, _)) = &ending.reply {
        closing.and_where(Expr::exists(items::with_id(*id)).not());
    }
    Ok(closing)
}

/// Sets the final status of a run, if it is still running in the attempt that may end it.
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
        .and_where(Expr::col(Runs::Status).eq(RunStatus::Running.as_str()))
        .and_where(Expr::col(Runs::Attempt).eq(ending.attempt))
        .take();
    Ok(update)
}
