//! Parlor: a conversational backend. The map of the house; data flows from `http` inwards and comes back as events.

pub mod agent;
pub mod clock;
pub mod config;
pub mod domain;
pub mod http;
pub mod policy;
pub mod runs;
pub mod shutdown;
pub mod store;
pub mod telemetry;
pub mod tools;
pub mod wire;
