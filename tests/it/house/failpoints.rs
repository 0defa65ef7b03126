//! A program holds failpoints if it was built for the matrix, and not a trace of them otherwise.

use std::{collections::BTreeSet, fs};

use super::workspace;

/// The variable that arms them, in two parts, so that this file does not hold it.
const VARIABLE: (&str, &str) = ("PARLOR_FAIL", "POINTS");

/// Lists the points that the source marks.
fn points() -> BTreeSet<String> {
    let files = workspace();
    let marks = files.iter().flat_map(|file| file.production().split("failpoint!(\"").skip(1));
    marks.map(|mark| mark.split('"').next().unwrap().to_owned()).collect()
}

#[test]
fn a_program_holds_failpoints_only_if_it_was_built_with_them() {
    let points = points();
    assert_eq!(points.len(), 11, "{points:?}");
    let words = points.into_iter().chain([[VARIABLE.0, VARIABLE.1].concat()]);
    let program = fs::read(env!("CARGO_BIN_EXE_parlor")).unwrap();
    let program = String::from_utf8_lossy(&program);
    for word in words {
        assert_eq!(program.contains(&word), cfg!(feature = "failpoints"), "{word}");
    }
}
