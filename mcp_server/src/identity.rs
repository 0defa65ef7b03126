//! For whom a call is made, and how a repeat of it is known. Both come from the host in `_meta`; a model can say
//! neither, because no tool has an argument for them.

use std::sync::Arc;

use serde_json::Value;
use uuid::Uuid;

/// The `_meta` key of the user.
pub const USER_KEY: &str = "dev.parlor/user-id";

/// The `_meta` key of the call key.
pub const CALL_KEY: &str = "dev.parlor/call-key";

/// The longest user id.
const USER_ID_LIMIT: usize = 128;

/// The name of a user, as the host gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserId(Arc<str>);

/// A text that cannot name a user. The text is left out: it may be a mail address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 128 letters, digits or any of ._@:|+~=- and begin with a letter or a digit")]
pub struct NoUserId;

/// The host's name for one call. A repeat under the same key has no second effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallKey(Uuid);

/// Who may call.
#[derive(Clone, Debug)]
pub enum Trust {
    /// The host is ours: the user is whom it names, call by call.
    Host,
    /// The host is a stranger, and everything belongs to one user who was named at the start.
    OneUser(UserId),
}

/// Why a call is for nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoIdentity {
    /// No user is named.
    #[error("the call names no user: the host must send `_meta` with `{USER_KEY}`")]
    Missing,
    /// What is named is no user id.
    #[error("`{USER_KEY}` in `_meta` {NoUserId}")]
    Malformed,
    /// Another user than the one this server works for.
    #[error("this server works for one user only, and the call names another")]
    Foreign,
}

impl UserId {
    /// Checks a user id.
    pub fn parse(text: &str) -> Result<Self, NoUserId> {
        let begins_well = text.starts_with(|first: char| first.is_ascii_alphanumeric());
        let is_clean = text.chars().all(|c| c.is_ascii_alphanumeric() || "._@:|+~=-".contains(c));
        if begins_well && is_clean && text.len() <= USER_ID_LIMIT {
            Ok(Self(text.into()))
        } else {
            Err(NoUserId)
        }
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl CallKey {
    /// Reads a call key; `None` if it is no UUID.
    pub fn parse(text: &str) -> Option<Self> {
        Uuid::try_parse(text).ok().map(Self)
    }

    /// Returns the key as it is stored: lower case with hyphens, however it was sent.
    pub fn text(self) -> String {
        self.0.hyphenated().to_string()
    }
}

impl Trust {
    /// Decides for whom a call is made, by the user that its `_meta` names.
    pub fn user(&self, named: Option<&Value>) -> Result<UserId, NoIdentity> {
        let named = match named {
            None => None,
            Some(Value::String(text)) => Some(UserId::parse(text).map_err(|NoUserId| NoIdentity::Malformed)?),
            Some(_) => return Err(NoIdentity::Malformed),
        };
        match (self, named) {
            (Self::Host, None) => Err(NoIdentity::Missing),
            (Self::Host, Some(user)) => Ok(user),
            (Self::OneUser(user), None) => Ok(user.clone()),
            (Self::OneUser(user), Some(named)) if named == *user => Ok(named),
            (Self::OneUser(_), Some(_)) => Err(NoIdentity::Foreign),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_user_id_is_what_identity_providers_hand_out_and_nothing_else() {
        for text in ["local", "auth0|5f", "ada@example.org", "a", &"x".repeat(128), "0f:+~=-_."] {
            assert!(UserId::parse(text).is_ok(), "{text}");
        }
        for text in ["", "-ada", ".", "a b", "a/b", "a\n", "\u{e4}da", &"x".repeat(129)] {
            assert_eq!(UserId::parse(text), Err(NoUserId), "{text:?}");
        }
    }

    #[test]
    fn our_host_must_name_a_user_in_every_call() {
        assert_eq!(Trust::Host.user(None), Err(NoIdentity::Missing));
        assert_eq!(Trust::Host.user(Some(&json!(7))), Err(NoIdentity::Malformed));
        assert_eq!(Trust::Host.user(Some(&json!(""))), Err(NoIdentity::Malformed));
        assert_eq!(Trust::Host.user(Some(&json!("ada"))).unwrap().as_str(), "ada");
    }

    #[test]
    fn a_server_for_one_user_refuses_every_other_name() {
        let ada = Trust::OneUser(UserId::parse("ada").unwrap());
        assert_eq!(ada.user(None).unwrap().as_str(), "ada");
        assert_eq!(ada.user(Some(&json!("ada"))).unwrap().as_str(), "ada");
        assert_eq!(ada.user(Some(&json!("bob"))), Err(NoIdentity::Foreign));
    }
}
