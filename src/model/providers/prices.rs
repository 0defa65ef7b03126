//! What models cost. The list is short and dated; `LLM_PRICES` adds to it and stands over it.

use std::fmt;

use crate::{domain::Usage, model::Provider};

/// What a million tokens cost, in millionths of a US dollar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    input: u64,
    output: u64,
    cached_input: u64,
}

/// List prices as of 2026-11-20, of the default models and their neighbours; source: the package `genai-prices` 0.2.3.
/// Prices of long prompts, which some models double, are not in it.
const TABLE: [(Provider, &str, Price); 13] = [
    (Provider::OpenAi, "gpt-4o-mini", price(150_000, 600_000, 75_000)),
    (Provider::OpenAi, "gpt-4o", price(2_500_000, 10_000_000, 1_250_000)),
    (Provider::OpenAi, "gpt-4.1-mini", price(400_000, 1_600_000, 100_000)),
    (Provider::OpenAi, "gpt-5-mini", price(250_000, 2_000_000, 25_000)),
    (Provider::OpenAi, "gpt-6-luna", price(100_000, 500_000, 10_000)),
    (Provider::OpenAi, "gpt-6-sol", price(2_000_000, 10_000_000, 200_000)),
    (Provider::Gemini, "gemini-2.5-flash", price(300_000, 2_500_000, 30_000)),
    (Provider::Gemini, "gemini-2.5-flash-lite", price(100_000, 400_000, 10_000)),
    (Provider::Gemini, "gemini-3.5-flash-lite", price(300_000, 2_500_000, 30_000)),
    (Provider::Groq, "llama-3.3-70b-versatile", price(590_000, 790_000, 590_000)),
    (Provider::Groq, "openai/gpt-oss-120b", price(150_000, 600_000, 75_000)),
    (Provider::Groq, "openai/gpt-oss-20b", price(75_000, 300_000, 37_500)),
    (Provider::Demo, "demo", Price::FREE),
];

const fn price(input: u64, output: u64, cached_input: u64) -> Price {
    Price { input, output, cached_input }
}

impl Price {
    /// Costs nothing.
    pub(in crate::model) const FREE: Self = price(0, 0, 0);

    /// Returns what a call cost, in millionths of a US dollar, rounded to the nearest.
    pub(in crate::model) fn of(self, usage: &Usage) -> u64 {
        let cached = usage.cached_input_tokens.min(usage.input_tokens);
        let parts = [
            (usage.input_tokens - cached, self.input),
            (cached, self.cached_input),
            (usage.output_tokens, self.output),
        ];
        let sum: u128 = parts.into_iter().map(|(tokens, price)| u128::from(tokens) * u128::from(price)).sum();
        u64::try_from((sum + 500_000) / 1_000_000).unwrap_or(u64::MAX)
    }
}

/// Prices of an operator's own, by provider and model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prices(Vec<(Provider, String, Price)>);

/// Why a price cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceError(String);

impl fmt::Display for PriceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is no price; write provider/model=input:output or input:output:cached, in US dollars per million tokens",
            self.0
        )
    }
}

impl std::error::Error for PriceError {}

impl Prices {
    /// Reads prices such as `openai/gpt-4o-mini=0.15:0.60:0.075`, in US dollars per million tokens. Without the third
    /// number cached tokens cost what others cost.
    ///
    /// # Errors
    /// The first entry that is no price.
    pub fn parse(entries: &[String]) -> Result<Self, PriceError> {
        let read = |entry: &String| entry_of(entry).ok_or_else(|| PriceError(entry.clone()));
        entries.iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// Finds the price of a model: the operator's own, else that of the list.
    pub(in crate::model) fn find(&self, provider: Provider, model: &str) -> Option<Price> {
        let own = self.0.iter().map(|(of, prefix, price)| (*of, prefix.as_str(), *price));
        row_of(own, provider, model).or_else(|| row_of(TABLE.into_iter(), provider, model))
    }
}

/// Finds the row of a model.
fn row_of<'a>(
    rows: impl Iterator<Item = (Provider, &'a str, Price)>,
    provider: Provider,
    model: &str,
) -> Option<Price> {
    let model = model.trim_start_matches("models/");
    let mut fitting = rows.filter(|(of, name, _)| *of == provider && is_edition(model, name));
    fitting.next().map(|(_, _, price)| price)
}

/// Tells whether a model is the named one, or a dated edition of it such as `gpt-4o-mini-2024-07-18`. Another model whose
/// name begins the same has a price of its own.
fn is_edition(model: &str, name: &str) -> bool {
    model
        .strip_prefix(name)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("-20") || rest.starts_with("-0"))
}

fn entry_of(entry: &str) -> Option<(Provider, String, Price)> {
    let (selector, numbers) = entry.rsplit_once('=')?;
    let (provider, model) = selector.split_once('/')?;
    let numbers: Vec<u64> = numbers.split(':').map(micros).collect::<Option<_>>()?;
    let price = match *numbers.as_slice() {
        [input, output] => price(input, output, input),
        [input, output, cached] => price(input, output, cached),
        _ => return None,
    };
    Some((Provider::find(provider.trim())?, model.trim().to_owned(), price))
}

/// Reads US dollars as millionths; at most a million dollars.
fn micros(dollars: &str) -> Option<u64> {
    let micros = dollars.trim().parse::<f64>().ok()? * 1e6;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
    (0.0..=1e12).contains(&micros).then(|| micros.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prices(entries: &[&str]) -> Result<Prices, PriceError> {
        Prices::parse(&entries.iter().map(|entry| (*entry).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_call_costs_its_tokens_each_at_their_price() {
        let usage =
            Usage { input_tokens: 1_000, cached_input_tokens: 400, output_tokens: 200, ..Usage::default() };
        let price = Prices::default().find(Provider::OpenAi, "gpt-4o-mini-2024-07-18").unwrap();
        // 600 at 0.15, 400 at 0.075 and 200 at 0.60 millionths of a dollar.
        assert_eq!(price.of(&usage), 90 + 30 + 120);
    }

    #[test]
    fn an_operators_price_stands_over_the_list_and_an_unknown_model_has_none() {
        let own = prices(&["openai/gpt-4o-mini=1:2", "custom/llama:8b=0.1:0.2:0.05"]).unwrap();
        assert_eq!(own.find(Provider::OpenAi, "gpt-4o-mini"), Some(price(1_000_000, 2_000_000, 1_000_000)));
        assert_eq!(own.find(Provider::Custom, "llama:8b"), Some(price(100_000, 200_000, 50_000)));
        assert_eq!(own.find(Provider::Custom, "other"), None);
        assert_eq!(
            prices(&["openai/gpt-4=30:60"]).unwrap().find(Provider::OpenAi, "gpt-4o-realtime-preview"),
            None
        );
        assert!(own.find(Provider::Gemini, "models/gemini-2.5-flash").is_some());
    }

    #[test]
    fn what_is_no_price_is_named() {
        for entry in
            ["gpt=1:2", "openai/gpt", "openai/gpt=1", "openai/gpt=1:x", "openai/gpt=-1:2", "azure/m=1:2"]
        {
            assert!(prices(&[entry]).unwrap_err().to_string().starts_with(&format!("`{entry}` is no price")));
        }
    }

    #[test]
    fn every_default_model_but_the_free_ones_has_a_price() {
        for provider in Provider::ALL.into_iter().filter(|provider| *provider != Provider::OpenRouter) {
            for model in provider.default_models() {
                assert!(Prices::default().find(provider, model).is_some(), "{model}");
            }
        }
    }
}
