//! What clients see: the shapes of the contract, and each event as bytes of each format. Pure, so that every format is
//! a snapshot test.

mod chat;
pub mod chatkit;
mod native;
mod shapes;
mod simple;

pub use chat::ChatOut;
pub use native::{DONE, HEARTBEAT, RETRY, frame};
pub use shapes::{ConversationOut, MessageOut, PageOut, RunOut, TaskOut};
pub use simple::{Simple, Wrapping};
