//! The files of the model room that are measured, as they lie in the service: they are no part of the library's face.

#[path = "chat_completions.rs"]
pub mod chat_completions;
#[path = "../../src/model/estimate.rs"]
mod estimate;
#[path = "../../src/model/providers/mod.rs"]
pub mod providers;

pub use providers::Provider;
