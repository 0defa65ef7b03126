//! The routes, one file per resource.

mod agent;
mod auth;
mod chat;
mod conversations;
mod health;
mod messages;
mod openapi;
mod problems;
mod runs;
mod tasks;
