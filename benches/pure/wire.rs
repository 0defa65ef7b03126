//! The files of the native format, as they lie in the service.

#[path = "../../src/wire/data.rs"]
mod data;
#[path = "../../src/wire/native.rs"]
pub mod native;
#[path = "../../src/wire/shapes.rs"]
mod shapes;
#[path = "../../src/wire/words.rs"]
mod words;
