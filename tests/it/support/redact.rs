//! Makes bytes that clients see fit for a snapshot: what differs from run to run is checked for its form and replaced.

use std::fmt::Write;

use serde_json::Value;

/// Replaces ids by `<id 1>`, `<id 2>` … in the order in which they appear, times by `<time>` and durations by `<ms>`.
/// The same id gets the same number, so a snapshot shows which ids are equal.
pub fn redacted(text: &str) -> String {
    let mut ids: Vec<String> = Vec::new();
    let (mut shown, mut rest) = (String::new(), text);
    while let Some(character) = rest.chars().next() {
        if let Some(id) = rest.get(..36).filter(|id| is_id(id)) {
            let number = ids.iter().position(|known| known == id).unwrap_or_else(|| {
                ids.push(id.to_owned());
                ids.len() - 1
            });
            write!(shown, "<id {}>", number + 1).unwrap();
            rest = &rest[36..];
        } else if let Some(time) = rest.get(..27).filter(|time| fits(time, "0000-00-00T00:00:00.000000Z")) {
            assert!(chrono::DateTime::parse_from_rfc3339(time).is_ok(), "{time}");
            shown.push_str("<time>");
            rest = &rest[27..];
        } else if let Some(after) = rest.strip_prefix("\"duration_ms\":") {
            shown.push_str("\"duration_ms\":<ms>");
            let number = after.trim_start();
            rest = number.trim_start_matches(|digit: char| digit.is_ascii_digit());
            assert!(rest.len() < number.len(), "a duration is a number: {after}");
        } else {
            shown.push(character);
            rest = &rest[character.len_utf8()..];
        }
    }
    shown
}

/// Redacts JSON, written with its fields in alphabetical order.
pub fn redacted_json(value: &Value) -> String {
    redacted(&serde_json::to_string_pretty(value).unwrap())
}

/// Tells whether a text is a UUIDv7 as the contract writes it.
pub fn is_id(text: &str) -> bool {
    fits(text, "xxxxxxxx-xxxx-7xxx-xxxx-xxxxxxxxxxxx")
}

fn fits(text: &str, pattern: &str) -> bool {
    let is_lower_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.len() == pattern.len()
        && text.bytes().zip(pattern.bytes()).all(|(byte, form)| match form {
            b'x' => is_lower_hex(byte),
            b'0' => byte.is_ascii_digit(),
            exact => byte == exact,
        })
}

#[test]
fn what_differs_from_run_to_run_is_replaced_and_equal_ids_stay_equal() {
    let (one, two) = ("01a9c1e0-0000-7000-8000-000000000001", "01a9c1e0-0000-7000-8000-000000000002");
    let text = format!(r#"{one} {two} {one} é 2026-11-20T08:00:00.000001Z {{"duration_ms":12}}"#);
    assert_eq!(redacted(&text), r#"<id 1> <id 2> <id 1> é <time> {"duration_ms":<ms>}"#);
}
