//! Builds again when a migration is added. The macro that embeds them sees only the files it has seen before.
#![expect(clippy::print_stdout, reason = "this is how a build script talks to cargo")]

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
