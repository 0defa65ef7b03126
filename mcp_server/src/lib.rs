//! The task-management MCP server: six tools over stdio, tasks per user, effects that happen once.
//!
//! A library, so that the service can run it as `parlor mcp-server`; the binary beside it is for other hosts.
//! The map: `tools` says what a model sees and reads what it sends, `identity` for whom, `task` what a change means,
//! `store` makes it last, `server` joins these behind the protocol, `stdio` runs it as a process.

pub mod identity;
mod invalid;
mod opening;
mod server;
pub mod settings;
mod stdio;
pub mod store;
pub mod task;
mod tools;

pub use invalid::Invalid;
pub use settings::{Mode, Settings};
pub use stdio::{ServeError, serve_stdio};
pub use store::migrations;
