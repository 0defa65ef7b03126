//! The routes, one file per resource.

mod agent;
mod auth;
mod bounds;
mod chat;
mod conversations;
mod health;
mod injection;
mod messages;
mod openapi;
mod problems;
mod runs;
mod tasks;
