//! Makes text of a model, a tool or a service harmless for a terminal, which obeys what it is shown.

/// What stands for a sign that a terminal would obey.
const HARMLESS: char = '\u{fffd}';

/// Keeps lines and tabs, and shows every other sign that a terminal obeys as one that it does not.
pub(super) fn text(text: &str) -> String {
    let harmless = |sign: char| match sign {
        '\n' | '\t' => sign,
        sign if is_obeyed(sign) => HARMLESS,
        sign => sign,
    };
    // A carriage return alone would go back over what was shown; one before a new line says nothing.
    text.chars().filter(|sign| *sign != '\r').map(harmless).collect()
}

/// Makes one line of a text, cut after so many signs.
pub(super) fn line(text: &str, most: usize) -> String {
    let mut signs = text.chars().map(|sign| match sign {
        '\n' | '\r' | '\t' => ' ',
        sign if is_obeyed(sign) => HARMLESS,
        sign => sign,
    });
    let mut line: String = signs.by_ref().take(most).collect();
    if signs.next().is_some() {
        line.push('…');
    }
    line
}

/// Control signs (C0, DEL, C1) begin escape sequences; embeddings, overrides and isolates turn the order of what is read.
fn is_obeyed(sign: char) -> bool {
    sign.is_control() || matches!(sign, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escape_sequences_lose_what_makes_them_one() {
        let title = "\u{1b}]0;owned\u{7}a\u{1b}[2Jb\u{9b}31mc\u{7f}\u{8}d";
        assert_eq!(text(title), "�]0;owned�a�[2Jb�31mc��d");
    }

    #[test]
    fn what_people_write_stays_as_it_is() {
        let said = "# Liste\n\t1. Käse 🧀 – «naïve»\u{200d}, עברית";
        assert_eq!(text(said), said);
        assert_eq!(text("one\r\ntwo\rthree"), "one\ntwothree");
    }

    #[test]
    fn the_order_of_what_is_read_cannot_be_turned() {
        assert_eq!(text("safe\u{202e}exe.\u{2066}x\u{2069}"), "safe�exe.�x�");
    }

    #[test]
    fn a_line_is_one_line_and_says_that_it_was_cut() {
        assert_eq!(line("a\r\nb\tc\u{1b}[m", 20), "a  b c�[m");
        assert_eq!(line("äöü", 3), "äöü");
        assert_eq!(line("äöü!", 3), "äöü…");
    }

    proptest! {
        #[test]
        fn nothing_gets_through_however_it_is_cut(parts in proptest::collection::vec("[\u{0}-\u{a0}\u{202a}-\u{202e}🧀]{0,9}", 0..6)) {
            let shown: String = parts.iter().map(|part| text(part)).collect();
            prop_assert_eq!(&shown, &text(&parts.concat()));
            prop_assert!(!shown.chars().any(|sign| is_obeyed(sign) && sign != '\n' && sign != '\t'));
        }
    }
}
