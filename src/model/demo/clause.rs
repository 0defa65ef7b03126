//! Takes a message apart into clauses and phrases. Letter case never matters here and is never changed.

/// A part of a message between two separators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clause<'a> {
    /// What stands between it and the clause before, as written.
    pub(super) separator: &'a str,
    /// What it says, without spaces around.
    pub(super) text: &'a str,
}

/// The pairs of quotes that protect what is inside.
const QUOTES: [(char, char); 3] = [('"', '"'), ('“', '”'), ('«', '»')];

/// Splits a message at `,` `;` newline and the word "and", outside quotes. Empty clauses do not come out.
pub(super) fn split(message: &str) -> Vec<Clause<'_>> {
    let mut clauses = Vec::new();
    let mut end_before = 0;
    let (mut start, mut at) = (0, 0);
    loop {
        let rest = message.get(at..).unwrap_or_default();
        let separator = separator_at(rest);
        if separator.is_some() || rest.is_empty() {
            let text = message.get(start..at).unwrap_or_default();
            let begins = start + (text.len() - text.trim_start().len());
            let text = text.trim();
            if !text.is_empty() {
                let separator = message.get(end_before..begins).unwrap_or_default();
                clauses.push(Clause { separator, text });
                end_before = begins + text.len();
            }
        }
        if rest.is_empty() {
            return clauses;
        }
        at += separator.unwrap_or_else(|| quoted_length(rest));
        start = if separator.is_some() { at } else { start };
    }
}

/// Returns the length of the separator that the text begins with. The space after "and" is left, so that it
/// can be the space before another.
fn separator_at(text: &str) -> Option<usize> {
    if text.starts_with([',', ';', '\n']) {
        return Some(1);
    }
    let word = after_space(text)?;
    strip(word, "and").map(|_| text.len() - word.len() + "and".len())
}

/// Returns what follows the space that the text begins with, if it does.
fn after_space(text: &str) -> Option<&str> {
    text.strip_prefix(char::is_whitespace)
}

/// Returns the length of the quotation that the text begins with, else of its first character.
fn quoted_length(text: &str) -> usize {
    let Some(first) = text.chars().next() else {
        return 0;
    };
    let inside = text.get(first.len_utf8()..).unwrap_or_default();
    let closing = QUOTES.iter().find(|(open, _)| *open == first).map(|(_, close)| *close);
    let closed = closing.and_then(|close| inside.find(close).map(|at| at + close.len_utf8()));
    first.len_utf8() + closed.unwrap_or(0)
}

/// Takes a phrase off the beginning, if it stands there as whole words.
pub(super) fn strip<'a>(text: &'a str, phrase: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(phrase.len())?;
    let ends_word =
        !rest.starts_with(|next: char| next.is_alphanumeric() || matches!(next, '\'' | '’' | '-'));
    (ends_word && head.eq_ignore_ascii_case(phrase)).then(|| rest.trim_start_matches([' ', '\t', ':']))
}

/// Takes a phrase off the end, if it stands there as whole words.
pub(super) fn strip_end<'a>(text: &'a str, phrase: &str) -> Option<&'a str> {
    let (rest, tail) = text.split_at_checked(text.len().checked_sub(phrase.len())?)?;
    let begins_word = rest.is_empty() || rest.ends_with(char::is_whitespace);
    (begins_word && tail.eq_ignore_ascii_case(phrase)).then(|| rest.trim_end())
}

/// Takes the first of the phrases that fits off the beginning.
pub(super) fn strip_any<'a>(text: &'a str, phrases: &[&str]) -> Option<&'a str> {
    phrases.iter().find_map(|phrase| strip(text, phrase))
}

/// Takes the first of the phrases that fits off the end; returns the text as it is if none does.
pub(super) fn without_end<'a>(text: &'a str, phrases: &[&str]) -> &'a str {
    phrases.iter().find_map(|phrase| strip_end(text, phrase)).unwrap_or(text)
}

/// Splits at the first occurrence of a word, outside quotes.
pub(super) fn split_at_word<'a>(text: &'a str, word: &str) -> Option<(&'a str, &'a str)> {
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if let Some(after) = after_space(rest).and_then(|rest| strip(rest, word)) {
            return Some((text.get(..at)?.trim(), after));
        }
        at += quoted_length(rest);
    }
    None
}

/// Returns what is inside quotes, if the whole text is one quotation.
pub(super) fn unquoted(text: &str) -> Option<&str> {
    let inside = |(open, close): &(char, char)| text.strip_prefix(*open)?.strip_suffix(*close);
    QUOTES.iter().find_map(inside).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(message: &str) -> Vec<&str> {
        split(message).into_iter().map(|clause| clause.text).collect()
    }

    #[test]
    fn a_message_is_split_at_separators_outside_quotes() {
        assert_eq!(
            texts("buy milk and call mom, pay rent; sleep\nwake"),
            ["buy milk", "call mom", "pay rent", "sleep", "wake"]
        );
        assert_eq!(
            texts(r#"add "salt and pepper", “a, b” And c"#),
            [r#"add "salt and pepper""#, "“a, b”", "c"]
        );
        assert_eq!(texts("sandy android, and band"), ["sandy android", "band"]);
        assert_eq!(texts(r#"a 5" nail and glue"#), [r#"a 5" nail"#, "glue"]);
        assert_eq!(texts(" , and ;"), Vec::<&str>::new());
    }

    #[test]
    fn clauses_and_separators_together_are_the_message() {
        let message = "rename 2 to salt and pepper,  oil";
        let joined: String =
            split(message).iter().flat_map(|clause| [clause.separator, clause.text]).collect();
        assert_eq!(joined, message);
    }

    #[test]
    fn phrases_are_whole_words_in_any_case() {
        assert_eq!(strip("ADD: milk", "add"), Some("milk"));
        assert_eq!(strip("address book", "add"), None);
        assert_eq!(strip_end("the dad Task", "task"), Some("the dad"));
        assert_eq!(strip_end("multitask", "task"), None);
        assert_eq!(split_at_word(r#""a to b" TO c"#, "to"), Some((r#""a to b""#, "c")));
    }
}
