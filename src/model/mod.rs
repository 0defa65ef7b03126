//! The model side: who answers. Everything that providers do differently ends in this room.
//!
//! - `providers`: the table of providers, their defaults and their quirks
//! - `chat_completions`: any provider that speaks OpenAI's chat completions
//! - `demo`: a keyless stand-in that understands a handful of sentences
//! - `attempts`: asking again after a failure that nobody could see, and not at all for a while after many
//! - `successors`: the next default model, where a provider has shut the first one down
//! - `fallbacks`: other providers, where the usual one fails
//! - `catalog`: the models that a provider lists, for a look before the first turn
//! - `estimate`: tokens, where a provider does not say; `tab`: what a call costs that nobody hears the end of

mod attempts;
mod catalog;
mod chat_completions;
mod demo;
mod estimate;
#[cfg(test)]
mod fake;
mod fallbacks;
mod providers;
mod successors;
mod tab;

use std::sync::Arc;

pub use attempts::{Attempts, Patience};
pub use catalog::{Catalog, CatalogError, Standing};
pub use demo::Demo;
pub use fallbacks::Fallbacks;
pub use providers::{
    Corrections, Extras, ExtrasError, OverrideError, Price, PriceError, Prices, Provider, ProviderSettings,
    QuirkOverrides, Quirks,
};
pub use successors::Successors;

use crate::domain::Model;

/// Why a model cannot be set up. Each names what the operator has to change, and none shows a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModelSetupError {
    /// A hosted provider was chosen without a key.
    #[error("provider `{provider}` needs an API key")]
    NoKey {
        /// The provider, as in `LLM_PROVIDER`.
        provider: &'static str,
    },
    /// The key holds something that no HTTP header can carry.
    #[error(
        "the API key of provider `{provider}` has a character at position {position} that no header can carry"
    )]
    BadKey {
        /// The provider, as in `LLM_PROVIDER`.
        provider: &'static str,
        /// Which byte it is, counted from 1.
        position: usize,
    },
    /// The base URL is not one that requests can be sent to.
    #[error("the base URL of provider `{provider}` is not usable: {reason}")]
    BadBaseUrl {
        /// The provider, as in `LLM_PROVIDER`.
        provider: &'static str,
        /// What is wrong with it; without the URL itself, which may hold a key.
        reason: String,
    },
    /// No model is named.
    #[error("provider `{provider}` needs a model")]
    NoModel {
        /// The provider, as in `LLM_PROVIDER`.
        provider: &'static str,
    },
    /// A setting that this room reads itself cannot be read.
    #[error("{variable}: {reason}")]
    BadSetting {
        /// The variable.
        variable: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The HTTP client does not start, for instance for want of root certificates.
    #[error("the HTTP client does not start: {reason}")]
    NoHttpClient {
        /// What it says.
        reason: String,
    },
}

/// Makes the model that the settings describe. Nothing is sent and nothing is read from the environment.
pub fn build(settings: &ProviderSettings) -> Result<Arc<dyn Model>, ModelSetupError> {
    match settings.provider {
        Provider::Demo => Ok(Arc::new(Demo::new(settings.pause_per_delta))),
        Provider::OpenAi | Provider::Gemini | Provider::Groq | Provider::OpenRouter | Provider::Custom => {
            Ok(Arc::new(chat_completions::Client::new(settings)?))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn settings(provider: Provider, base_url: &str, key: Option<&str>, model: &str) -> ProviderSettings {
        ProviderSettings {
            provider,
            base_url: base_url.into(),
            api_key: key.map(Into::into),
            model: model.into(),
            connect_timeout: Duration::from_secs(5),
            first_token_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(60),
            pause_per_delta: Duration::ZERO,
            quirks: providers::quirks::of(provider, model),
            price: None,
            extras: Extras::default(),
        }
    }

    #[test]
    fn every_provider_can_be_built_from_its_defaults() {
        for provider in Provider::ALL {
            let url = provider.default_base_url().unwrap_or("http://localhost:11434/v1");
            let model = provider.default_models().first().copied().unwrap_or("llama3");
            let identity = build(&settings(provider, url, Some("key"), model)).unwrap().identity();
            assert_eq!((identity.provider.as_str(), identity.model.as_str()), (provider.name(), model));
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let fault = |settings| build(&settings).err().map(|error| error.to_string());
        let url = "https://example.org";
        assert_eq!(
            fault(settings(Provider::Gemini, url, None, "m")).as_deref(),
            Some("provider `gemini` needs an API key")
        );
        assert_eq!(
            fault(settings(Provider::Custom, url, None, " ")).as_deref(),
            Some("provider `custom` needs a model")
        );
        assert_eq!(
            fault(settings(Provider::Custom, "", None, "m")).as_deref(),
            Some("the base URL of provider `custom` is not usable: relative URL without a base")
        );
    }
}
