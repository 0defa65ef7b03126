//! Builds again when a migration is added. The macro that embeds them sees only the files it has seen before.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
