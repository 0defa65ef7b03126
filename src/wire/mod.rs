//! What clients see: the shapes of the contract, and each event as bytes of each format. Pure, so that every format is
//! a snapshot test.

mod chat;
pub mod chatkit;
mod data;
mod messages;
mod native;
mod shapes;
mod simple;
mod words;

pub use chat::ChatOut;
pub use data::described;
pub use messages::MessageOut;
pub use native::{DONE, EVENTS, HEARTBEAT, RETRY, write_frame};
pub use shapes::{ConversationOut, PageOut, RunOut, TaskOut, TaskPriority, TaskStatus};
pub use simple::{Simple, Wrapping};
