//! The tests that see the service from outside. The tree of `api` mirrors the URLs; `flows` are stories with real
//! processes; `house` looks at the source itself.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "a test fails by panicking, and what it needs is found by name"
)]

mod api;
mod flows;
mod house;
mod support;
