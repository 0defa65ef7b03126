//! What the source itself promises.
