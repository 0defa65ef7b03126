//! Limits on text that a model or a tool produces, and the two ways of bringing text within them.

/// The most text one message of the model may hold, in bytes.
pub const MESSAGE_LIMIT: usize = 1024 * 1024;

/// The most a stored tool result may hold, in bytes.
pub const RESULT_LIMIT: usize = 64 * 1024;

/// Returns the longest prefix of at most `limit` bytes that ends between two characters.
pub fn cut_at(text: &str, limit: usize) -> &str {
    text.get(..text.floor_char_boundary(limit)).unwrap_or(text)
}

/// Replaces NUL, which Postgres cannot store, by U+FFFD.
pub fn without_nul(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_never_splits_a_character() {
        assert_eq!(cut_at("añb", 2), "a");
        assert_eq!(cut_at("añb", 3), "añ");
        assert_eq!(cut_at("añb", 99), "añb");
    }

    #[test]
    fn nul_becomes_the_replacement_character() {
        assert_eq!(without_nul("a\0b".into()), "a\u{fffd}b");
    }
}
