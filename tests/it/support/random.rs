//! Numbers that look random and come from a seed, which is printed, so that a failure can be played again.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
};

/// A small generator of numbers.
pub struct Random(pub u64);

impl Random {
    /// Begins at the seed that a variable gives, or anywhere.
    pub fn seeded(variable: &str) -> Self {
        let given = std::env::var(variable).ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(|| RandomState::new().build_hasher().finish() >> 32 | 1);
        eprintln!("{variable}={seed}");
        Self(seed)
    }

    /// Returns a number below `limit` (xorshift64*).
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % limit
    }
}
