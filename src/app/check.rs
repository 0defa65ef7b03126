//! Reaches out to all that a start will need and says what it found, before anybody waits for the service. It changes
//! nothing: no file is made, no database migrated, no model asked.

use std::{error::Error, time::Duration};

use chrono::NaiveDate;
use parlor_db::{DatabaseUrl, Migrations, Schema, inspect};
use tokio::time::timeout;

use super::{TASK_SERVER, models::listing, task_server};
use crate::{
    auth,
    config::{self, AuthMode, Choice, Config, JwtKeys},
    model::{Catalog, CatalogError, Standing},
    shutdown::Shutdown,
    store::Store,
    tools,
};

/// How long each look may take.
const LIMIT: Duration = Duration::from_secs(5);

/// How long what was started for a look may take to end.
const END_LIMIT: Duration = Duration::from_secs(5);

/// What was found where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at.
    pub subject: &'static str,
    /// How it is.
    pub outcome: Outcome,
    /// What there is to say about it; never a secret.
    pub detail: String,
}

/// How something that the service needs is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A start will find what it needs.
    Ok,
    /// It will start, and somebody should know.
    Warning,
    /// It will not start, or not answer.
    Failed,
}

/// Looks at everything at once: databases, tool server, provider, and the keys of tokens where they are published.
pub async fn reach_out(config: &Config) -> Vec<Finding> {
    let (service, tasks) = (Store::migrations(), parlor_tasks::migrations());
    let (service, tasks, tool_server, providers, keys) = tokio::join!(
        database("database", "DATABASE_URL", &config.storage.database, &service),
        database("tasks", "TASKS_DATABASE_URL", &config.storage.tasks, &tasks),
        tool_server(config),
        providers(&config.model),
        keys(&config.auth.mode),
    );
    [service, tasks, tool_server].into_iter().chain(providers).chain(keys).collect()
}

async fn database(
    subject: &'static str,
    variable: &str,
    url: &DatabaseUrl,
    migrations: &Migrations,
) -> Finding {
    let (outcome, detail) = match timeout(LIMIT, inspect(url, migrations)).await {
        Ok(Ok(schema)) => {
            let (outcome, words) = words_of(schema);
            (outcome, format!("{url} {words}"))
        }
        Ok(Err(error)) => (Outcome::Failed, format!("{variable}: {url}: {}", chain(&error))),
        Err(_elapsed) => (Outcome::Failed, format!("{variable}: {url} did not answer in time")),
    };
    Finding { subject, outcome, detail }
}

fn words_of(schema: Schema) -> (Outcome, String) {
    match schema {
        Schema::NoFile => (Outcome::Ok, "will be created".into()),
        Schema::Fresh => (Outcome::Ok, "holds nothing of ours; the tables will be made".into()),
        Schema::Behind(1) => (Outcome::Ok, "wants 1 migration, which the next start does".into()),
        Schema::Behind(pending) => {
            (Outcome::Ok, format!("wants {pending} migrations, which the next start does"))
        }
        Schema::Current => (Outcome::Ok, "is current".into()),
        Schema::Ahead => (Outcome::Failed, "belongs to a newer version of this program".into()),
    }
}

async fn tool_server(config: &Config) -> Finding {
    let shutdown = Shutdown::default();
    let probed = tools::probe(&task_server(config), LIMIT, &shutdown).await;
    shutdown.end();
    shutdown.tasks_done(END_LIMIT).await;
    let (outcome, detail) = match probed {
        Ok(names) if names.is_empty() => (Outcome::Warning, format!("`{TASK_SERVER}` has no tools")),
        Ok(names) => {
            (Outcome::Ok, format!("`{TASK_SERVER}` has {} tools: {}", names.len(), names.join(", ")))
        }
        Err(reason) => (Outcome::Failed, format!("MCP_SERVER_COMMAND: `{TASK_SERVER}`: {reason}")),
    };
    Finding { subject: "tool server", outcome, detail }
}

/// Looks at who answers, who stands in and what else may be asked for. Only the first is needed for a start.
async fn providers(settings: &config::Model) -> Vec<Finding> {
    let usual = [("provider", &settings.choice)].into_iter();
    let fallbacks = settings.fallbacks.iter().map(|choice| ("fallback", choice));
    let allowed = settings.allowed.iter().map(|choice| ("allowed", choice));
    let looking = usual.chain(fallbacks).chain(allowed).map(|(subject, choice)| async move {
        let (outcome, detail) = provider(settings, choice).await;
        match (subject, outcome) {
            ("provider", _) | (_, Outcome::Ok | Outcome::Warning) => Finding { subject, outcome, detail },
            (_, Outcome::Failed) => Finding { subject, outcome: Outcome::Warning, detail },
        }
    });
    futures_util::future::join_all(looking).await
}

async fn provider(settings: &config::Model, choice: &Choice) -> (Outcome, String) {
    let (asking, models) = match (choice, listing(settings, choice)) {
        (Choice::Demo, _) => return (Outcome::Ok, "the demo answers, and asks nobody".into()),
        (Choice::Hosted { .. } | Choice::Custom { .. }, Ok(listing)) => listing,
        (Choice::Hosted { .. } | Choice::Custom { .. }, Err(error)) => {
            return (Outcome::Failed, chain(&error));
        }
    };
    match timeout(LIMIT, Catalog::ask(&asking)).await {
        Ok(Ok(catalog)) => words_about(choice, &models, &catalog),
        Ok(Err(error)) => (Outcome::Failed, what_to_change(choice, &error)),
        Err(_elapsed) => (Outcome::Failed, format!("{} did not answer in time", choice.provider())),
    }
}

/// Says what a provider's list means for the models that may answer, in their order.
fn words_about(choice: &Choice, models: &[&str], catalog: &Catalog) -> (Outcome, String) {
    let (name, variable) = (choice.provider(), model_variable(choice));
    for model in models {
        match catalog.standing(model) {
            Standing::Listed => return (Outcome::Ok, format!("{name} lists {model}")),
            Standing::Ends(date) => return (Outcome::Warning, ending(choice, model, date)),
            Standing::NotListed => {}
        }
    }
    let missing = models.join(" and ");
    (Outcome::Warning, format!("{name} answers, but does not list {missing}; see {variable}"))
}

fn ending(choice: &Choice, model: &str, date: NaiveDate) -> String {
    format!("{} shuts {model} down on {date}; see {}", choice.provider(), model_variable(choice))
}

fn what_to_change(choice: &Choice, error: &CatalogError) -> String {
    let variable = match error {
        CatalogError::Key(_) => key_variable(choice),
        CatalogError::Setup(_)
        | CatalogError::Status(_)
        | CatalogError::Unreachable(_)
        | CatalogError::TooLarge
        | CatalogError::Malformed => base_url_variable(choice),
    };
    format!("{variable}: {}: {}", choice.provider(), chain(error))
}

const fn key_variable(choice: &Choice) -> &'static str {
    match choice {
        Choice::Hosted { provider, .. } => provider.key_variable(),
        Choice::Custom { .. } | Choice::Demo => "LLM_API_KEY",
    }
}

const fn model_variable(choice: &Choice) -> &'static str {
    match choice {
        Choice::Hosted { provider, .. } => provider.model_variable(),
        Choice::Custom { .. } | Choice::Demo => "LLM_MODEL",
    }
}

const fn base_url_variable(choice: &Choice) -> &'static str {
    match choice {
        Choice::Hosted { provider, .. } => provider.base_url_variable(),
        Choice::Custom { .. } | Choice::Demo => "LLM_BASE_URL",
    }
}

async fn keys(mode: &AuthMode) -> Option<Finding> {
    let AuthMode::Jwt(config::Jwt { keys: JwtKeys::Url(url), .. }) = mode else { return None };
    let (outcome, detail) = match timeout(LIMIT, auth::count_keys(url)).await {
        Ok(Ok(0)) => (Outcome::Failed, "the set at JWKS_URL holds no key that can be used".into()),
        Ok(Ok(count)) => (Outcome::Ok, format!("JWKS_URL holds keys that can be used: {count}")),
        Ok(Err(error)) => (Outcome::Failed, chain(&error)),
        Err(_elapsed) => (Outcome::Failed, "the host of JWKS_URL did not answer in time".into()),
    };
    Some(Finding { subject: "keys", outcome, detail })
}

/// Says an error with its causes, each once.
fn chain(error: &dyn Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !said.contains(&words) {
            said.push_str(": ");
            said.push_str(&words);
        }
        cause = error.source();
    }
    said
}
