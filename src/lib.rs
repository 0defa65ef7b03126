//! Parlor: a conversational backend. The map of the house; data flows from `http` inwards and comes back as events.

pub mod domain;
pub mod model;
