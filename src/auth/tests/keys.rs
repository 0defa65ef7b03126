//! Keys of an identity provider, made on the spot, and tokens signed with them in whatever shape a test wants.

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::{KeySize, PublicKeyComponents},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
    },
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::{Value, json};

/// The secret that is shared.
pub(super) const SECRET: &str = "a-secret-that-is-long-enough-for-it";

/// Somebody who signs tokens.
pub(super) enum Signer {
    Secret(String),
    Ed25519(String, Ed25519KeyPair),
    P256(String, EcdsaKeyPair),
    Rsa(String, RsaKeyPair),
}

/// Encodes bytes as tokens do.
pub(super) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Signer {
    pub(super) fn secret() -> Self {
        Self::of_secret(SECRET)
    }

    pub(super) fn of_secret(secret: &str) -> Self {
        Self::Secret(secret.into())
    }

    pub(super) fn ed25519(name: &str) -> Self {
        Self::Ed25519(name.into(), Ed25519KeyPair::generate().unwrap())
    }

    pub(super) fn p256(name: &str) -> Self {
        Self::P256(name.into(), EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    pub(super) fn rsa(name: &str) -> Self {
        Self::Rsa(name.into(), RsaKeyPair::generate(KeySize::Rsa2048).unwrap())
    }

    pub(super) fn algorithm(&self) -> &'static str {
        match self {
            Self::Secret(_) => "HS256",
            Self::Ed25519(..) => "EdDSA",
            Self::P256(..) => "ES256",
            Self::Rsa(..) => "RS256",
        }
    }

    /// Returns the public key as identity providers publish it.
    pub(super) fn public_key(&self) -> Value {
        match self {
            Self::Secret(secret) => json!({"kty": "oct", "k": encode(secret), "kid": "secret"}),
            Self::Ed25519(name, key) => {
                let x = encode(key.public_key());
                json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": name, "alg": "EdDSA"})
            }
            Self::P256(name, key) => {
                let (x, y) = key.public_key().as_ref()[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y), "kid": name, "use": "sig"})
            }
            Self::Rsa(name, key) => {
                let public: PublicKeyComponents<Vec<u8>> = key.public_key().into();
                json!({"kty": "RSA", "n": encode(public.n), "e": encode(public.e), "kid": name})
            }
        }
    }

    /// Makes a good token.
    pub(super) fn sign(&self, claims: &Value) -> String {
        let mut header = json!({"alg": self.algorithm(), "typ": "JWT"});
        match self {
            Self::Secret(_) => {}
            Self::Ed25519(name, _) | Self::P256(name, _) | Self::Rsa(name, _) => header["kid"] = json!(name),
        }
        self.sign_with(header, claims)
    }

    /// Makes a token with another header.
    #[expect(clippy::needless_pass_by_value, reason = "a test writes it on the spot")]
    pub(super) fn sign_with(&self, header: Value, claims: &Value) -> String {
        self.sign_text(&header.to_string(), &claims.to_string())
    }

    /// Makes a token of what need not even be JSON.
    pub(super) fn sign_text(&self, header: &str, claims: &str) -> String {
        let message = format!("{}.{}", encode(header), encode(claims));
        format!("{message}.{}", self.signature(message.as_bytes()))
    }

    fn signature(&self, message: &[u8]) -> String {
        let random = SystemRandom::new();
        match self {
            Self::Secret(secret) => {
                crypto::sign(message, &EncodingKey::from_secret(secret.as_bytes()), Algorithm::HS256).unwrap()
            }
            Self::Ed25519(_, key) => encode(key.sign(message)),
            Self::P256(_, key) => encode(key.sign(&random, message).unwrap()),
            Self::Rsa(_, key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).unwrap();
                encode(signature)
            }
        }
    }
}
