//! Authentication: from a bearer token to the user it speaks for. Nothing of a token is believed before its signature
//! is, and no algorithm is chosen by the token.
//!
//! `token` takes a token apart, `key` and `key_set` hold what signatures are checked with, `published` keeps the keys
//! of an identity provider, `claims` judges what a signed token says. Deciding is pure; `fetch` is all that goes out.

mod claims;
mod fetch;
mod issue;
mod key;
mod key_set;
mod published;
mod refusal;
mod schedule;
#[cfg(test)]
mod tests;
mod token;

use std::sync::Arc;

use secrecy::ExposeSecret;

pub use fetch::{FetchError, count_keys};
pub use issue::{IssueError, issue};
pub use refusal::Refusal;

use crate::{
    clock::Clock,
    config::{AuthMode, Jwt, JwtKeys},
    domain::Principal,
};
use claims::{Claims, Expected};
use fetch::Fetcher;
use key::Key;
use published::Published;
use token::Token;

/// How the service knows who asks. Cloning is cheap.
#[derive(Clone)]
pub enum Auth {
    /// Not at all: the path says who asks.
    None,
    /// By the token that comes with each request.
    Tokens(Arc<Verifier>),
}

/// Why authentication cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// There is no way to ask for keys.
    #[error("no HTTP client for JWKS_URL can be made")]
    NoHttpClient(#[source] reqwest::Error),
}

/// Checks tokens.
pub struct Verifier {
    keys: Keys,
    expected: Expected,
    clock: Clock,
}

/// Where the keys come from.
enum Keys {
    /// One secret, shared with whoever makes the tokens.
    Shared(Key),
    /// The public keys of an identity provider.
    Published(Published),
}

impl Auth {
    /// Sets authentication up. The keys of an identity provider are asked for once; when it does not answer the
    /// service starts all the same and refuses every token until it does.
    ///
    /// # Errors
    /// Only when no HTTP client can be made.
    pub async fn start(mode: &AuthMode, clock: Clock) -> Result<Self, AuthError> {
        let settings = match mode {
            AuthMode::None => return Ok(Self::None),
            AuthMode::Jwt(settings) => settings,
        };
        let keys = match &settings.keys {
            JwtKeys::Secret(secret) => Keys::Shared(Key::shared(secret.expose_secret())),
            JwtKeys::Url(url) => {
                let fetcher = Fetcher::new(url.clone()).map_err(AuthError::NoHttpClient)?;
                let published = Published::new(fetcher, clock.clone());
                published.fetch_if_due().await;
                Keys::Published(published)
            }
        };
        Ok(Self::Tokens(Arc::new(Verifier { keys, expected: Expected::from(settings), clock })))
    }

    /// Asks for the keys again from time to time, for ever; comes back at once where there are none to ask for.
    /// Until somebody waits for this, no key that is new is found.
    pub async fn keep_fresh(self) {
        match self {
            Self::None => {}
            Self::Tokens(verifier) => match &verifier.keys {
                Keys::Shared(_) => {}
                Keys::Published(published) => published.keep_fresh().await,
            },
        }
    }
}

impl Verifier {
    /// Returns whom a token speaks for, and until when.
    ///
    /// # Errors
    /// Why it does not, for the log. A caller is told no more than that.
    pub async fn verify(&self, token: &str) -> Result<Principal, Refusal> {
        let token = Token::parse(token)?;
        let key = match &self.keys {
            Keys::Shared(key) => key.clone(),
            Keys::Published(published) => published.find(&token.header).await?,
        };
        key.check(&token)?;
        Claims::parse(&token.payload)?.principal(&self.expected, self.clock.now())
    }
}

impl From<&Jwt> for Expected {
    fn from(settings: &Jwt) -> Self {
        Self { issuer: settings.issuer.clone(), audience: settings.audience.clone() }
    }
}
