//! Pages of tasks, by number ascending: an order that no change of a task disturbs while somebody turns the pages.

use parlor_db::Db;
use sea_query::{Cond, Expr, ExprTrait, Func, Order, Query, SelectStatement};

use super::{
    StoreError, fold,
    schema::Tasks,
    selectors::contains,
    tasks::{TaskRow, select},
};
use crate::{
    identity::UserId,
    task::{Filter, Page, Task},
};

/// Reads a page, and how many tasks there are on all pages.
pub(super) async fn page(db: &Db, user: &UserId, filter: &Filter) -> Result<Page, StoreError> {
    let mut statement = select(user);
    narrow(&mut statement, filter);
    statement
        .and_where(Expr::col(Tasks::Number).gt(filter.after))
        .order_by(Tasks::Number, Order::Asc)
        .limit(u64::from(filter.limit) + 1);
    let mut tasks: Vec<Task> = db.all::<TaskRow>(&statement).await?.into_iter().map(Task::from).collect();
    let has_more = tasks.len() > filter.limit as usize;
    tasks.truncate(filter.limit as usize);
    let next_after = if has_more { tasks.last().map(|task| task.number) } else { None };
    Ok(Page { tasks, next_after, total: count(db, user, filter).await? })
}

async fn count(db: &Db, user: &UserId, filter: &Filter) -> Result<i64, StoreError> {
    let mut statement = Query::select()
        .expr(Func::count(Expr::col(Tasks::Number)))
        .from(Tasks::Table)
        .and_where(Expr::col(Tasks::UserId).eq(user.as_str()))
        .and_where(Expr::col(Tasks::DeletedAt).is_null())
        .take();
    narrow(&mut statement, filter);
    Ok(db.find::<(i64,)>(&statement).await?.map_or(0, |(count,)| count))
}

fn narrow(statement: &mut SelectStatement, filter: &Filter) {
    if let Some(status) = filter.status {
        statement.and_where(Expr::col(Tasks::Status).eq(status.as_str()));
    }
    if let Some(priority) = filter.priority {
        statement.and_where(Expr::col(Tasks::Priority).eq(priority.as_str()));
    }
    if let Some(search) = &filter.search {
        let folded = fold(search);
        statement.cond_where(
            Cond::any()
                .add(contains(Tasks::FoldedTitle, &folded))
                .add(contains(Tasks::FoldedDescription, &folded)),
        );
    }
}
