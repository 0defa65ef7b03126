//! The tool servers: child processes that speak MCP over stdio, supervised, behind one list of tools.
//!
//! One process per server serves all users; who a call is for travels in its `_meta`, which the model never sees.

mod call;
mod hub;
mod lines;
mod probe;
mod server;
mod transport;

pub use hub::Hub;
pub use probe::probe;
pub use server::{ServerSettings, ToolServer};
pub use transport::ServerCommand;
