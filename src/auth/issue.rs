//! Makes a token of the shared secret, for trying the service without an identity provider.

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{EncodingKey, Header};
use secrecy::ExposeSecret;
use serde::Serialize;

use crate::{
    config::{Jwt, JwtKeys},
    domain::UserId,
};

/// Why no token can be made.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// Its key is somebody else's.
    #[error("JWKS_URL: tokens come from the identity provider; only those of JWT_SECRET can be made here")]
    NotOurKey,
    /// It cannot be signed.
    #[error("the token cannot be signed")]
    Signing(#[source] jsonwebtoken::errors::Error),
}

#[derive(Serialize)]
struct ClaimsOut<'a> {
    sub: &'a UserId,
    iat: i64,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
}

/// Makes a token that this configuration accepts from now on for the given time.
///
/// # Errors
/// When the configuration holds no secret to sign with.
pub fn issue(
    settings: &Jwt,
    user: &UserId,
    now: DateTime<Utc>,
    lasting: TimeDelta,
) -> Result<String, IssueError> {
    let secret = match &settings.keys {
        JwtKeys::Secret(secret) => secret.expose_secret(),
        JwtKeys::Url(_) => return Err(IssueError::NotOurKey),
    };
    let claims = ClaimsOut {
        sub: user,
        iat: now.timestamp(),
        exp: now.timestamp().saturating_add(lasting.num_seconds()),
        iss: settings.issuer.as_deref(),
        aud: settings.audience.as_deref(),
    };
    let key = EncodingKey::from_secret(secret.as_bytes());
    jsonwebtoken::encode(&Header::default(), &claims, &key).map_err(IssueError::Signing)
}
