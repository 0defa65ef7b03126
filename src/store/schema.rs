//! The names of our tables and columns, each written once. What they mean stands in `migrations/`.

use sea_query::Iden;

#[derive(Clone, Copy, Iden)]
pub(super) enum Conversations {
    Table,
    Id,
    UserId,
    Title,
    TitleByUser,
    LastPosition,
    ContextStart,
    CreatedAt,
    UpdatedAt,
}

#[derive(Clone, Copy, Iden)]
pub(super) enum Runs {
    Table,
    Id,
    UserId,
    ConversationId,
    Status,
    Resumes,
    Provider,
    Model,
    Owner,
    Attempt,
    LastEventId,
    PartialMessageId,
    PartialText,
    Discarded,
    CancelRequestedAt,
    ToolChoice,
    Usage,
    ErrorCode,
    CreatedAt,
    FirstDeltaAt,
    EndedAt,
}

#[derive(Clone, Copy, Iden)]
pub(super) enum Items {
    Table,
    ConversationId,
    Position,
    Id,
    UserId,
    RunId,
    EventId,
    Kind,
    Body,
    CreatedAt,
}

#[derive(Clone, Copy, Iden)]
pub(super) enum ToolCalls {
    Table,
    Id,
    UserId,
    RunId,
    ItemId,
    Ordinal,
    Server,
    Name,
    Arguments,
    ArgumentsHash,
    State,
    Status,
    StartedEventId,
    StartedAt,
    EndedAt,
}

#[derive(Clone, Copy, Iden)]
pub(super) enum IdempotencyKeys {
    Table,
    UserId,
    Key,
    BodyHash,
    RunId,
    CreatedAt,
}

#[derive(Clone, Copy, Iden)]
pub(super) enum Feedbacks {
    #[iden = "feedback"]
    Table,
    ItemId,
    UserId,
    Kind,
    CreatedAt,
}

#[derive(Clone, Copy, Iden)]
pub(super) enum Lists {
    Table,
    CallId,
    UserId,
    Result,
    UpdatedAt,
}
