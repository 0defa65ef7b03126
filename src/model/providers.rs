//! The table of providers: names, defaults and quirks. A new provider is a new row here, not a new branch
//! elsewhere.

use std::time::Duration;

use secrecy::SecretString;

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
}

/// A row of the table.
struct Row {
    name: &'static str,
    environment_prefix: Option<&'static str>,
    base_url: Option<&'static str>,
    models: &'static [&'static str],
    quirks: Quirks,
}

/// Where a provider departs from the others, as far as a request or a reply has to know.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quirks {
    /// Whether it accepts `parallel_tool_calls`.
    pub(super) takes_parallel_tool_calls: bool,
    /// Whether it wants to be asked for usage with `stream_options`, and accepts being asked.
    pub(super) takes_stream_options: bool,
    /// Whether it accepts `prompt_cache_key`.
    pub(super) takes_cache_key: bool,
    /// What stands for the text of a reply that is calls only.
    pub(super) empty_content: EmptyContent,
    /// What it wants back with its own replies.
    pub(super) echo: Echo,
    /// Which part of JSON Schema it understands.
    pub(super) schema: Dialect,
    /// Headers that go with each request.
    pub(super) headers: &'static [(&'static str, &'static str)],
}

/// What stands for the text of a reply that is calls only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EmptyContent {
    /// `null`, as OpenAI has it.
    Null,
    /// `""`, for servers that refuse `null`.
    Blank,
}

/// What a provider wants back with its own replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Echo {
    /// Nothing.
    Nothing,
    /// `extra_content` of each call: Gemini's thought signatures, without which Gemini 3 answers 400.
    CallExtras,
    /// `reasoning_details` of the message: OpenRouter, for the Gemini and Anthropic models behind it.
    ReasoningDetails,
    /// `reasoning_content` of the message: DeepSeek answers 400 without it once tools were called.
    ReasoningContent,
}

/// Which part of JSON Schema a provider understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// All that our tools use.
    Full,
    /// Gemini's subset: no references, constants, type lists or closed objects.
    Gemini,
}

/// The quirks of a server that we know nothing about: only what every server accepts.
const PLAIN: Quirks = Quirks {
    takes_parallel_tool_calls: false,
    takes_stream_options: false,
    takes_cache_key: false,
    empty_content: EmptyContent::Blank,
    echo: Echo::Nothing,
    schema: Dialect::Full,
    headers: &[],
};

/// Models as of 2026-11-20: gpt-4o-mini ends 2027-01-14 (OpenAI's deprecations page).
const OPENAI: Row = Row {
    name: "openai",
    environment_prefix: Some("OPENAI"),
    base_url: Some("https://api.openai.com/v1"),
    models: &["gpt-4o-mini", "gpt-6-luna"],
    quirks: Quirks {
        takes_parallel_tool_calls: true,
        takes_stream_options: true,
        takes_cache_key: true,
        empty_content: EmptyContent::Null,
        ..PLAIN
    },
};

/// Models as of 2026-11-20: gemini-2.5-flash ends 2026-12-01 and is then routed to its successor.
const GEMINI: Row = Row {
    name: "gemini",
    environment_prefix: Some("GEMINI"),
    base_url: Some("https://generativelanguage.googleapis.com/v1beta/openai"),
    models: &["gemini-2.5-flash", "gemini-3.5-flash-lite"],
    quirks: Quirks {
        takes_stream_options: true,
        empty_content: EmptyContent::Null,
        echo: Echo::CallExtras,
        schema: Dialect::Gemini,
        ..PLAIN
    },
};

/// Models as of 2026-11-20: llama-3.3-70b-versatile was shut down 2026-08-16. Usage comes unasked, in
/// `x_groq`.
const GROQ: Row = Row {
    name: "groq",
    environment_prefix: Some("GROQ"),
    base_url: Some("https://api.groq.com/openai/v1"),
    models: &["llama-3.3-70b-versatile", "openai/gpt-oss-120b"],
    quirks: Quirks { takes_parallel_tool_calls: true, empty_content: EmptyContent::Null, ..PLAIN },
};

/// Models as of 2026-11-20: `:free` models vanish without notice; `openrouter/auto` is paid and stays.
const OPENROUTER: Row = Row {
    name: "openrouter",
    environment_prefix: Some("OPENROUTER"),
    base_url: Some("https://openrouter.ai/api/v1"),
    models: &["openai/gpt-oss-20b:free", "openrouter/auto"],
    quirks: Quirks {
        takes_parallel_tool_calls: true,
        takes_stream_options: true,
        echo: Echo::ReasoningDetails,
        headers: &[("x-title", "Parlor")],
        ..PLAIN
    },
};

/// No default: whoever runs a server knows its models. Strict servers refuse parameters that they do not
/// know.
const CUSTOM: Row = Row {
    name: "custom",
    environment_prefix: None,
    base_url: None,
    models: &[],
    quirks: Quirks { echo: Echo::ReasoningContent, ..PLAIN },
};

const DEMO: Row =
    Row { name: "demo", environment_prefix: None, base_url: None, models: &["demo"], quirks: PLAIN };

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

    /// Returns where it departs from the others.
    pub(super) const fn quirks(self) -> Quirks {
        self.row().quirks
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

/// Tells whether the model is of OpenAI's o-series, which refuses `parallel_tool_calls`.
pub(super) fn is_o_series(model: &str) -> bool {
    model.strip_prefix('o').is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
}

/// Tells whether the model takes tools on chat completions only with `reasoning_effort` "none".
pub(super) fn reasons_unless_told_not_to(model: &str) -> bool {
    model.starts_with("gpt-5.6") || model.starts_with("gpt-6")
}

/// Tells whether the model refuses a call in its history that has no thought signature: Gemini 3 and later.
pub(super) fn wants_thought_signature(model: &str) -> bool {
    !model.trim_start_matches("models/").starts_with("gemini-2")
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

    #[test]
    fn models_with_limits_of_their_own_are_known_by_their_names() {
        assert!(
            is_o_series("o3-mini")
                && is_o_series("o1")
                && !is_o_series("openai/o3")
                && !is_o_series("ollama")
        );
        assert!(reasons_unless_told_not_to("gpt-6-luna") && !reasons_unless_told_not_to("gpt-4o-mini"));
        assert!(
            wants_thought_signature("models/gemini-3-pro") && !wants_thought_signature("gemini-2.5-flash")
        );
    }
}
