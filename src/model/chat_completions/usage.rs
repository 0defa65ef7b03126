//! Reads what a reply cost. Providers agree on the three main numbers and on little else.

use serde_json::Value;

use crate::domain::Usage;

/// Reads a provider's usage object; nothing if it holds no numbers.
pub(super) fn read(usage: &Value) -> Option<Usage> {
    let number = |pointers: &[&str]| {
        pointers.iter().find_map(|pointer| usage.pointer(pointer).and_then(Value::as_u64))
    };
    let input = number(&["/prompt_tokens", "/input_tokens"]);
    let output = number(&["/completion_tokens", "/output_tokens"]);
    let total = number(&["/total_tokens"]);
    let (input_tokens, told) = (input.unwrap_or(0), output.unwrap_or(0));
    // Gemini counts what a model thinks in the total only; it is paid for like the rest of the output.
    let output_tokens = told.max(total.unwrap_or(0).saturating_sub(input_tokens));
    let reasoning = number(&["/completion_tokens_details/reasoning_tokens"]).unwrap_or(0);
    input.or(output).or(total).map(|_| Usage {
        input_tokens,
        output_tokens,
        total_tokens: total.unwrap_or_else(|| input_tokens.saturating_add(output_tokens)),
        cached_input_tokens: number(&["/prompt_tokens_details/cached_tokens", "/prompt_cache_hit_tokens"])
            .unwrap_or(0),
        reasoning_tokens: reasoning.max(output_tokens - told),
        model_calls: 1,
        estimated: false,
        cost_micros: cost(usage.get("cost")),
    })
}

/// Reads what OpenRouter says a call cost, in US dollars, as millionths.
fn cost(told: Option<&Value>) -> Option<u64> {
    let micros = told?.as_f64()? * 1e6;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
    (0.0..=1e15).contains(&micros).then(|| micros.round() as u64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_that_are_there_are_read_and_the_total_is_made_if_it_is_not() {
        let usage = read(&json!({
            "prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 8},
            "completion_tokens_details": {"reasoning_tokens": 3}, "cost": 0.1
        }));
        let expected = Usage {
            input_tokens: 10,
            output_tokens: 5,
            total_tokens: 15,
            cached_input_tokens: 8,
            reasoning_tokens: 3,
            model_calls: 1,
            estimated: false,
            cost_micros: Some(100_000),
        };
        assert_eq!(usage, Some(expected));
    }

    #[test]
    fn what_only_the_total_counts_was_thought() {
        let usage =
            read(&json!({"prompt_tokens": 107, "completion_tokens": 31, "total_tokens": 286})).unwrap();
        assert_eq!((usage.output_tokens, usage.reasoning_tokens, usage.total_tokens), (179, 148, 286));
        let usage = read(&json!({"total_tokens": 10})).unwrap();
        assert_eq!((usage.input_tokens, usage.output_tokens), (0, 10));
    }

    #[test]
    fn an_object_without_numbers_says_nothing() {
        for usage in [json!({}), json!({"queue_time": 0.1}), json!({"prompt_tokens": null}), json!("x")] {
            assert_eq!(read(&usage), None, "{usage}");
        }
    }
}
