//! The model side: who answers. Everything that providers do differently ends in this room.
//!
//! - `providers`: the table of providers, their defaults and their quirks
//! - `chat_completions`: any provider that speaks OpenAI's chat completions
//! - `demo`: a keyless stand-in that understands a handful of sentences
//! - `estimate`: tokens, where a provider does not say

mod chat_completions;
mod demo;
mod estimate;
mod providers;

use std::sync::Arc;

pub use demo::Demo;
pub use providers::{Provider, ProviderSettings};

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
    #[error("the base URL `{url}` of provider `{provider}` is not usable: {reason}")]
    BadBaseUrl {
        /// The provider, as in `LLM_PROVIDER`.
        provider: &'static str,
        /// The URL as configured.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No model is named.
    #[error("provider `{provider}` needs a model")]
    NoModel {
        /// The provider, as in `LLM_PROVIDER`.
        provider: &'static str,
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
