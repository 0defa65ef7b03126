//! The providers by name, and the variables that belong to each.

use std::fmt;

/// A provider, as in `LLM_PROVIDER`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderName {
    /// OpenAI.
    Openai,
    /// Google's Gemini, through its chat completions.
    Gemini,
    /// Groq.
    Groq,
    /// OpenRouter.
    Openrouter,
    /// Any server that speaks chat completions.
    Custom,
    /// The built-in demo, which asks no model.
    Demo,
}

impl ProviderName {
    /// All of them, in the order in which they are offered.
    pub const ALL: [Self; 6] =
        [Self::Openai, Self::Gemini, Self::Groq, Self::Openrouter, Self::Custom, Self::Demo];

    /// Returns the word of the setting.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Openai => "openai",
            Self::Gemini => "gemini",
            Self::Groq => "groq",
            Self::Openrouter => "openrouter",
            Self::Custom => "custom",
            Self::Demo => "demo",
        }
    }

    /// Finds the provider of a word, in any case.
    pub fn find(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|provider| provider.as_str().eq_ignore_ascii_case(word))
    }
}

impl fmt::Display for ProviderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A provider that wants a key and whose address we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hosted {
    /// OpenAI.
    Openai,
    /// Google's Gemini.
    Gemini,
    /// Groq.
    Groq,
    /// OpenRouter.
    Openrouter,
}

impl Hosted {
    /// All of them, in the order in which their keys are looked for.
    pub(super) const ALL: [Self; 4] = [Self::Openai, Self::Gemini, Self::Groq, Self::Openrouter];

    /// Returns the variable of the key.
    pub const fn key_variable(self) -> &'static str {
        match self {
            Self::Openai => "OPENAI_API_KEY",
            Self::Gemini => "GEMINI_API_KEY",
            Self::Groq => "GROQ_API_KEY",
            Self::Openrouter => "OPENROUTER_API_KEY",
        }
    }

    /// Returns the variable of the model that is asked for.
    pub const fn model_variable(self) -> &'static str {
        match self {
            Self::Openai => "OPENAI_DEFAULT_MODEL",
            Self::Gemini => "GEMINI_DEFAULT_MODEL",
            Self::Groq => "GROQ_DEFAULT_MODEL",
            Self::Openrouter => "OPENROUTER_DEFAULT_MODEL",
        }
    }

    /// Returns the variable of the address.
    pub const fn base_url_variable(self) -> &'static str {
        match self {
            Self::Openai => "OPENAI_BASE_URL",
            Self::Gemini => "GEMINI_BASE_URL",
            Self::Groq => "GROQ_BASE_URL",
            Self::Openrouter => "OPENROUTER_BASE_URL",
        }
    }
}

impl From<Hosted> for ProviderName {
    fn from(provider: Hosted) -> Self {
        match provider {
            Hosted::Openai => Self::Openai,
            Hosted::Gemini => Self::Gemini,
            Hosted::Groq => Self::Groq,
            Hosted::Openrouter => Self::Openrouter,
        }
    }
}
