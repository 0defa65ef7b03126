//! The binary: hands the arguments to the command line.

use std::{env, process::ExitCode};

fn main() -> ExitCode {
    #[cfg(feature = "failpoints")]
    parlor_failpoints::arm(env::var_os(parlor_failpoints::VARIABLE));
    parlor::cli::main(|name| env::var(name).ok())
}
