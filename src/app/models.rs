//! Builds the models that the configuration describes: who answers, who stands in, and what else may be asked for.

use std::sync::Arc;

use crate::{
    config::{self, Choice},
    domain::{Model, Models},
    model::{self, Attempts, Fallbacks, ModelSetupError, Patience, Provider, ProviderSettings, Successors},
};

/// Makes the models. Nothing is sent to anybody yet. The fallbacks stand in for the usual model only: who asks for a
/// model by its name means that one.
///
/// # Errors
/// The first that cannot be set up, and what the operator has to change.
pub fn models(settings: &config::Model) -> Result<Models, ModelSetupError> {
    let all = |choices: &[Choice]| {
        choices.iter().map(|choice| chosen(settings, choice)).collect::<Result<Vec<_>, _>>()
    };
    let (usual, fallbacks) = (chosen(settings, &settings.choice)?, all(&settings.fallbacks)?);
    let usual = if fallbacks.is_empty() { usual } else { Arc::new(Fallbacks::new(usual, fallbacks)) };
    Ok(Models::new(usual, all(&settings.allowed)?))
}

/// Has a model asked with the patience and as often as the settings say.
pub fn steady(model: Arc<dyn Model>, settings: &config::Model) -> Arc<dyn Model> {
    let patience = Patience { first_token: settings.first_token_timeout, idle: settings.idle_timeout };
    Arc::new(Attempts::new(model, patience, settings.retries))
}

/// Makes one model of the configuration; where it names none, the provider's default with its successors.
fn chosen(settings: &config::Model, choice: &Choice) -> Result<Arc<dyn Model>, ModelSetupError> {
    let provider = Provider::find(choice.provider().as_str()).unwrap_or(Provider::Demo);
    let named = match choice {
        Choice::Hosted { model, .. } => model.as_deref(),
        Choice::Custom { model, .. } => Some(model.as_str()),
        Choice::Demo => None,
    };
    let build = |model: &str| {
        let made = model::build(&provider_settings(settings, choice, provider, model))?;
        Ok(steady(made, settings))
    };
    match (named, provider.default_models()) {
        (Some(model), _) => build(model),
        (None, [only]) => build(only),
        (None, [first, rest @ ..]) => {
            let rest = rest.iter().map(|model| build(model)).collect::<Result<_, _>>()?;
            Ok(Arc::new(Successors::new(build(first)?, rest)))
        }
        (None, []) => build(""),
    }
}

fn provider_settings(
    settings: &config::Model,
    choice: &Choice,
    provider: Provider,
    model: &str,
) -> ProviderSettings {
    let (base_url, api_key) = match choice {
        Choice::Hosted { api_key, base_url, .. } => (base_url.clone(), Some(api_key.clone())),
        Choice::Custom { base_url, api_key, .. } => (Some(base_url.clone()), api_key.clone()),
        Choice::Demo => (None, None),
    };
    ProviderSettings {
        provider,
        base_url: base_url.unwrap_or_else(|| provider.default_base_url().unwrap_or_default().to_owned()),
        api_key,
        model: model.to_owned(),
        connect_timeout: settings.connect_timeout,
        first_token_timeout: settings.first_token_timeout,
        idle_timeout: settings.idle_timeout,
        pause_per_delta: settings.demo_pause,
    }
}
