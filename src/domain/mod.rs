//! The nouns of a conversation, the traits of its neighbours, and the pure `next`. No I/O lives here.
//!
//! Every other room speaks in these words, so a reader who knows this folder can read the rest.

mod call;
mod conversation;
mod event;
mod failure;
mod feedback;
mod gate;
mod ids;
mod item;
mod meter;
mod model;
mod models;
mod next;
mod run;
mod scribe;
mod text;
mod timezone;
mod tool;
mod transcript;
mod user;

pub use call::{CallStatus, ToolCall, ToolResult};
pub use conversation::{Conversation, Title, TitleError};
pub use event::{End, Event, Notice, NoticeCode};
pub use failure::RunFailure;
pub use feedback::Feedback;
pub use gate::{Gate, Verdict};
pub use ids::{CallId, ConversationId, EventId, IdError, ItemId, RunId};
pub use item::{Item, ProviderMeta, Recorded, Reply, Role, UserMessage};
pub use meter::Meter;
pub use model::{
    Asker, Finish, Model, ModelError, ModelErrorKind, ModelEvent, ModelIdentity, ModelRequest, RequestedCall,
    ToolChoice,
};
pub use models::{Models, NoSuchModel};
pub use next::{Next, next};
pub use run::{Run, RunStatus, Usage};
pub use scribe::{Scribe, ScribeError};
pub use text::{
    MESSAGE_LIMIT, RESULT_LIMIT, SHOWN_RESULT_LIMIT, cut_at, json_length, shortened, without_nul,
};
pub use timezone::{Timezone, TimezoneError};
pub use tool::{Tool, ToolError, ToolHost, ToolOutput, ToolSchema, ToolSchemaError};
pub use transcript::Transcript;
pub use user::{Principal, UserId, UserIdError};

/// A source error of any type, kept for the log and never shown to a client.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
