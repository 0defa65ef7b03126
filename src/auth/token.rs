//! Takes a token apart: three parts of base64url, a header that asks for nothing of its own, a payload that nobody has
//! looked at yet.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{key::Algorithm, refusal::Refusal};

/// The longest token, in bytes. Better Auth puts a whole user into one; that is some hundred bytes.
const LONGEST: usize = 8 * 1024;

/// Headers by which a token would bring its own key, or rules that a verifier must know.
const REFUSED: [&str; 4] = ["jku", "x5u", "jwk", "crit"];

/// The types that are tokens for us.
const TYPES: [&str; 2] = ["jwt", "at+jwt"];

/// A token in its parts. Nothing of it is believed.
#[derive(Debug)]
pub(super) struct Token<'a> {
    pub header: Header,
    /// The claims, decoded; to be read after the signature has been checked.
    pub payload: Vec<u8>,
    /// What is signed.
    pub message: &'a str,
    /// The signature as it stands in the token.
    pub signature: &'a str,
}

/// What a header says that matters.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub algorithm: Algorithm,
    /// The name of the key.
    pub key: Option<String>,
}

#[derive(Deserialize)]
struct HeaderIn {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

impl<'a> Token<'a> {
    /// Takes a token apart and checks its header.
    pub(super) fn parse(text: &'a str) -> Result<Self, Refusal> {
        if text.len() > LONGEST {
            return Err(Refusal::TooLong);
        }
        let shape = Refusal::Malformed("it has not three parts");
        let (message, signature) = text.rsplit_once('.').ok_or(shape)?;
        let (header, payload) = message.split_once('.').ok_or(shape)?;
        if payload.contains('.') {
            return Err(shape);
        }
        let header = decode(header, Refusal::Malformed("its header is not base64url"))?;
        let payload = decode(payload, Refusal::Malformed("its payload is not base64url"))?;
        decode(signature, Refusal::Malformed("its signature is not base64url"))?;
        Ok(Self { header: Header::parse(&header)?, payload, message, signature })
    }
}

impl Header {
    fn parse(json: &[u8]) -> Result<Self, Refusal> {
        let header: HeaderIn = serde_json::from_slice(json)
            .map_err(|_| Refusal::Malformed("its header is not one of a token"))?;
        if let Some(name) = REFUSED.into_iter().find(|name| header.rest.contains_key(*name)) {
            return Err(Refusal::Header(name));
        }
        if header.typ.is_some_and(|kind| !TYPES.contains(&kind.to_ascii_lowercase().as_str())) {
            return Err(Refusal::Type);
        }
        let algorithm = Algorithm::find(&header.alg).ok_or(Refusal::Algorithm)?;
        Ok(Self { algorithm, key: header.kid })
    }
}

fn decode(part: &str, otherwise: Refusal) -> Result<Vec<u8>, Refusal> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| otherwise)
}
