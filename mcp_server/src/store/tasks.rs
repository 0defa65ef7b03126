//! One task at a time: numbering, reading for a change, writing back.

use chrono::{DateTime, Utc};
use parlor_db::Tx;
use sea_query::{
    Expr, ExprTrait, InsertStatement, LockType, OnConflict, Query, SelectStatement, UpdateStatement,
};

use super::{
    StoreError, fold,
    schema::{TaskCounters, Tasks},
    selectors,
};
use crate::{
    identity::UserId,
    task::{Priority, Selector, Status, Task},
};

/// How often a task is chosen anew because others rename tasks at the same moment.
const MOST_CHOICES: usize = 4;

/// A stored task.
#[derive(sqlx::FromRow)]
pub(super) struct TaskRow {
    number: i64,
    title: String,
    description: Option<String>,
    #[sqlx(try_from = "String")]
    status: Status,
    #[sqlx(try_from = "String")]
    priority: Priority,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    completed_at: Option<DateTime<Utc>>,
}

/// Gives the user's next number, and brings it. A number that was given is never given again, whatever becomes of its task.
pub(super) fn next_number(user: &UserId) -> InsertStatement {
    let last = Expr::col((TaskCounters::Table, TaskCounters::Last));
    Query::insert()
        .into_table(TaskCounters::Table)
        .columns([TaskCounters::UserId, TaskCounters::Last])
        .values_panic([user.as_str().into(), 1_i64.into()])
        .on_conflict(
            OnConflict::column(TaskCounters::UserId).value(TaskCounters::Last, last.add(1_i64)).to_owned(),
        )
        .returning_col(TaskCounters::Last)
        .take()
}

/// Stores a new task.
pub(super) fn insertion(user: &UserId, task: &Task) -> InsertStatement {
    let mut columns = vec![Tasks::UserId, Tasks::Number, Tasks::CreatedAt];
    let mut values: Vec<Expr> = vec![user.as_str().into(), task.number.into(), task.created_at.into()];
    for (column, value) in changing_columns(task) {
        columns.push(column);
        values.push(value);
    }
    Query::insert().into_table(Tasks::Table).columns(columns).values_panic(values).to_owned()
}

/// Reads the one task that a selector means, and keeps others from changing it until the transaction ends.
pub(super) async fn load_for_change(
    tx: &mut Tx<'_>,
    user: &UserId,
    selector: &Selector,
) -> Result<Task, StoreError> {
    // Another request may rename the task between the choice and the lock. Once it is locked the choice is made again:
    // if it falls on another task, that one is taken.
    let mut number = chosen(tx, user, selector).await?;
    for _ in 0..MOST_CHOICES {
        let one = select(user).and_where(Expr::col(Tasks::Number).eq(number)).lock(LockType::Update).take();
        let found = tx.find::<TaskRow>(&one).await?;
        let again = chosen(tx, user, selector).await?;
        if again == number {
            return found.map(Task::from).ok_or_else(|| StoreError::TaskNotFound(selector.clone()));
        }
        number = again;
    }
    Err(StoreError::TaskNotFound(selector.clone()))
}

/// Finds the number of the task that a selector means right now.
async fn chosen(tx: &mut Tx<'_>, user: &UserId, selector: &Selector) -> Result<i64, StoreError> {
    match selector {
        Selector::Number(number) => Ok(*number),
        Selector::Title(text) => selectors::number_by_title(tx, user, text).await,
    }
}

/// Writes a changed task over the old one.
pub(super) fn replacement(user: &UserId, task: &Task) -> UpdateStatement {
    Query::update()
        .table(Tasks::Table)
        .values(changing_columns(task))
        .and_where(Expr::col(Tasks::UserId).eq(user.as_str()))
        .and_where(Expr::col(Tasks::Number).eq(task.number))
        .take()
}

/// Deletes a task. Its row stays, out of everybody's sight.
pub(super) fn deletion(user: &UserId, number: i64, now: DateTime<Utc>) -> UpdateStatement {
    Query::update()
        .table(Tasks::Table)
        .value(Tasks::DeletedAt, now)
        .and_where(Expr::col(Tasks::UserId).eq(user.as_str()))
        .and_where(Expr::col(Tasks::Number).eq(number))
        .take()
}

/// Begins to read tasks of a user, without the deleted ones.
pub(super) fn select(user: &UserId) -> SelectStatement {
    Query::select()
        .columns([
            Tasks::Number,
            Tasks::Title,
            Tasks::Description,
            Tasks::Status,
            Tasks::Priority,
            Tasks::CreatedAt,
            Tasks::UpdatedAt,
            Tasks::CompletedAt,
        ])
        .from(Tasks::Table)
        .and_where(Expr::col(Tasks::UserId).eq(user.as_str()))
        .and_where(Expr::col(Tasks::DeletedAt).is_null())
        .take()
}

fn changing_columns(task: &Task) -> [(Tasks, Expr); 8] {
    [
        (Tasks::Title, task.title.as_str().into()),
        (Tasks::FoldedTitle, fold(&task.title).into()),
        (Tasks::Description, task.description.clone().into()),
        (Tasks::FoldedDescription, task.description.as_deref().map(fold).into()),
        (Tasks::Status, task.status.as_str().into()),
        (Tasks::Priority, task.priority.as_str().into()),
        (Tasks::UpdatedAt, task.updated_at.into()),
        (Tasks::CompletedAt, task.completed_at.into()),
    ]
}

impl From<TaskRow> for Task {
    fn from(row: TaskRow) -> Self {
        Self {
            number: row.number,
            title: row.title,
            description: row.description,
            status: row.status,
            priority: row.priority,
            created_at: row.created_at,
            updated_at: row.updated_at,
            completed_at: row.completed_at,
        }
    }
}
