//! The files of the model room that the reader is made of, as they lie in the service: nothing has to be opened
//! there for the fuzzer, and nothing but them and the domain has to be built.

#[path = "chat_completions.rs"]
pub mod chat_completions;
#[path = "../../src/model/estimate.rs"]
mod estimate;
#[path = "../../src/model/providers/mod.rs"]
pub mod providers;

pub use providers::Provider;
