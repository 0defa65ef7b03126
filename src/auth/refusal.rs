//! Why a token is refused. The reasons are for the log: they name the rule that was broken and nothing of the token,
//! for a token is a key and its claims are about a person.

/// Why nobody is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nothing was sent.
    #[error("no token was sent")]
    NoToken,
    /// Something else than `Bearer`, or more than one.
    #[error("the Authorization header is not one Bearer token")]
    OtherScheme,
    /// Longer than any honest token.
    #[error("the token is too long")]
    TooLong,
    /// Not three parts of base64url, or no JSON object in a part.
    #[error("the token is malformed: {0}")]
    Malformed(&'static str),
    /// A header that would let a token bring its own key, or rules that we do not know.
    #[error("the token has the header `{0}`")]
    Header(&'static str),
    /// Another kind of token.
    #[error("the token is of another type than JWT")]
    Type,
    /// An algorithm that its key is not for, or none at all.
    #[error("the token's algorithm is not the one of the key")]
    Algorithm,
    /// A key that is not in the set.
    #[error("the token's key is not known")]
    UnknownKey,
    /// No key is named, and it is not plain which one is meant.
    #[error("the token names no key and there is not exactly one of its kind")]
    UnnamedKey,
    /// Not signed by the key.
    #[error("the signature is wrong")]
    Signature,
    /// A claim that must be there is not.
    #[error("the claim `{0}` is missing")]
    Missing(&'static str),
    /// A claim of the wrong shape.
    #[error("the claim `{0}` is malformed")]
    Claim(&'static str),
    /// Over.
    #[error("the token has expired")]
    Expired,
    /// Not begun.
    #[error("the token is not valid yet")]
    NotYet,
    /// From somebody else.
    #[error("the issuer is another one")]
    Issuer,
    /// For somebody else.
    #[error("the audience is another one")]
    Audience,
}
