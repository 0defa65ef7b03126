//! The ledger of calls: an effect happens at most once per call key. The key is claimed and the result kept in the
//! effect's own transaction, so there is no moment at which one of them is there without the other.

use chrono::{DateTime, Utc};
use parlor_db::Tx;
use sea_query::{Expr, ExprTrait, InsertStatement, OnConflict, Query, UpdateStatement};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{StoreError, schema::ToolEffects};
use crate::{
    identity::{CallKey, UserId},
    task::Task,
};

/// What makes a repeat of a call known: its key, and what the key stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The host's name for the call.
    pub key: CallKey,
    /// The tool that is called.
    pub tool: &'static str,
    /// Its arguments, in short.
    pub arguments: ArgumentsHash,
}

/// Stands for the arguments of a call: equal for equal arguments, in whatever order they come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArgumentsHash(String);

#[derive(sqlx::FromRow)]
struct Effect {
    tool: String,
    arguments_hash: String,
    result: Option<String>,
}

impl ArgumentsHash {
    /// Digests the arguments of a call.
    pub fn of(arguments: &Map<String, Value>) -> Self {
        let mut text = String::new();
        write_object(&mut text, arguments);
        let digest = Sha256::digest(text.as_bytes());
        Self(digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

/// Claims a key for this transaction, unless it is taken: then no row is touched, and the result is [`stored`].
///
/// The insertion comes first: beside another transaction with the same key it waits, and sees what that one left. If
/// it was rolled back the key is ours; if it was committed, the next statement reads its row (READ COMMITTED, and on
/// SQLite only one transaction writes).
pub(super) fn claiming(user: &UserId, mark: &Mark, now: DateTime<Utc>) -> InsertStatement {
    let columns = [
        ToolEffects::UserId,
        ToolEffects::CallKey,
        ToolEffects::Tool,
        ToolEffects::ArgumentsHash,
        ToolEffects::CreatedAt,
    ];
    let hash = mark.arguments.0.as_str();
    Query::insert()
        .into_table(ToolEffects::Table)
        .columns(columns)
        .values_panic([
            user.as_str().into(),
            mark.key.text().into(),
            mark.tool.into(),
            hash.into(),
            now.into(),
        ])
        .on_conflict(OnConflict::columns([ToolEffects::UserId, ToolEffects::CallKey]).do_nothing().to_owned())
        .take()
}

/// Keeps the result under the claimed key.
pub(super) fn settling(user: &UserId, mark: &Mark, result: &Task) -> Result<UpdateStatement, StoreError> {
    let result = serde_json::to_string(result).map_err(StoreError::Unreadable)?;
    let update = Query::update()
        .table(ToolEffects::Table)
        .value(ToolEffects::Result, result)
        .and_where(Expr::col(ToolEffects::UserId).eq(user.as_str()))
        .and_where(Expr::col(ToolEffects::CallKey).eq(mark.key.text()))
        .take();
    Ok(update)
}

/// Reads the result that is kept under a key that was claimed before.
pub(super) async fn stored(tx: &mut Tx<'_>, user: &UserId, mark: &Mark) -> Result<Task, StoreError> {
    let select = Query::select()
        .columns([ToolEffects::Tool, ToolEffects::ArgumentsHash, ToolEffects::Result])
        .from(ToolEffects::Table)
        .and_where(Expr::col(ToolEffects::UserId).eq(user.as_str()))
        .and_where(Expr::col(ToolEffects::CallKey).eq(mark.key.text()))
        .take();
    let effect = tx.find::<Effect>(&select).await?;
    let Some(effect) = effect.filter(|effect| effect.is_of(mark)) else {
        return Err(StoreError::CallKeyReused);
    };
    serde_json::from_str(effect.result.as_deref().unwrap_or_default()).map_err(StoreError::Unreadable)
}

impl Effect {
    fn is_of(&self, mark: &Mark) -> bool {
        self.tool == mark.tool && self.arguments_hash == mark.arguments.0
    }
}

/// Writes JSON in one spelling only: keys in order, nothing between the signs.
fn write_object(text: &mut String, object: &Map<String, Value>) {
    let mut members: Vec<_> = object.iter().collect();
    members.sort_by_key(|(name, _)| *name);
    text.push('{');
    for (name, value) in members {
        text.push_str(&Value::from(name.as_str()).to_string());
        text.push(':');
        write_value(text, value);
        text.push(',');
    }
    text.push('}');
}

fn write_value(text: &mut String, value: &Value) {
    match value {
        Value::Object(object) => write_object(text, object),
        Value::Array(values) => {
            text.push('[');
            for value in values {
                write_value(text, value);
                text.push(',');
            }
            text.push(']');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            text.push_str(&value.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn hash(value: &Value) -> ArgumentsHash {
        ArgumentsHash::of(value.as_object().unwrap())
    }

    #[test]
    fn the_order_of_arguments_means_nothing_and_everything_else_does() {
        let left =
            hash(&serde_json::from_str::<Value>(r#"{"a": 1, "b": {"c": [1, 2], "d": null}}"#).unwrap());
        let right =
            hash(&serde_json::from_str::<Value>(r#"{"b": {"d": null, "c": [1, 2]}, "a": 1}"#).unwrap());
        assert_eq!(left, right);
        for other in [json!({"a": 1}), json!({"a": "1"}), json!({"a": [1]}), json!({"a": null}), json!({})] {
            assert_ne!(left, hash(&other));
        }
        assert_ne!(hash(&json!({"a": "1,\"b\":2"})), hash(&json!({"a": "1", "b": 2})));
    }
}
