//! Tags of what seldom changes, so that a client that has it already is not sent it again (RFC 9110, 8.8.3 and 13.1.2).

use axum::http::{HeaderMap, header};
use sha2::{Digest, Sha256};

/// Makes the tag of some bytes: other bytes have another one.
pub(super) fn tag_of(bytes: &[u8]) -> String {
    let tag: String = Sha256::digest(bytes).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{tag}\"")
}

/// Tells whether the client has already what carries this tag.
pub(super) fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let sent = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = sent.flat_map(|value| value.split(',')).map(str::trim);
    tags.any(|known| known == "*" || known.trim_start_matches("W/") == tag)
}
