//! The binary: hands the arguments to the command line.

use std::{env, process::ExitCode};

fn main() -> ExitCode {
    parlor::cli::main(|name| env::var(name).ok())
}
