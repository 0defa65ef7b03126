//! Parlor: a conversational backend. The map of the house.
//!
//! A request enters by `http`, which asks `runs` to start or follow a turn. `runs` makes it durable in `store` and
//! hands it to `agent`, which asks a `model`, uses `tools`, and writes every step down through a scribe. What happened
//! comes back as events, and `wire` turns them into the bytes of each format. `domain` holds the words that all of them
//! speak; `app` builds the house.

pub mod agent;
pub mod app;
pub mod auth;
pub mod cli;
pub mod clock;
pub mod config;
pub mod desks;
pub mod domain;
pub mod http;
pub mod model;
pub mod policy;
pub mod runs;
pub mod shutdown;
pub mod store;
pub mod telemetry;
pub mod tools;
pub mod wire;
