//! Builds the models that the configuration describes: who answers, who stands in, and what else may be asked for.

use std::{cell::RefCell, collections::HashMap, sync::Arc};

use secrecy::ExposeSecret;

use crate::{
    config::{self, Choice},
    domain::{Model, Models},
    model::{
        self, Attempts, Corrections, Extras, Fallbacks, ModelSetupError, Patience, Prices, Provider,
        ProviderSettings, QuirkOverrides, Successors,
    },
};

/// Makes the models. Nothing is sent to anybody yet. The fallbacks stand in for the usual model only: who asks for a
/// model by its name means that one.
///
/// # Errors
/// The first that cannot be set up, and what the operator has to change.
pub fn models(settings: &config::Model) -> Result<Models, ModelSetupError> {
    let workshop = Workshop::new(settings)?;
    let all = |choices: &[Choice]| {
        choices.iter().map(|choice| workshop.chosen(choice)).collect::<Result<Vec<_>, _>>()
    };
    let (usual, fallbacks) = (workshop.chosen(&settings.choice)?, all(&settings.fallbacks)?);
    let allowed = all(&settings.allowed)?;
    if fallbacks.is_empty() {
        return Ok(Models::new(usual, allowed));
    }
    let by_name = std::iter::once(Arc::clone(&usual)).chain(allowed).collect();
    Ok(Models::new(Arc::new(Fallbacks::new(usual, fallbacks)), by_name))
}

/// Says where to ask for the list of models of a choice, and which models of it may answer, in their order.
pub(super) fn listing<'a>(
    settings: &'a config::Model,
    choice: &'a Choice,
) -> Result<(ProviderSettings, Vec<&'a str>), ModelSetupError> {
    let workshop = Workshop::new(settings)?;
    let models = candidates(choice);
    let first = models.first().copied().unwrap_or_default();
    Ok((workshop.provider_settings(choice, provider(choice), first)?, models))
}

/// Lists the models that may answer for a choice: the one that it names, else the provider's defaults in their order.
fn candidates(choice: &Choice) -> Vec<&str> {
    match choice {
        Choice::Hosted { model: Some(model), .. } | Choice::Custom { model, .. } => vec![model],
        Choice::Hosted { model: None, .. } | Choice::Demo => provider(choice).default_models().to_vec(),
    }
}

fn provider(choice: &Choice) -> Provider {
    Provider::find(choice.provider().as_str()).unwrap_or(Provider::Demo)
}

/// Has a model asked with the patience and as often as the settings say.
pub fn steady(model: Arc<dyn Model>, settings: &config::Model) -> Arc<dyn Model> {
    let patience = Patience { first_token: settings.first_token_timeout, idle: settings.idle_timeout };
    Arc::new(Attempts::new(model, patience, settings.retries))
}

fn corrections(settings: &config::Model) -> Result<Corrections, ModelSetupError> {
    let quirks = QuirkOverrides::parse(settings.quirks.as_deref().unwrap_or_default());
    let prices = Prices::parse(&settings.prices);
    Ok(Corrections {
        quirks: quirks.map_err(|error| bad("LLM_QUIRKS", &error))?,
        prices: prices.map_err(|error| bad("LLM_PRICES", &error))?,
    })
}

fn extras(choice: &Choice) -> Result<Extras, ModelSetupError> {
    let Choice::Custom { headers, body, .. } = choice else { return Ok(Extras::default()) };
    let mut extras = Extras::default();
    if let Some(headers) = headers {
        let read = extras.with_headers(headers.expose_secret());
        extras = read.map_err(|error| bad("LLM_EXTRA_HEADERS", &error))?;
    }
    if let Some(body) = body {
        extras = extras.with_body(body).map_err(|error| bad("LLM_EXTRA_BODY", &error))?;
    }
    Ok(extras)
}

fn bad(variable: &'static str, reason: &dyn std::error::Error) -> ModelSetupError {
    ModelSetupError::BadSetting { variable, reason: reason.to_string() }
}

/// What models are made with.
struct Workshop<'a> {
    settings: &'a config::Model,
    corrections: Corrections,
    /// What was made so far: a model that is named twice is one model, with one breaker.
    made: RefCell<HashMap<(Provider, String), Arc<dyn Model>>>,
}

impl<'a> Workshop<'a> {
    fn new(settings: &'a config::Model) -> Result<Self, ModelSetupError> {
        Ok(Self { settings, corrections: corrections(settings)?, made: RefCell::default() })
    }

    /// Makes one model of the configuration; where it names none, the provider's default with its successors.
    fn chosen(&self, choice: &Choice) -> Result<Arc<dyn Model>, ModelSetupError> {
        let build = |model: &str| {
            let key = (provider(choice), model.to_owned());
            if let Some(made) = self.made.borrow().get(&key) {
                return Ok(Arc::clone(made));
            }
            let made = model::build(&self.provider_settings(choice, provider(choice), model)?)?;
            let made = steady(made, self.settings);
            self.made.borrow_mut().insert(key, Arc::clone(&made));
            Ok(made)
        };
        match candidates(choice).as_slice() {
            [] => build(""),
            [only] => build(only),
            [first, rest @ ..] => {
                let rest = rest.iter().map(|model| build(model)).collect::<Result<_, _>>()?;
                Ok(Arc::new(Successors::new(build(first)?, rest)))
            }
        }
    }

    fn provider_settings(
        &self,
        choice: &Choice,
        provider: Provider,
        model: &str,
    ) -> Result<ProviderSettings, ModelSetupError> {
        let (base_url, api_key) = match choice {
            Choice::Hosted { api_key, base_url, .. } => (base_url.clone(), Some(api_key.clone())),
            Choice::Custom { base_url, api_key, .. } => (Some(base_url.clone()), api_key.clone()),
            Choice::Demo => (None, None),
        };
        let Self { settings, corrections, .. } = self;
        Ok(ProviderSettings {
            provider,
            base_url: base_url.unwrap_or_else(|| provider.default_base_url().unwrap_or_default().to_owned()),
            api_key,
            model: model.to_owned(),
            connect_timeout: settings.connect_timeout,
            first_token_timeout: settings.first_token_timeout,
            idle_timeout: settings.idle_timeout,
            pause_per_delta: settings.demo_pause,
            quirks: corrections.quirks(provider, model),
            price: corrections.price(provider, model),
            extras: extras(choice)?,
        })
    }
}
