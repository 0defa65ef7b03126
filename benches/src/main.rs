//! Measures the service against the floor: a bare handler that passes a provider's bytes through.
//!
//! One program in three roles, so that the time of each is its own: `provider` answers from a script, `floor` passes
//! on, and `run` starts both and the service, drives them in turn and prints what came of it.

mod client;
mod figures;
mod floor;
mod load;
mod overload;
mod processes;
mod provider;
mod report;
mod settings;
mod setup;

use anyhow::{Context, bail};

const USAGE: &str =
    "usage: parlor-benches run --service FILE [--rounds N] [--seconds N] [--only FIGURE,…] [--places N,…] [--json FILE]
       parlor-benches provider | floor PROVIDER | load SERVICE PROCESS CLIENTS SCRIPT SECONDS";

#[tokio::main(worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some("provider") => provider::serve().await,
        Some("floor") => {
            let provider = arguments.next().context("floor: the provider's address is missing")?;
            floor::serve(&provider.parse()?).await
        }
        Some("load") => figures::load(arguments).await,
        Some("run") => figures::run(&settings::Settings::read(arguments)?).await,
        _ => bail!(USAGE),
    }
}
