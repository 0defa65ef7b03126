//! The keys that an identity provider publishes (RFC 7517). A key that we cannot use is left out, not an error: a set
//! may hold keys for others.

use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use serde_json::Value;

use super::{
    key::{Algorithm, Key},
    refusal::Refusal,
    token::Header,
};

/// The public keys that are in force.
#[derive(Default)]
pub(super) struct KeySet(Vec<(Option<String>, Key)>);

#[derive(Deserialize)]
struct KeySetIn {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct KeyIn {
    kty: String,
    crv: Option<String>,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

impl KeySet {
    /// Reads a set.
    pub(super) fn parse(json: &[u8]) -> Result<Self, serde_json::Error> {
        let set: KeySetIn = serde_json::from_slice(json)?;
        let keys = set.keys.into_iter().filter_map(|key| serde_json::from_value::<KeyIn>(key).ok());
        Ok(Self(keys.filter_map(|key| Some((key.kid.clone(), key.usable()?))).collect()))
    }

    /// Returns how many keys there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Finds the key that a token names; the only one of its algorithm where it names none.
    pub(super) fn find(&self, header: &Header) -> Result<Key, Refusal> {
        let Some(name) = header.key.as_deref() else {
            return self.find_unnamed(header.algorithm);
        };
        let mut named = self.0.iter().filter(|(known, _)| known.as_deref() == Some(name)).peekable();
        if named.peek().is_none() {
            return Err(Refusal::UnknownKey);
        }
        let fitting = named.find(|(_, key)| key.algorithm() == header.algorithm);
        fitting.map(|(_, key)| key.clone()).ok_or(Refusal::Algorithm)
    }

    fn find_unnamed(&self, algorithm: Algorithm) -> Result<Key, Refusal> {
        let mut fitting = self.0.iter().filter(|(_, key)| key.algorithm() == algorithm);
        match (fitting.next(), fitting.next()) {
            (Some((_, key)), None) => Ok(key.clone()),
            (Some(_), Some(_)) | (None, _) => Err(Refusal::UnnamedKey),
        }
    }
}

impl KeyIn {
    /// Makes the key, if it is for signatures and of a kind that we take. Its kind says the algorithm; an `alg` that
    /// says otherwise makes it useless.
    fn usable(&self) -> Option<Key> {
        if self.purpose.as_deref().is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        let (algorithm, decoding) = match (self.kty.as_str(), self.crv.as_deref()) {
            ("OKP", Some("Ed25519")) => {
                (Algorithm::EdDsa, DecodingKey::from_ed_components(self.x.as_deref()?))
            }
            ("EC", Some("P-256")) => {
                (Algorithm::Es256, DecodingKey::from_ec_components(self.x.as_deref()?, self.y.as_deref()?))
            }
            ("RSA", None) => {
                (Algorithm::Rs256, DecodingKey::from_rsa_components(self.n.as_deref()?, self.e.as_deref()?))
            }
            _ => return None,
        };
        if self.alg.as_deref().is_some_and(|named| named != algorithm.name()) {
            return None;
        }
        Some(Key::public(algorithm, decoding.ok()?))
    }
}
