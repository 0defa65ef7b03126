//! `LLM_QUIRKS`: what an operator knows better than the quirk table, such as
//! `custom schema=gemini stream_options=false; openai/o3 parallel_tool_calls=false`.
//!
//! Each group names a provider, with the beginning of a model's name behind a slash if it is not for all of them, and
//! then values by their names.

use std::fmt;

use super::{
    Provider,
    quirks::{Dialect, Echo, EmptyContent, Quirks},
};

/// Overrides of the table, in their order; a later one counts more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QuirkOverrides(Vec<Override>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Override {
    provider: Provider,
    prefix: String,
    values: Vec<(Name, String)>,
}

/// A column of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    ParallelToolCalls,
    StreamOptions,
    CacheKey,
    NoReasoning,
    EmptyContent,
    Echo,
    Signature,
    Schema,
    ContextWindow,
}

impl Name {
    pub(super) const ALL: [Self; 9] = [
        Self::ParallelToolCalls,
        Self::StreamOptions,
        Self::CacheKey,
        Self::NoReasoning,
        Self::EmptyContent,
        Self::Echo,
        Self::Signature,
        Self::Schema,
        Self::ContextWindow,
    ];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::ParallelToolCalls => "parallel_tool_calls",
            Self::StreamOptions => "stream_options",
            Self::CacheKey => "cache_key",
            Self::NoReasoning => "no_reasoning",
            Self::EmptyContent => "empty_content",
            Self::Echo => "echo",
            Self::Signature => "signature",
            Self::Schema => "schema",
            Self::ContextWindow => "context_window",
        }
    }

    /// Returns the value as the table of the documentation shows it, and as an override takes it.
    #[cfg(test)]
    pub(super) fn shown(self, quirks: &Quirks) -> String {
        match self {
            Self::ParallelToolCalls => quirks.takes_parallel_tool_calls.to_string(),
            Self::StreamOptions => quirks.takes_stream_options.to_string(),
            Self::CacheKey => quirks.takes_cache_key.to_string(),
            Self::NoReasoning => quirks.must_not_reason.to_string(),
            Self::EmptyContent => word_of(&EMPTY_CONTENTS, &quirks.empty_content),
            Self::Echo => word_of(&ECHOES, &quirks.echo),
            Self::Signature => quirks.wants_signature.to_string(),
            Self::Schema => word_of(&DIALECTS, &quirks.schema),
            Self::ContextWindow => {
                quirks.context_window.map_or_else(|| "unknown".into(), |tokens| tokens.to_string())
            }
        }
    }

    /// Sets the value; nothing if it is none of this column.
    fn set(self, quirks: &mut Quirks, value: &str) -> Option<()> {
        match self {
            Self::ParallelToolCalls => quirks.takes_parallel_tool_calls = value.parse().ok()?,
            Self::StreamOptions => quirks.takes_stream_options = value.parse().ok()?,
            Self::CacheKey => quirks.takes_cache_key = value.parse().ok()?,
            Self::NoReasoning => quirks.must_not_reason = value.parse().ok()?,
            Self::EmptyContent => quirks.empty_content = find(&EMPTY_CONTENTS, value)?,
            Self::Echo => quirks.echo = find(&ECHOES, value)?,
            Self::Signature => quirks.wants_signature = value.parse().ok()?,
            Self::Schema => quirks.schema = find(&DIALECTS, value)?,
            Self::ContextWindow => {
                quirks.context_window = match value {
                    "unknown" => None,
                    tokens => Some(tokens.parse().ok().filter(|tokens| *tokens > 0)?),
                };
            }
        }
        Some(())
    }
}

const EMPTY_CONTENTS: [(&str, EmptyContent); 2] =
    [("null", EmptyContent::Null), ("blank", EmptyContent::Blank)];

const ECHOES: [(&str, Echo); 4] = [
    ("nothing", Echo::Nothing),
    ("extra_content", Echo::CallExtras),
    ("reasoning_details", Echo::ReasoningDetails),
    ("reasoning_content", Echo::ReasoningContent),
];

const DIALECTS: [(&str, Dialect); 3] =
    [("full", Dialect::Full), ("gemini", Dialect::Gemini), ("openai-strict", Dialect::OpenAiStrict)];

fn find<T: Copy>(words: &[(&str, T)], word: &str) -> Option<T> {
    words.iter().find(|(known, _)| *known == word).map(|(_, value)| *value)
}

#[cfg(test)]
fn word_of<T: PartialEq>(words: &[(&str, T)], value: &T) -> String {
    words.iter().find(|(_, known)| known == value).map_or_else(String::new, |(word, _)| (*word).to_owned())
}

/// Why overrides cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverrideError(String);

impl fmt::Display for OverrideError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for OverrideError {}

impl QuirkOverrides {
    /// Reads overrides.
    ///
    /// # Errors
    /// What the first word is that cannot be understood, and what may stand there.
    pub fn parse(text: &str) -> Result<Self, OverrideError> {
        let groups = text.split(';').map(str::trim).filter(|group| !group.is_empty());
        groups.map(Override::parse).collect::<Result<_, _>>().map(Self)
    }

    /// Applies what is for a model.
    pub(in crate::model) fn applied_to(&self, mut quirks: Quirks, provider: Provider, model: &str) -> Quirks {
        let fitting = self.0.iter().filter(|one| one.provider == provider && model.starts_with(&one.prefix));
        for (name, value) in fitting.flat_map(|one| &one.values) {
            let _ = name.set(&mut quirks, value); // checked when it was read
        }
        quirks
    }
}

impl Override {
    fn parse(group: &str) -> Result<Self, OverrideError> {
        let mut words = group.split_whitespace();
        let selector = words.next().unwrap_or_default();
        let (name, prefix) = selector.split_once('/').unwrap_or((selector, ""));
        let Some(provider) = Provider::find(name) else {
            let known = Provider::ALL.map(Provider::name).join(", ");
            return Err(OverrideError(format!("`{name}` is no provider; there are {known}")));
        };
        let values = words.map(value).collect::<Result<_, _>>()?;
        Ok(Self { provider, prefix: prefix.into(), values })
    }
}

fn value(word: &str) -> Result<(Name, String), OverrideError> {
    let (name, value) = word.split_once('=').unwrap_or((word, ""));
    let Some(found) = Name::ALL.into_iter().find(|known| known.as_str() == name) else {
        let known = Name::ALL.map(Name::as_str).join(", ");
        return Err(OverrideError(format!("`{name}` is no quirk; there are {known}")));
    };
    match found.set(&mut super::quirks::of(Provider::Demo, ""), value) {
        Some(()) => Ok((found, value.into())),
        None => Err(OverrideError(format!("`{value}` is no value of {name}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::providers::quirks::{TABLE, of};

    fn fault(text: &str) -> String {
        QuirkOverrides::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn an_override_changes_what_it_names_and_where_it_fits() {
        let text =
            "custom schema=gemini stream_options=false; openai/o3 parallel_tool_calls=true context_window=9";
        let overrides = QuirkOverrides::parse(text).unwrap();
        let of = |provider, model| overrides.applied_to(of(provider, model), provider, model);
        let custom = of(Provider::Custom, "llama3");
        assert_eq!((custom.schema, custom.takes_stream_options), (Dialect::Gemini, false));
        let strict = QuirkOverrides::parse("openai schema=openai-strict").unwrap();
        let luna = strict.applied_to(super::super::quirks::of(Provider::OpenAi, "x"), Provider::OpenAi, "x");
        assert_eq!(luna.schema, Dialect::OpenAiStrict);
        assert_eq!((of(Provider::OpenAi, "o3-mini").context_window), Some(9));
        assert_eq!(of(Provider::OpenAi, "o1"), super::super::quirks::of(Provider::OpenAi, "o1"));
        assert_eq!(QuirkOverrides::parse(" ; "), Ok(QuirkOverrides::default()));
    }

    #[test]
    fn what_cannot_be_understood_is_named() {
        assert!(fault("azure x=1").starts_with("`azure` is no provider; there are openai,"));
        assert!(fault("openai x=1").starts_with("`x` is no quirk; there are parallel_tool_calls,"));
        assert_eq!(fault("openai schema=odd"), "`odd` is no value of schema");
        assert_eq!(fault("openai context_window=0"), "`0` is no value of context_window");
    }

    #[test]
    fn every_value_of_the_table_can_be_written_as_an_override() {
        for row in &TABLE {
            for name in Name::ALL {
                let mut quirks = row.quirks;
                assert_eq!(name.set(&mut quirks, &name.shown(&row.quirks)), Some(()));
                assert_eq!(quirks, row.quirks);
            }
        }
    }
}
