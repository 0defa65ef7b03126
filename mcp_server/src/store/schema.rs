//! The names of tables and columns, once. The migrations create what is named here.

use sea_query::Iden;

/// The tasks, deleted ones among them.
#[derive(Clone, Copy, Iden)]
pub(super) enum Tasks {
    Table,
    UserId,
    Number,
    Title,
    FoldedTitle,
    Description,
    FoldedDescription,
    Status,
    Priority,
    CreatedAt,
    UpdatedAt,
    CompletedAt,
    DeletedAt,
}

/// The last number that each user was given.
#[derive(Clone, Copy, Iden)]
pub(super) enum TaskCounters {
    Table,
    UserId,
    Last,
}

/// What each keyed call did.
#[derive(Clone, Copy, Iden)]
pub(super) enum ToolEffects {
    Table,
    UserId,
    CallKey,
    Tool,
    ArgumentsHash,
    Result,
    CreatedAt,
}
