//! The routes, one file per resource.

mod chat;
