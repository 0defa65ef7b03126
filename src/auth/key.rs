//! A key and the one algorithm it is for. The algorithm belongs to the key: a token that names another one is refused,
//! so a public key is never taken for a shared secret.

use jsonwebtoken::{DecodingKey, crypto};

use super::{refusal::Refusal, token::Token};

/// How a token may be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Hs256,
    EdDsa,
    Es256,
    Rs256,
}

/// A key with its algorithm.
#[derive(Clone)]
pub(super) struct Key {
    algorithm: Algorithm,
    decoding: DecodingKey,
}

impl Algorithm {
    const ALL: [Self; 4] = [Self::Hs256, Self::EdDsa, Self::Es256, Self::Rs256];

    /// Returns the name that tokens and keys use.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }

    /// Finds an algorithm by its exact name.
    pub(super) fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }
}

impl From<Algorithm> for jsonwebtoken::Algorithm {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Hs256 => Self::HS256,
            Algorithm::EdDsa => Self::EdDSA,
            Algorithm::Es256 => Self::ES256,
            Algorithm::Rs256 => Self::RS256,
        }
    }
}

impl Key {
    /// Makes the key of a shared secret.
    pub(super) fn shared(secret: &str) -> Self {
        Self { algorithm: Algorithm::Hs256, decoding: DecodingKey::from_secret(secret.as_bytes()) }
    }

    /// Joins a public key to the algorithm that its kind is for.
    pub(super) fn public(algorithm: Algorithm, decoding: DecodingKey) -> Self {
        Self { algorithm, decoding }
    }

    /// Returns the algorithm.
    pub(super) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Checks that the token names this key's algorithm and is signed by this key.
    pub(super) fn check(&self, token: &Token<'_>) -> Result<(), Refusal> {
        if token.header.algorithm != self.algorithm {
            return Err(Refusal::Algorithm);
        }
        let message = token.message.as_bytes();
        match crypto::verify(token.signature, message, &self.decoding, self.algorithm.into()) {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(Refusal::Signature),
        }
    }
}
