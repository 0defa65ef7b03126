//! Which task a text means. An exact title wins over one that differs in case, and that over a part of a title; if
//! several are left, the caller has to say which, because a guess might delete the wrong one.

use parlor_db::{DbError, Tx};
use sea_query::{Expr, ExprTrait, LikeExpr, Order, Query};

use super::{Candidates, StoreError, fold, schema::Tasks};
use crate::{identity::UserId, task::Selector};

/// How many candidates an answer names.
const CANDIDATE_LIMIT: usize = 10;

/// Stands before a sign that LIKE must take as it is. Not a backslash: the databases disagree about those.
const ESCAPE: char = '!';

/// Finds the number of the one task that a text means.
pub(super) async fn number_by_title(tx: &mut Tx<'_>, user: &UserId, text: &str) -> Result<i64, StoreError> {
    let folded = fold(text);
    let rules = [
        Expr::col(Tasks::Title).eq(text),
        Expr::col(Tasks::FoldedTitle).eq(folded.as_str()),
        contains(Tasks::FoldedTitle, &folded),
    ];
    for rule in rules {
        let candidates = candidates(tx, user, rule).await?;
        match candidates.tasks.as_slice() {
            [] => {}
            [(number, _)] => return Ok(*number),
            [_, _, ..] => return Err(StoreError::AmbiguousTitle { text: text.to_owned(), candidates }),
        }
    }
    Err(StoreError::TaskNotFound(Selector::Title(text.to_owned())))
}

/// Says that a folded column has a folded text in it.
pub(super) fn contains(column: Tasks, folded: &str) -> Expr {
    Expr::col(column).like(LikeExpr::new(pattern(folded)).escape(ESCAPE))
}

async fn candidates(tx: &mut Tx<'_>, user: &UserId, rule: Expr) -> Result<Candidates, DbError> {
    let few = Query::select()
        .columns([Tasks::Number, Tasks::Title])
        .from(Tasks::Table)
        .and_where(Expr::col(Tasks::UserId).eq(user.as_str()))
        .and_where(Expr::col(Tasks::DeletedAt).is_null())
        .and_where(rule)
        .order_by(Tasks::Number, Order::Asc)
        .limit(CANDIDATE_LIMIT as u64 + 1)
        .take();
    let mut tasks: Vec<(i64, String)> = tx.all(&few).await?;
    let has_more = tasks.len() > CANDIDATE_LIMIT;
    tasks.truncate(CANDIDATE_LIMIT);
    Ok(Candidates { tasks, has_more })
}

fn pattern(text: &str) -> String {
    let mut pattern = String::from("%");
    for sign in text.chars() {
        if matches!(sign, '%' | '_' | ESCAPE) {
            pattern.push(ESCAPE);
        }
        pattern.push(sign);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signs_of_like_stand_for_themselves() {
        assert_eq!(pattern("50%_off!"), "%50!%!_off!!%");
    }
}
