//! Gives memory that is free back to the system.
//!
//! The allocator of glibc keeps the pages of what was freed for the next allocations, wherever they lie below something that
//! lives; after a rush that is most of what the process takes. It gives them back when it is told to, and only a call that
//! Rust counts as unsafe can tell it. That call is all that this package is for.

/// Gives every whole page that is free back to the system and tells whether there was one. Blocks: some milliseconds for
/// a hundred megabytes, and threads that allocate meanwhile may wait. Does nothing with another C library than glibc.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "nothing safe gives memory back")]
pub fn give_back() -> bool {
    // SAFETY: `malloc_trim` has no precondition, may be called from any thread at any time, and touches only what is free.
    unsafe { libc::malloc_trim(0) == 1 }
}

/// Gives every whole page that is free back to the system and tells whether there was one. Blocks: some milliseconds for
/// a hundred megabytes, and threads that allocate meanwhile may wait. Does nothing with another C library than glibc.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn give_back() -> bool {
    false
}
