//! The quirk table: where a provider, or one of its models, departs from the others. A new peculiarity is a row or a
//! column here, not a branch elsewhere. `docs/providers.md` shows it, and `LLM_QUIRKS` overrides any value of it.

use super::Provider;

/// Where a model departs from the others, as far as a request or a reply has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quirks {
    /// Whether it accepts `parallel_tool_calls`.
    pub(in crate::model) takes_parallel_tool_calls: bool,
    /// Whether it wants to be asked for usage with `stream_options`, and accepts being asked.
    pub(in crate::model) takes_stream_options: bool,
    /// Whether it accepts `prompt_cache_key`.
    pub(in crate::model) takes_cache_key: bool,
    /// Whether it takes tools only if it is told not to reason, with `reasoning_effort` "none".
    pub(in crate::model) must_not_reason: bool,
    /// What stands for the text of a reply that is calls only.
    pub(in crate::model) empty_content: EmptyContent,
    /// What it wants back with its own replies.
    pub(in crate::model) echo: Echo,
    /// Whether it refuses a call in its history that has no thought signature.
    pub(in crate::model) wants_signature: bool,
    /// Which part of JSON Schema it understands.
    pub(in crate::model) schema: Dialect,
    /// How many tokens it reads and writes together, if that is known.
    pub(in crate::model) context_window: Option<usize>,
    /// Headers that go with each request.
    pub(in crate::model) headers: &'static [(&'static str, &'static str)],
}

/// What stands for the text of a reply that is calls only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::model) enum EmptyContent {
    /// `null`, as OpenAI has it.
    Null,
    /// `""`, for servers that refuse `null`.
    Blank,
}

/// What a provider wants back with its own replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::model) enum Echo {
    /// Nothing.
    Nothing,
    /// `extra_content` of each call: Gemini's thought signatures.
    CallExtras,
    /// `reasoning_details` of the message: OpenRouter, for the Gemini and Anthropic models behind it.
    ReasoningDetails,
    /// `reasoning_content` of the message: DeepSeek answers 400 without it once tools were called.
    ReasoningContent,
}

/// Which part of JSON Schema a provider understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::model) enum Dialect {
    /// All that our tools use.
    Full,
    /// Gemini's subset: no references, constants, type lists or closed objects.
    Gemini,
    /// OpenAI's structured outputs: closed objects of which every field is there. By override only.
    OpenAiStrict,
}

/// A row of the table: a provider, the beginning of a model's name, and the quirks.
pub(super) struct Row {
    pub(super) provider: Provider,
    pub(super) prefix: &'static str,
    pub(super) quirks: Quirks,
}

/// The quirks of a server that we know nothing about: only what every server accepts.
const PLAIN: Quirks = Quirks {
    takes_parallel_tool_calls: false,
    takes_stream_options: false,
    takes_cache_key: false,
    must_not_reason: false,
    empty_content: EmptyContent::Blank,
    echo: Echo::Nothing,
    wants_signature: false,
    schema: Dialect::Full,
    context_window: None,
    headers: &[],
};

const OPENAI: Quirks = Quirks {
    takes_parallel_tool_calls: true,
    takes_stream_options: true,
    takes_cache_key: true,
    empty_content: EmptyContent::Null,
    context_window: Some(128_000),
    ..PLAIN
};

/// The o-series refuses `parallel_tool_calls`.
const O_SERIES: Quirks = Quirks { takes_parallel_tool_calls: false, context_window: Some(200_000), ..OPENAI };

/// From 5.6 on tools work on chat completions only without reasoning; leaving the word out is refused too.
const GPT_6: Quirks = Quirks { must_not_reason: true, context_window: Some(1_050_000), ..OPENAI };

/// It once refused `parallel_tool_calls` and `null` schemas alike; what it takes today differs from model to model.
const GEMINI: Quirks = Quirks {
    takes_stream_options: true,
    empty_content: EmptyContent::Null,
    echo: Echo::CallExtras,
    wants_signature: true,
    schema: Dialect::Gemini,
    context_window: Some(1_000_000),
    ..PLAIN
};

/// Usage comes unasked, in `x_groq`.
const GROQ: Quirks = Quirks {
    takes_parallel_tool_calls: true,
    empty_content: EmptyContent::Null,
    context_window: Some(131_072),
    ..PLAIN
};

const OPENROUTER: Quirks = Quirks {
    takes_parallel_tool_calls: true,
    takes_stream_options: true,
    echo: Echo::ReasoningDetails,
    headers: &[("x-title", "Parlor")],
    ..PLAIN
};

/// Strict servers refuse parameters that they do not know, so little is sent. But llama.cpp, vLLM and Ollama count
/// tokens only if they are asked to; a server that refuses the question is not asked a second time.
const CUSTOM: Quirks = Quirks { takes_stream_options: true, echo: Echo::ReasoningContent, ..PLAIN };

/// The table, as of 2026-11-20. Of the rows of a provider the one with the longest fitting prefix counts.
pub(super) const TABLE: [Row; 14] = [
    row(Provider::OpenAi, "", OPENAI),
    row(Provider::OpenAi, "gpt-4.1", Quirks { context_window: Some(1_000_000), ..OPENAI }),
    row(Provider::OpenAi, "gpt-5", Quirks { context_window: Some(400_000), ..OPENAI }),
    row(Provider::OpenAi, "gpt-5.6", Quirks { context_window: Some(400_000), ..GPT_6 }),
    row(Provider::OpenAi, "gpt-6", GPT_6),
    row(Provider::OpenAi, "o1", O_SERIES),
    row(Provider::OpenAi, "o3", O_SERIES),
    row(Provider::OpenAi, "o4", O_SERIES),
    row(Provider::Gemini, "", GEMINI),
    row(Provider::Gemini, "gemini-2", Quirks { wants_signature: false, ..GEMINI }),
    row(Provider::Groq, "", GROQ),
    row(Provider::OpenRouter, "", OPENROUTER),
    row(Provider::Custom, "", CUSTOM),
    row(Provider::Demo, "", PLAIN),
];

const fn row(provider: Provider, prefix: &'static str, quirks: Quirks) -> Row {
    Row { provider, prefix, quirks }
}

/// Finds the quirks of a model.
pub(in crate::model) fn of(provider: Provider, model: &str) -> Quirks {
    row_of(provider, model).map_or(PLAIN, |row| row.quirks)
}

/// Tells whether two models of a provider are of one family, so that one takes what the other wanted back: the same row of
/// the table, and the same maker where names begin with one.
pub(in crate::model) fn are_family(provider: Provider, one: &str, other: &str) -> bool {
    let family = |model: &'_ str| {
        let maker = model.split_once('/').map(|(maker, _)| maker.to_owned());
        (row_of(provider, model).map(|row| row.prefix), maker)
    };
    family(plain(one)) == family(plain(other))
}

fn row_of(provider: Provider, model: &str) -> Option<&'static Row> {
    let fitting = TABLE.iter().filter(|row| row.provider == provider && plain(model).starts_with(row.prefix));
    fitting.max_by_key(|row| row.prefix.len())
}

/// Returns a model's name without what Gemini's own lists have before it.
fn plain(model: &str) -> &str {
    model.trim_start_matches("models/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_counts_and_every_provider_has_a_row_without_one() {
        assert_eq!(of(Provider::OpenAi, "gpt-5-mini").context_window, Some(400_000));
        assert!(of(Provider::OpenAi, "gpt-5.6-mini").must_not_reason);
        assert!(!of(Provider::OpenAi, "o3-mini").takes_parallel_tool_calls);
        assert!(of(Provider::OpenRouter, "openai/o3").takes_parallel_tool_calls);
        for provider in Provider::ALL {
            let rows = TABLE.iter().filter(|row| row.provider == provider && row.prefix.is_empty());
            assert_eq!(rows.count(), 1, "{provider:?}");
        }
    }

    #[test]
    fn a_family_is_a_row_of_the_table_and_a_maker() {
        let are = |provider, one, other| are_family(provider, one, other);
        assert!(are(Provider::Gemini, "gemini-3.5-flash-lite", "models/gemini-3-pro"));
        assert!(!are(Provider::Gemini, "gemini-3.5-flash-lite", "gemini-2.5-flash"));
        assert!(are(Provider::OpenRouter, "google/gemini-3-pro", "google/gemini-2.5-flash"));
        assert!(!are(Provider::OpenRouter, "google/gemini-3-pro", "anthropic/claude-5"));
        assert!(are(Provider::Custom, "deepseek-chat", "deepseek-reasoner"));
    }

    #[test]
    fn gemini_wants_signatures_from_its_third_generation_on() {
        assert!(of(Provider::Gemini, "models/gemini-3-pro").wants_signature);
        assert!(!of(Provider::Gemini, "models/gemini-2.5-flash").wants_signature);
    }
}
