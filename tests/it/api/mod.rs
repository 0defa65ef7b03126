//! The routes, one file per resource.

mod agent;
mod chat;
mod conversations;
mod messages;
mod runs;
