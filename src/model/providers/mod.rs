//! The table of providers: names, addresses and default models. `quirks` says where they and their models differ,
//! `prices` what they cost. A new provider is a new row here, not a new branch elsewhere.

#[cfg(test)]
mod document;
mod extras;
mod overrides;
mod prices;
pub(in crate::model) mod quirks;

use std::time::Duration;

use secrecy::SecretString;

pub use extras::{Extras, ExtrasError};
pub use overrides::{OverrideError, QuirkOverrides};
pub use prices::{Price, PriceError, Prices};
pub use quirks::Quirks;

/// A provider of models, as `LLM_PROVIDER` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Provider {
    /// OpenAI.
    OpenAi,
    /// Google's Gemini, through its OpenAI-compatible endpoint.
    Gemini,
    /// Groq.
    Groq,
    /// OpenRouter.
    OpenRouter,
    /// Any other server with chat completions: Ollama, llama.cpp, vLLM, LM Studio, DeepSeek, Azure.
    Custom,
    /// The keyless demo.
    Demo,
}

/// What one model is made from. It has no `Debug`, so that no log can show the key.
pub struct ProviderSettings {
    /// The provider.
    pub provider: Provider,
    /// Where its API begins, such as `https://api.openai.com/v1`.
    pub base_url: String,
    /// The key; only `custom` and `demo` go without.
    pub api_key: Option<SecretString>,
    /// The provider's name of the model.
    pub model: String,
    /// How long a connection may take.
    pub connect_timeout: Duration,
    /// How long the first event of a reply may take, from sending on.
    pub first_token_timeout: Duration,
    /// How long a reply may be silent once it has begun.
    pub idle_timeout: Duration,
    /// How long the demo waits before each word; the others ignore it.
    pub pause_per_delta: Duration,
    /// Where the model departs from others.
    pub quirks: Quirks,
    /// What it costs, if that is known.
    pub price: Option<Price>,
    /// What goes with each request beside what every server takes.
    pub extras: Extras,
}

/// What an operator knows better than our tables.
#[derive(Clone, Debug, Default)]
pub struct Corrections {
    /// Of the quirk table.
    pub quirks: QuirkOverrides,
    /// Of the price list.
    pub prices: Prices,
}

impl Corrections {
    /// Returns the quirks of a model.
    pub fn quirks(&self, provider: Provider, model: &str) -> Quirks {
        self.quirks.applied_to(quirks::of(provider, model), provider, model)
    }

    /// Returns the price of a model, if it is known.
    pub fn price(&self, provider: Provider, model: &str) -> Option<Price> {
        self.prices.find(provider, model)
    }
}

/// A row of the table.
struct Row {
    name: &'static str,
    environment_prefix: Option<&'static str>,
    base_url: Option<&'static str>,
    models: &'static [&'static str],
}

/// Models as of 2026-11-20: gpt-4o-mini ends 2027-01-14 (OpenAI's deprecations page).
const OPENAI: Row = Row {
    name: "openai",
    environment_prefix: Some("OPENAI"),
    base_url: Some("https://api.openai.com/v1"),
    models: &["gpt-4o-mini", "gpt-6-luna"],
};

/// Models as of 2026-11-20: gemini-2.5-flash ends 2026-12-01 and is then routed to its successor.
const GEMINI: Row = Row {
    name: "gemini",
    environment_prefix: Some("GEMINI"),
    base_url: Some("https://generativelanguage.googleapis.com/v1beta/openai"),
    models: &["gemini-2.5-flash", "gemini-3.5-flash-lite"],
};

/// Models as of 2026-11-20: llama-3.3-70b-versatile was shut down 2026-08-16.
const GROQ: Row = Row {
    name: "groq",
    environment_prefix: Some("GROQ"),
    base_url: Some("https://api.groq.com/openai/v1"),
    models: &["llama-3.3-70b-versatile", "openai/gpt-oss-120b"],
};

/// Models as of 2026-11-20: `:free` models vanish without notice; `openrouter/auto` is paid and stays.
const OPENROUTER: Row = Row {
    name: "openrouter",
    environment_prefix: Some("OPENROUTER"),
    base_url: Some("https://openrouter.ai/api/v1"),
    models: &["openai/gpt-oss-20b:free", "openrouter/auto"],
};

/// No default: whoever runs a server knows its models.
const CUSTOM: Row = Row { name: "custom", environment_prefix: None, base_url: None, models: &[] };

const DEMO: Row = Row { name: "demo", environment_prefix: None, base_url: None, models: &["demo"] };

impl Provider {
    /// Every provider, in the order of the documentation.
    pub const ALL: [Self; 6] =
        [Self::OpenAi, Self::Gemini, Self::Groq, Self::OpenRouter, Self::Custom, Self::Demo];

    /// Finds the provider of a name, as in `LLM_PROVIDER`; case does not matter.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|provider| provider.name().eq_ignore_ascii_case(name))
    }

    /// Returns the name, as in `LLM_PROVIDER`.
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// Returns the beginning of its variables, such as `OPENAI` of `OPENAI_API_KEY`; `custom` has `LLM_*`
    /// instead.
    pub const fn environment_prefix(self) -> Option<&'static str> {
        self.row().environment_prefix
    }

    /// Returns where its API begins if nothing is configured; without a slash at the end.
    pub const fn default_base_url(self) -> Option<&'static str> {
        self.row().base_url
    }

    /// Returns its models to try if none is configured: the classic default, then its successor.
    pub const fn default_models(self) -> &'static [&'static str] {
        self.row().models
    }

    /// Tells whether it is of no use without a key.
    pub const fn needs_key(self) -> bool {
        match self {
            Self::OpenAi | Self::Gemini | Self::Groq | Self::OpenRouter => true,
            Self::Custom | Self::Demo => false,
        }
    }

    const fn row(self) -> &'static Row {
        match self {
            Self::OpenAi => &OPENAI,
            Self::Gemini => &GEMINI,
            Self::Groq => &GROQ,
            Self::OpenRouter => &OPENROUTER,
            Self::Custom => &CUSTOM,
            Self::Demo => &DEMO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_provider_is_found_by_its_name() {
        for provider in Provider::ALL {
            assert_eq!(Provider::find(provider.name()), Some(provider));
            assert_eq!(Provider::find(&provider.name().to_uppercase()), Some(provider));
        }
        assert_eq!(Provider::find("azure"), None);
    }

    #[test]
    fn a_provider_that_needs_a_key_has_a_url_a_prefix_and_a_successor_to_its_model() {
        for provider in Provider::ALL.into_iter().filter(|provider| provider.needs_key()) {
            let url = provider.default_base_url().unwrap();
            assert!(url.starts_with("https://") && !url.ends_with('/'), "{url}");
            assert!(provider.environment_prefix().is_some());
            assert_eq!(provider.default_models().len(), 2);
        }
    }
}
