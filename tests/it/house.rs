//! What the source itself promises: who may use whom, which crate lives where, and what stands nowhere.

mod deploy;
mod failpoints;
mod paths;
mod rooms;
mod source;
mod statements;
mod supply;

use source::{File, service, workspace};

/// The packages that the design promises; each is used, or it goes.
const PROMISED: [&str; 10] = [
    "axum",
    "tokio",
    "sqlx",
    "sea_query",
    "rmcp",
    "async_openai",
    "tokio_stream",
    "tower_http",
    "uuid",
    "chrono",
];

/// The most lines of a file with its tests, and without them.
const LONGEST: (usize, usize) = (500, 300);

/// What no file of the source may hold. Written in two parts, so that this file does not hold it either.
const NOWHERE: [(&str, &str); 8] = [
    ("todo", "!("),
    ("unimplemented", "!("),
    ("#[al", "low("),
    ("#![al", "low("),
    ("/ho", "me/"),
    ("/ro", "ot/"),
    ("/wo", "rk/"),
    ("/Use", "rs/"),
];

/// Fails with every fault in one list.
fn assert_none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn every_room_uses_only_the_rooms_that_it_may() {
    let faults: Vec<String> = service().iter().flat_map(rooms::faults).collect();
    assert_none(&faults);
}

#[test]
fn every_foreign_crate_stays_in_its_rooms() {
    let faults: Vec<String> = workspace().iter().flat_map(rooms::foreign_faults).collect();
    assert_none(&faults);
}

#[test]
fn nothing_is_spawned_but_where_the_end_waits_for_it() {
    let faults: Vec<String> = workspace().iter().flat_map(rooms::spawning_faults).collect();
    assert_none(&faults);
}

#[test]
fn no_statement_holds_a_value() {
    let faults: Vec<String> = workspace().iter().flat_map(statements::faults).collect();
    assert_none(&faults);
}

#[test]
fn every_promised_package_is_used() {
    let files = workspace();
    let used = |package: &str| {
        files.iter().any(|file| paths::of(file.production()).iter().any(|path| path[0] == package))
    };
    let unused: Vec<&str> = PROMISED.into_iter().filter(|package| !used(package)).collect();
    assert_eq!(unused, [""; 0]);
}

#[test]
fn no_file_is_too_long() {
    let too_long = |file: &File| {
        let (whole, production) = (file.text.lines().count(), file.production().lines().count());
        (whole > LONGEST.0 || production > LONGEST.1)
            .then(|| format!("{}: {whole} lines, {production} without tests", file.path))
    };
    assert_none(&workspace().iter().filter_map(too_long).collect::<Vec<_>>());
}

#[test]
fn no_file_holds_what_stands_nowhere() {
    let mut faults = Vec::new();
    for file in workspace() {
        for (front, back) in NOWHERE {
            if file.text.contains(&format!("{front}{back}")) {
                faults.push(format!("{}: {front}{back}", file.path));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn the_document_on_security_names_what_is_there() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("docs/security.md")).unwrap();
    let quoted =
        text.lines().filter(|line| line.starts_with('|')).flat_map(|line| line.split('`').skip(1).step_by(2));
    let paths: Vec<&str> = quoted.filter(|quoted| quoted.contains('/') && !quoted.starts_with('/')).collect();
    assert!(paths.len() > 40, "the table was found");
    let is_there = |path: &&str| root.join(path).exists() || root.join("tests/it").join(path).exists();
    let missing: Vec<&str> = paths.into_iter().filter(|path| !is_there(path)).collect();
    assert_eq!(missing, [""; 0]);
}
