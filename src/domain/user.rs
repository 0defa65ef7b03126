//! Who asks. The user id is opaque text from an identity provider; it never passes through the model.

use std::{fmt, sync::Arc};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The longest accepted user id, in bytes.
const LONGEST: usize = 128;

/// A user id: `[A-Za-z0-9][A-Za-z0-9._@:|+~=-]{0,127}`, as the contract has it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserId(Arc<str>);

/// Why a text is not a user id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 128 of A-Z a-z 0-9 . _ @ : | + ~ = - and start with a letter or digit")]
pub struct UserIdError;

impl UserId {
    /// Checks a text and makes it a user id.
    pub fn parse(text: &str) -> Result<Self, UserIdError> {
        let mut bytes = text.bytes();
        let starts_well = bytes.next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        let goes_on_well = bytes.all(|byte| byte.is_ascii_alphanumeric() || b"._@:|+~=-".contains(&byte));
        if starts_well && goes_on_well && text.len() <= LONGEST {
            Ok(Self(text.into()))
        } else {
            Err(UserIdError)
        }
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for UserId {
    type Error = UserIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<UserId> for String {
    fn from(user: UserId) -> Self {
        user.0.as_ref().into()
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The authenticated party on whose behalf something is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The user whose data may be touched.
    pub user: UserId,
    /// Until when that is proven; for ever where nothing is asked for.
    pub expires_at: Option<DateTime<Utc>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_the_usual_identity_providers_are_accepted() {
        for id in
            ["local", "auth0|65f", "ada@example.org", "X7k2".repeat(8).as_str(), "a".repeat(128).as_str()]
        {
            assert!(UserId::parse(id).is_ok(), "{id}");
        }
    }

    #[test]
    fn ids_that_could_be_mistaken_for_something_else_are_refused() {
        for id in ["", "-a", ".", "a b", "a/b", "ä", "a\0", "a\u{202e}b", "a".repeat(129).as_str()] {
            assert!(UserId::parse(id).is_err(), "{id:?}");
        }
    }
}
