//! Limits on text that a model or a tool produces, and the ways of bringing text within them.

use std::{
    borrow::Cow,
    io::{self, Write},
};

use serde::Serialize;

/// The most text one message of the model may hold, in bytes.
pub const MESSAGE_LIMIT: usize = 1024 * 1024;

/// The most a stored tool result may hold, in bytes.
pub const RESULT_LIMIT: usize = 64 * 1024;

/// The most of a tool result that the model reads, in bytes.
pub const SHOWN_RESULT_LIMIT: usize = 8 * 1024;

/// Returns the longest prefix of at most `limit` bytes that ends between two characters.
pub fn cut_at(text: &str, limit: usize) -> &str {
    text.get(..text.floor_char_boundary(limit)).unwrap_or(text)
}

/// Shortens a text to at most `limit` bytes: its head and its tail stay, and between them a marker says how much is left
/// out. The marker stays however small the limit is. The same text and limit give the same bytes.
pub fn shortened(text: &str, limit: usize) -> Cow<'_, str> {
    let all = text.len();
    if all <= limit {
        return Cow::Borrowed(text);
    }
    let marker = |left_out: usize| format!("\n[cut: {left_out} of {all} bytes are left out here]\n");
    let kept = limit.saturating_sub(marker(all).len());
    let head = cut_at(text, kept - kept / 3);
    let tail = text.get(text.ceil_char_boundary(all - kept / 3)..).unwrap_or_default();
    Cow::Owned([head, &marker(all - head.len() - tail.len()), tail].concat())
}

/// Replaces NUL, which Postgres cannot store, by U+FFFD.
pub fn without_nul(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

/// Counts the bytes that something has as JSON, without writing them anywhere. What cannot be written counts as far as it
/// can be.
pub fn json_length(value: &impl Serialize) -> usize {
    let mut count = Count(0);
    drop(serde_json::to_writer(&mut count, value));
    count.0
}

/// Counts what is written to it.
struct Count(usize);

impl Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_cut_never_splits_a_character() {
        assert_eq!(cut_at("añb", 2), "a");
        assert_eq!(cut_at("añb", 3), "añ");
        assert_eq!(cut_at("añb", 99), "añb");
    }

    #[test]
    fn a_shortened_text_keeps_its_head_and_its_tail_and_says_what_is_missing() {
        let text = format!("head{}tail", "ñ".repeat(500));
        let short = shortened(&text, 100);
        let (head, tail) = ("head".to_owned() + &"ñ".repeat(16), "ñ".repeat(7) + "tail");
        assert_eq!(short, format!("{head}\n[cut: 954 of 1008 bytes are left out here]\n{tail}"));
        assert!(short.len() <= 100);
        assert_eq!(shortened(&text, 0), "\n[cut: 1008 of 1008 bytes are left out here]\n");
        assert_eq!(shortened(&text, text.len()), text);
    }

    #[test]
    fn nul_becomes_the_replacement_character() {
        assert_eq!(without_nul("a\0b".into()), "a\u{fffd}b");
    }

    #[test]
    fn json_is_as_long_as_its_text() {
        for value in [json!(null), json!(-1.5e300), json!({"a": ["ñ\"\n\u{1}", {"b": 1}], "c": true})] {
            assert_eq!(json_length(&value), value.to_string().len(), "{value}");
        }
    }
}
