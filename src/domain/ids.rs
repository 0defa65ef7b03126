//! Identifiers, one type each, so that a run can never be looked up by a message.
//!
//! All but [`EventId`] are UUIDv7: they sort by the time they were made, which the pages rely on.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A text is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a UUID, lower case with hyphens")]
pub struct IdError;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        #[expect(clippy::new_without_default, reason = "every call makes another id; a default would hide that")]
        impl $name {
            /// Makes a fresh id, later in order than all that this process made before.
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// Returns the bare UUID, for storage.
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            /// Accepts the hyphenated form in lower case only; other spellings of a UUID are not ids of ours.
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
                    return Err(IdError);
                }
                text.parse::<uuid::fmt::Hyphenated>().map(|id| Self(id.into_uuid())).map_err(|_| IdError)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }
    };
}

uuid_id! {
    /// A conversation of one user.
    ConversationId
}
uuid_id! {
    /// One turn of the agent: from an accepted user message to its final state.
    RunId
}
uuid_id! {
    /// An item of the history; the `message_id` that clients see.
    ItemId
}
uuid_id! {
    /// A tool call: its public id, its approval's id and its call key, all one.
    CallId
}

/// The place of an event in its run. Clients compare ids; they do not count them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventId(i64);

impl EventId {
    /// The id that stands before every event: a reader who has seen nothing.
    pub const NONE: Self = Self(0);

    /// How far apart the ids of two attempts of a run begin.
    const ATTEMPT_STRIDE: i64 = 10_000_000;

    /// Returns the first id of an attempt; attempts count from 1.
    pub const fn first_of(attempt: i32) -> Self {
        Self((attempt as i64 - 1) * Self::ATTEMPT_STRIDE + 1)
    }

    /// Returns the id that follows.
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// Returns the id that lies `steps` further on.
    pub const fn plus(self, steps: i64) -> Self {
        Self(self.0 + steps)
    }

    /// Returns the plain number.
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl From<i64> for EventId {
    fn from(number: i64) -> Self {
        Self(number)
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_attempt_starts_above_everything_an_earlier_one_said() {
        assert_eq!(EventId::first_of(1), EventId(1));
        assert_eq!(EventId::first_of(2), EventId(10_000_001));
    }

    #[test]
    fn ids_are_ordered_by_the_time_they_were_made() {
        let made: Vec<RunId> = (0..1_000).map(|_| RunId::new()).collect();
        assert!(made.is_sorted());
    }

    #[test]
    fn another_spelling_of_an_id_is_not_one_of_ours() {
        assert!("0190a5b47e3c7cc0a1b2c3d4e5f60718".parse::<RunId>().is_err());
        assert!("0190A5B4-7E3C-7CC0-A1B2-C3D4E5F60718".parse::<RunId>().is_err());
        assert!("0190a5b4-7e3c-7cc0-a1b2-c3d4e5f60718".parse::<RunId>().is_ok());
    }
}
