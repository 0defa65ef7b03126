//! The API's description of itself: complete, current, and true of what the service answers.

mod answers;
mod bodies;
mod document;
mod page;
