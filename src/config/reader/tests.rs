//! What the typed readers accept and what they say otherwise.

use std::fs;

use secrecy::ExposeSecret;

use super::*;

fn faults_of<T>(value: &str, read: impl FnOnce(&mut Reader<'_>) -> T) -> Result<T, String> {
    let source = Source::of([("X", value)]);
    let mut reader = Reader::new(&source, Path::new("/"));
    let read = read(&mut reader);
    reader.finish().map(|_| read).map_err(|faults| faults.to_string())
}

#[test]
fn a_time_is_in_seconds_with_fractions() {
    for (text, milliseconds) in [("2.5", 2_500), ("60", 60_000), ("0.001", 1)] {
        let time = faults_of(text, |reader| reader.seconds("X", 5)).unwrap();
        assert_eq!(time, Duration::from_millis(milliseconds), "{text}");
    }
    for text in ["0", "-1", "1e-20", "inf", "NaN", "5s", "31536001"] {
        assert!(faults_of(text, |reader| reader.seconds("X", 5)).is_err(), "{text}");
    }
    assert_eq!(faults_of("0", |reader| reader.seconds_or_zero("X", 5)), Ok(Duration::ZERO));
}

#[test]
fn a_number_out_of_range_is_told_the_range() {
    let port = |reader: &mut Reader<'_>| reader.number::<u16>("X", 8000, 1..=65_535);
    assert_eq!(faults_of("9000", port), Ok(9000));
    for text in ["abc", "0", "65536", "80.5"] {
        let expected = format!("  X: must be a number from 1 to 65535, not \"{text}\"");
        assert!(faults_of(text, port).unwrap_err().ends_with(&expected), "{text}");
    }
}

#[test]
fn a_flag_is_true_or_false() {
    for (text, expected) in [("true", true), ("1", true), ("FALSE", false), ("0", false)] {
        assert_eq!(faults_of(text, |reader| reader.flag("X")), Ok(expected), "{text}");
    }
    assert!(faults_of("maybe", |reader| reader.flag("X")).is_err());
}

#[test]
fn a_list_is_split_at_commas_and_has_no_empty_places() {
    assert_eq!(faults_of("a, b,,c,", |reader| reader.list("X")).unwrap(), ["a", "b", "c"]);
}

#[test]
fn a_key_with_a_line_break_inside_is_refused_and_not_shown() {
    let fault = faults_of("sk-1\nsk-2", |reader| reader.secret("X")).unwrap_err();
    assert!(fault.ends_with("  X: holds a line break, a control character or one outside ASCII"));
    let key = faults_of(" sk-1\n", |reader| reader.secret("X")).unwrap().unwrap();
    assert_eq!(key.expose_secret(), "sk-1");
}

#[test]
fn a_secret_may_stand_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("key"), "sk-1\n").unwrap();
    let source = Source::of([("X_FILE", "key")]);
    let mut reader = Reader::new(&source, folder.path());
    assert_eq!(reader.secret("X").unwrap().expose_secret(), "sk-1");
    let report = reader.finish().unwrap();
    assert_eq!(report.settings, [Setting { name: "X".into(), value: Shown::Masked, origin: Origin::File }]);
}

#[test]
fn a_secret_file_that_is_missing_empty_or_one_too_many_is_a_fault() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("empty"), "\n").unwrap();
    for (source, fault) in [
        (Source::of([("X_FILE", "none")]), "X_FILE: `"),
        (Source::of([("X_FILE", "empty")]), "X_FILE: `"),
        (Source::of([("X_FILE", "empty"), ("X", "sk-1")]), "X: set together with X_FILE; keep one"),
    ] {
        let mut reader = Reader::new(&source, folder.path());
        reader.secret("X");
        let faults = reader.finish().unwrap_err().to_string();
        assert_eq!(faults.matches("\n  ").count(), 1);
        assert!(faults.contains(&format!("\n  {fault}")), "{faults}");
    }
}
