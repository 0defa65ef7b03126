//! The task server from the outside: its store on both databases, its tools, and the real process over real pipes.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may"
)]

mod catalog;
mod ledger;
mod process;
mod selectors;
mod shop;
mod store;
mod tools;
mod wire;
