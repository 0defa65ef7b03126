//! The ChatKit protocol, as the web component speaks it: requests into plain data, events and stored items into its
//! JSON. Pure; a thread is a view of a conversation and nothing of it is stored for its own sake.

mod calls;
mod events;
mod key;
mod render;
mod request;
mod shapes;
mod thought;
mod view;
mod widget;

pub use events::{Trouble, options, replaced, tasks_changed};
pub use key::{ItemKey, read_thread};
pub use render::{Opening, Render};
pub use request::{Action, Fault, Input, OPERATIONS, Request, Span};
pub use shapes::{ItemOut, PageOut, ThreadOut};
pub use view::view;
pub use widget::{COMPLETE_TASK, LIST_TASKS, widget};
