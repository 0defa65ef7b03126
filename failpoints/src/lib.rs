//! Places where a test may hold a program, so that it can be killed, cut off or frozen at exactly that moment.
//!
//! A program that is shipped holds none: without the feature `armed` a point is not even a word in the binary.

#[cfg(feature = "armed")]
mod armed;

#[cfg(feature = "armed")]
pub use armed::{VARIABLE, arm, reached};

/// Marks a point in asynchronous code. Built for the matrix it tells the test that the point was reached and waits until
/// the test lets go; otherwise there is nothing.
#[cfg(feature = "armed")]
#[macro_export]
macro_rules! failpoint {
    ($name:literal) => {
        $crate::reached($name).await
    };
}

/// Marks a point in asynchronous code. Built for the matrix it tells the test that the point was reached and waits until
/// the test lets go; otherwise there is nothing.
#[cfg(not(feature = "armed"))]
#[macro_export]
macro_rules! failpoint {
    ($name:literal) => {};
}
