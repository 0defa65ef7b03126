//! Reads the text of a `.env` file. dotenvy knows the syntax but not the line of a mistake, so lines are
//! counted here.

use std::{
    cell::Cell,
    collections::BTreeMap,
    io::{self, Read},
};

use super::fault::Fault;

/// How the file is named in a fault.
pub(super) const NAME: &str = ".env";

/// Reads every line; of a name that stands twice the last one counts, as in a shell. A fault names the line
/// and leaves its text out, which may be a secret.
pub(super) fn parse(text: &str) -> (BTreeMap<String, String>, Vec<Fault>) {
    let read = Cell::new(0);
    let mut values = BTreeMap::new();
    let mut faults = Vec::new();
    for entry in dotenvy::from_read_iter(Lines { rest: text.as_bytes(), read: &read }) {
        match entry {
            Ok((name, value)) => {
                values.insert(name, value);
            }
            Err(error) => faults.push(fault(&error, read.get())),
        }
    }
    (values, faults)
}

/// Names the line on which an entry begins that ends on the line read last.
fn fault(error: &dotenvy::Error, last: usize) -> Fault {
    let length = match error {
        dotenvy::Error::LineParse(entry, _) => entry.lines().count(),
        _ => 1,
    };
    let line = (last + 1).saturating_sub(length);
    Fault::unusable(NAME, format_args!("line {line} is not NAME=value; quote a value that holds spaces"))
}

/// Hands out one line at a time, so that the count is never ahead of the parser.
struct Lines<'a> {
    rest: &'a [u8],
    read: &'a Cell<usize>,
}

impl Read for Lines<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let line = self.rest.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default();
        let mut unread = line;
        let length = unread.read(buffer)?;
        if length > 0 && unread.is_empty() {
            self.read.set(self.read.get() + 1);
        }
        self.rest = self.rest.get(length..).unwrap_or_default();
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<String> {
        parse(text)
            .1
            .iter()
            .map(|fault| fault.to_string().replace("; quote a value that holds spaces", ""))
            .collect()
    }

    #[test]
    fn names_and_values_are_read_as_a_shell_would() {
        let (values, faults) = parse("# a note\n\nexport A=one\nB='two words' # more\nA=three\n");
        assert_eq!(
            values.into_iter().collect::<Vec<_>>(),
            [("A".into(), "three".into()), ("B".into(), "two words".into())]
        );
        assert!(faults.is_empty());
    }

    #[test]
    fn every_malformed_line_is_named_and_not_shown() {
        assert_eq!(
            faults("A=1\nsecret words\n\n# note\nB=two words\nC=3"),
            [".env: line 2 is not NAME=value", ".env: line 5 is not NAME=value"]
        );
    }

    #[test]
    fn a_quote_that_never_ends_is_named_by_its_first_line() {
        assert_eq!(faults("A=1\nB=\"open\nC=3\nD=4\n"), [".env: line 2 is not NAME=value"]);
    }

    #[test]
    fn a_very_long_line_counts_once() {
        let text = format!("A={}\nsecret words\n", "x".repeat(50_000));
        assert_eq!(faults(&text), [".env: line 2 is not NAME=value"]);
    }
}
