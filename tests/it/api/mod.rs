//! The routes, one file per resource.

mod agent;
mod auth;
mod bounds;
mod chat;
mod chatkit;
mod conversations;
mod health;
mod injection;
mod messages;
mod openapi;
mod overload;
mod page;
mod problems;
mod runs;
mod tasks;
