//! Reads the arguments of a call. What comes out of here is fit to be done; what is not is refused by the name of the
//! field, because a model corrects itself by what it reads.

use rmcp::model::JsonObject;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    Code, Refusal, ToolName,
    inputs::{AddTask, ListTasks, OneTask, SetPriority, StatusFilter, UpdateTask},
};
use crate::{
    invalid::Invalid,
    task::{Change, Description, Edit, Filter, NewTask, Selector, Status, TITLE_LIMIT, Title},
};

/// The length of a list if the caller names none.
const DEFAULT_LIMIT: i64 = 50;

/// The longest list.
const MOST: i64 = 100;

/// What a call asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// To read.
    List(Filter),
    /// To change, and how the change is to be told.
    Change(Deed, Change),
}

/// What a changing tool does, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// Added.
    Created,
    /// Marked as done.
    Completed,
    /// Deleted.
    Deleted,
    /// Changed in some part.
    Updated,
    /// Given another priority.
    Prioritized,
}

impl Request {
    /// Reads the arguments of a call of a tool.
    pub(crate) fn parse(tool: ToolName, arguments: &JsonObject) -> Result<Self, Refusal> {
        if arguments.iter().any(|(name, value)| name.contains('\0') || has_nul(value)) {
            return Err(Refusal::new(
                Code::InvalidArguments,
                "the arguments contain a NUL character; leave it out",
            ));
        }
        Ok(match tool {
            ToolName::AddTask => Self::Change(Deed::Created, add(read(tool, arguments)?)?),
            ToolName::ListTasks => Self::List(filter(read(tool, arguments)?)?),
            ToolName::CompleteTask => {
                let OneTask { number, title_contains } = read(tool, arguments)?;
                let done = Edit { status: Some(Status::Completed), ..Edit::default() };
                Self::Change(Deed::Completed, Change::Edit(selector(number, title_contains)?, done))
            }
            ToolName::DeleteTask => {
                let OneTask { number, title_contains } = read(tool, arguments)?;
                Self::Change(Deed::Deleted, Change::Delete(selector(number, title_contains)?))
            }
            ToolName::UpdateTask => Self::Change(Deed::Updated, update(read(tool, arguments)?)?),
            ToolName::SetPriority => {
                let SetPriority { number, title_contains, priority } = read(tool, arguments)?;
                let edit = Edit { priority: Some(priority), ..Edit::default() };
                Self::Change(Deed::Prioritized, Change::Edit(selector(number, title_contains)?, edit))
            }
        })
    }
}

fn read<T: DeserializeOwned>(tool: ToolName, arguments: &JsonObject) -> Result<T, Refusal> {
    serde_path_to_error::deserialize(Value::Object(arguments.clone())).map_err(|error| {
        let field = error.path().to_string();
        let reason = error.inner();
        let message = match field.as_str() {
            "." | "?" => format!("{tool}: {reason}", tool = tool.as_str()),
            field => format!("{tool}: `{field}`: {reason}", tool = tool.as_str()),
        };
        Refusal::new(Code::InvalidArguments, message)
    })
}

fn add(input: AddTask) -> Result<Change, Invalid> {
    Ok(Change::Add(NewTask {
        title: Title::parse(&input.title)?,
        description: Description::parse(&input.description.unwrap_or_default())?,
        priority: input.priority.unwrap_or_default(),
    }))
}

fn update(input: UpdateTask) -> Result<Change, Invalid> {
    let selector = selector(input.number, input.title_contains)?;
    let edit = Edit {
        title: input.title.as_deref().map(Title::parse).transpose()?,
        description: input.description.as_deref().map(Description::parse).transpose()?,
        priority: input.priority,
        status: input.status,
    };
    if edit == Edit::default() {
        let reason = "needs at least one of `title`, `description`, `priority` and `status`";
        return Err(Invalid::new("update_task", reason));
    }
    Ok(Change::Edit(selector, edit))
}

fn filter(input: ListTasks) -> Result<Filter, Invalid> {
    let status = match input.status.unwrap_or_default() {
        StatusFilter::All => None,
        StatusFilter::Pending => Some(Status::Pending),
        StatusFilter::Completed => Some(Status::Completed),
    };
    let limit = input.limit.unwrap_or(DEFAULT_LIMIT);
    let limit = match u32::try_from(limit) {
        Ok(small) if (1..=MOST).contains(&limit) => small,
        _ => return Err(Invalid::new("limit", format!("must be between 1 and {MOST}"))),
    };
    let after = input.after.unwrap_or_default();
    if after < 0 {
        return Err(Invalid::new("after", "must be the next_after of an earlier list, or left out"));
    }
    let search = input.search.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    if search.as_ref().is_some_and(|text| text.chars().count() > TITLE_LIMIT) {
        return Err(Invalid::new("search", format!("must have at most {TITLE_LIMIT} characters")));
    }
    Ok(Filter { status, priority: input.priority, search, limit, after })
}

fn selector(number: Option<i64>, title_contains: Option<String>) -> Result<Selector, Invalid> {
    match (number, title_contains) {
        (Some(number), None) if number >= 1 => Ok(Selector::Number(number)),
        (Some(_), None) => Err(Invalid::new("number", "must be 1 or more")),
        (None, Some(text)) => match text.trim() {
            text if text.is_empty() || text.chars().count() > TITLE_LIMIT => {
                Err(Invalid::new("title_contains", format!("must have 1 to {TITLE_LIMIT} characters")))
            }
            text => Ok(Selector::Title(text.to_owned())),
        },
        (None, None) => {
            Err(Invalid::new("number", "or `title_contains` is needed to say which task is meant"))
        }
        (Some(_), Some(_)) => {
            Err(Invalid::new("number", "and `title_contains` exclude each other; give one of them"))
        }
    }
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(has_nul),
        Value::Object(object) => object.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
