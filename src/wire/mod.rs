//! What clients see: the shapes of the contract, and each event as bytes of each format. Pure, so that every format is
//! a snapshot test.

mod native;
mod shapes;
mod simple;

pub use native::{DONE, HEARTBEAT, RETRY, frame};
pub use shapes::{
    ChatOut, ConversationOut, MessageOut, NoticeOut, PageOut, RunErrorOut, RunOut, TaskOut, ToolCallOut,
    UsageOut,
};
pub use simple::{Simple, Wrapping};
