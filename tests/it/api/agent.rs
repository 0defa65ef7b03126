//! What a turn does, as it is seen from outside.

mod ends;
mod failures;
mod limits;
mod tools;
