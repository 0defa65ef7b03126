//! What the program is built from: the rules of `deny.toml`, held without the tool that the file is written for.
//!
//! Installing that tool takes longer than all other checks together, so it is no part of them.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use serde_json::Value;

/// The only place that packages come from.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// The rules.
struct Rules {
    licences: BTreeSet<String>,
    /// Packages, and the first version of each that has no known hole.
    sound: Vec<(String, Vec<u64>)>,
}

impl Rules {
    fn read(text: &str) -> Self {
        let quoted = |line: &str| line.trim().trim_end_matches(',').trim_matches('"').to_owned();
        let (_, allowed) = text.split_once("allow = [").unwrap();
        let licences = allowed.split(']').next().unwrap().lines().map(quoted).filter(|name| !name.is_empty());
        let refused = text.lines().filter_map(|line| line.trim().strip_prefix("{ crate = \""));
        let sound = refused.map(|rest| {
            // With `@` in place of `:` the tool would refuse this one version and no older one.
            let (name, version) = rest.split('"').next().unwrap().split_once(":<").unwrap();
            (name.to_owned(), numbers(version))
        });
        Self { licences: licences.collect(), sound: sound.collect() }
    }

    /// Lists what is wrong with a package.
    fn faults(&self, package: &Value) -> Vec<String> {
        let name = format!("{} {}", text(package, "name"), text(package, "version"));
        let mut faults = Vec::new();
        if package["source"].as_str().is_some_and(|source| source != REGISTRY) {
            faults.push(format!("{name} comes from {}", package["source"]));
        }
        let licence = text(package, "license");
        if !self.allow(licence) {
            faults.push(format!("{name} is under {licence:?}"));
        }
        for (refused, sound) in &self.sound {
            if refused == text(package, "name") && numbers(text(package, "version")) < *sound {
                faults.push(format!("{name} has a known hole"));
            }
        }
        faults
    }

    /// Tells whether an expression of licences can be met by those that are allowed.
    fn allow(&self, expression: &str) -> bool {
        let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
        let mut words = spaced.split_whitespace().rev().collect();
        self.allow_one_of(&mut words) && words.is_empty()
    }

    /// Reads `a OR b`; `words` is a stack.
    fn allow_one_of(&self, words: &mut Vec<&str>) -> bool {
        let mut is_allowed = self.allow_all_of(words);
        while words.pop_if(|word| *word == "OR").is_some() {
            is_allowed |= self.allow_all_of(words);
        }
        is_allowed
    }

    /// Reads `a AND b`.
    fn allow_all_of(&self, words: &mut Vec<&str>) -> bool {
        let mut is_allowed = self.allow_single(words);
        while words.pop_if(|word| *word == "AND").is_some() {
            is_allowed &= self.allow_single(words);
        }
        is_allowed
    }

    /// Reads a name, one with an exception, or what stands in parentheses.
    fn allow_single(&self, words: &mut Vec<&str>) -> bool {
        match words.pop() {
            Some("(") => {
                let is_allowed = self.allow_one_of(words);
                words.pop() == Some(")") && is_allowed
            }
            Some(_) if words.pop_if(|word| *word == "WITH").is_some() => {
                words.pop();
                false
            }
            Some(name) => self.licences.contains(name),
            None => false,
        }
    }
}

fn text<'a>(package: &'a Value, field: &str) -> &'a str {
    package[field].as_str().unwrap_or_default()
}

/// Returns the numbers of a version; what is before a release counts as the release.
fn numbers(version: &str) -> Vec<u64> {
    let release = version.split(['-', '+']).next().unwrap();
    release.split('.').map(|number| number.parse().unwrap()).collect()
}

fn rules() -> Rules {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    Rules::read(&fs::read_to_string(root.join("deny.toml")).unwrap())
}

/// Asks cargo for every package that is built here.
fn packages() -> Vec<Value> {
    let host = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let asked = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()))
        .args(["metadata", "--locked", "--offline", "--format-version", "1", "--filter-platform", &host])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
    let answer: Value = serde_json::from_slice(&asked.stdout).unwrap();
    answer["packages"].as_array().unwrap().clone()
}

#[test]
fn every_package_is_of_known_origin_and_licence_and_has_no_known_hole() {
    let (rules, packages) = (rules(), packages());
    assert!(packages.len() > 200 && rules.sound.len() > 5 && rules.licences.len() > 5, "all of it was read");
    super::assert_none(&packages.iter().flat_map(|package| rules.faults(package)).collect::<Vec<_>>());
}

#[test]
fn the_lock_holds_every_package_to_its_checksum() {
    let lock = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock")).unwrap();
    let foreign = lock.split("[[package]]").filter(|package| package.contains("\nsource = "));
    let faults = foreign.filter(|package| {
        !package.contains(&format!("\nsource = \"{REGISTRY}\"")) || !package.contains("\nchecksum = \"")
    });
    super::assert_none(&faults.map(str::to_owned).collect::<Vec<_>>());
}

#[test]
fn a_package_that_breaks_a_rule_is_seen() {
    let package = |version: &str, license: &str, source: &str| {
        let source = if source.is_empty() { REGISTRY } else { source };
        serde_json::json!({"name": "rmcp", "version": version, "license": license, "source": source})
    };
    let rules = rules();
    assert_eq!(rules.faults(&package("3.8.0", "Apache-2.0", "")), [""; 0]);
    assert_eq!(rules.faults(&package("2.1.0-beta.1", "MIT", "")), [""; 0]);
    assert_eq!(rules.faults(&package("1.3.99", "MIT", "")), ["rmcp 1.3.99 has a known hole"]);
    assert_eq!(rules.faults(&package("3.8.0", "", "")), ["rmcp 3.8.0 is under \"\""]);
    let elsewhere = rules.faults(&package("3.8.0", "MIT", "git+https://example.org/rmcp"));
    assert_eq!(elsewhere, ["rmcp 3.8.0 comes from \"git+https://example.org/rmcp\""]);
}

#[test]
fn a_licence_is_allowed_if_a_choice_of_it_is() {
    let rules = rules();
    for allowed in
        ["MIT", "GPL-3.0 OR MIT", "MIT/GPL-3.0", "(MIT OR GPL-3.0) AND Unicode-3.0", "X WITH Y OR MIT"]
    {
        assert!(rules.allow(allowed), "{allowed}");
    }
    for refused in
        ["GPL-3.0", "MIT AND GPL-3.0", "(MIT OR ISC) AND GPL-3.0", "MIT WITH Y", "MIT ISC", "(MIT", ""]
    {
        assert!(!rules.allow(refused), "{refused}");
    }
}
