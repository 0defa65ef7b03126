//! What stands twice because no file can read the other: the image and the files that run it.

use std::{fs, path::Path};

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// Returns the text between the first `before` and what follows next.
fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    text.split_once(before).unwrap().1.split(after).next().unwrap()
}

#[test]
fn the_image_is_built_with_the_rust_of_the_repository() {
    let (image, toolchain) = (read("Dockerfile"), read("rust-toolchain.toml"));
    assert_eq!(between(&image, "FROM rust:", "-"), between(&toolchain, "channel = \"", "\""));
}

#[test]
fn the_image_runs_as_the_user_that_it_knows() {
    let user = between(&read("Dockerfile"), "\nUSER ", "\n").to_owned();
    assert_eq!(user, format!("{0}:{0}", between(&read("deploy/rootfs.sh"), "\nuser=", "\n")));
}

#[test]
fn compose_hands_on_settings_that_exist() {
    let (compose, example) = (read("compose.yaml"), read(".env.example"));
    let environment = between(&compose, "\n    environment:\n", "\n    ports:");
    let names = environment.lines().filter_map(|line| line.trim().split_once(':')).map(|(name, _)| name);
    let names: Vec<&str> = names.filter(|name| !name.starts_with('#')).collect();
    assert!(names.len() > 20, "{names:?}");
    let unknown = names.iter().filter(|name| !example.contains(&format!("\n#{name}=")));
    assert_eq!(unknown.collect::<Vec<_>>(), [&""; 0]);
}
