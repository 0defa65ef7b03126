//! The configuration, read once. Every fault comes in one list and names its variable.
//!
//! This is the only room that reads the environment. Each file holds the settings of one room and knows their
//! names, defaults and limits; `reader` knows how a value is read, `source` where it comes from.

mod accounts;
mod address;
mod agent;
mod app_env;
mod auth;
mod dotenv;
mod fault;
mod files;
mod http;
mod mcp;
mod model;
mod provider;
mod reader;
mod report;
mod run;
mod source;
mod storage;
mod telemetry;
#[cfg(test)]
mod tests;

use std::{
    env,
    path::{Path, PathBuf},
};

pub use address::Host;
pub use agent::Agent;
pub use app_env::AppEnv;
pub use auth::{Auth, AuthMode, Jwt, JwtKeys};
pub use fault::{Fault, Faults};
pub use http::{HangUp, Hosts, Http, Origins};
pub use mcp::{Mcp, ServerCommand};
pub use model::{Choice, ChosenBy, Model};
pub use provider::{Hosted, ProviderName};
pub use report::{Origin, Report, Setting, Shown};
pub use run::{Recovery, Run};
pub use source::Source;
pub use storage::Storage;
pub use telemetry::{LogFormat, Telemetry};

use reader::Reader;

/// Every setting, checked. Who holds one needs to check nothing again.
#[derive(Clone, Debug)]
pub struct Config {
    /// What the service runs for.
    pub app_env: AppEnv,
    /// The HTTP side.
    pub http: Http,
    /// The databases.
    pub storage: Storage,
    /// The model.
    pub model: Model,
    /// The agent.
    pub agent: Agent,
    /// Runs.
    pub run: Run,
    /// The tool server.
    pub mcp: Mcp,
    /// Authentication.
    pub auth: Auth,
    /// The log.
    pub telemetry: Telemetry,
}

/// Reads the configuration from the environment and the `.env` of the working folder.
pub fn read() -> Result<(Config, Report), Faults> {
    let folder = folder()?;
    from_source(&Source::of_process(&folder), &folder)
}

/// Returns the working folder, which relative paths count from.
pub fn folder() -> Result<PathBuf, Faults> {
    env::current_dir().map_err(|error| Faults::one(Fault::unusable("the working folder", error)))
}

/// Reads the configuration from a source; relative paths count from `folder`, which is absolute.
pub fn from_source(source: &Source, folder: &Path) -> Result<(Config, Report), Faults> {
    let mut reader = Reader::new(source, folder);
    let app_env = AppEnv::read(&mut reader);
    let http = Http::read(&mut reader);
    let auth = Auth::read(&mut reader, app_env, &http.host);
    let storage = Storage::read(&mut reader);
    let model = Model::read(&mut reader);
    refuse_implicit_demo(&mut reader, app_env, &model);
    let agent = Agent::read(&mut reader);
    let run = Run::read(&mut reader);
    let mcp = Mcp::read(&mut reader);
    let telemetry = Telemetry::read(&mut reader, app_env);
    let report = reader.finish()?;
    Ok((Config { app_env, http, storage, model, agent, run, mcp, auth, telemetry }, report))
}

fn refuse_implicit_demo(reader: &mut Reader<'_>, app_env: AppEnv, model: &Model) {
    if app_env == AppEnv::Production && model.chosen_by == ChosenBy::Nothing {
        let reason = "APP_ENV=production wants a provider and its key, or LLM_PROVIDER=demo in so many words";
        reader.fault(Fault::unusable("LLM_PROVIDER", reason));
    }
}
