//! What a finish reason means. Providers have many words for few things, and some hide trouble behind "stop".

use super::chunk::Chunk;

/// How a reply ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// In the ordinary way; also what a word that we do not know stands for.
    Ordinary,
    /// A length limit cut it.
    Length,
    /// A content filter stopped it.
    Filtered,
    /// The model failed to write a call.
    MalformedCall,
    /// The provider failed.
    Failed,
}

/// The beginnings of words for a filter, in lower case.
const FILTERS: [&str; 6] =
    ["content_filter", "safety", "recitation", "blocklist", "prohibited_content", "spii"];

/// The beginnings of words for a call that could not be written, in lower case.
const MALFORMED: [&str; 3] = ["function_call_filter", "malformed", "tool_use_failed"];

impl Ending {
    /// Finds out how a chunk ends its reply, if it does. The word of the provider behind counts where it
    /// tells of trouble that the protocol's word hides.
    pub(super) fn of(chunk: &Chunk) -> Option<Self> {
        let native = chunk.native_finish.as_deref().map(Self::of_word);
        match native {
            Some(Self::Failed | Self::MalformedCall) if chunk.text.is_empty() => native,
            Some(Self::Ordinary | Self::Length | Self::Filtered | Self::MalformedCall | Self::Failed)
            | None => chunk.finish.as_deref().map(Self::of_word),
        }
    }

    fn of_word(word: &str) -> Self {
        let word = word.to_ascii_lowercase();
        let starts_like = |starts: &[&str]| starts.iter().any(|start| word.starts_with(start));
        if starts_like(&MALFORMED) {
            return Self::MalformedCall;
        }
        if starts_like(&FILTERS) {
            return Self::Filtered;
        }
        match word.as_str() {
            "length" | "max_tokens" | "max_output_tokens" => Self::Length,
            "error" | "network_error" => Self::Failed,
            _ => Self::Ordinary,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_all_providers_are_known() {
        let table = [
            ("stop", Ending::Ordinary),
            ("tool_calls", Ending::Ordinary),
            ("end_turn", Ending::Ordinary),
            ("a word of tomorrow", Ending::Ordinary),
            ("length", Ending::Length),
            ("MAX_TOKENS", Ending::Length),
            ("content_filter", Ending::Filtered),
            ("content_filter: PROHIBITED_CONTENT", Ending::Filtered),
            ("SAFETY", Ending::Filtered),
            ("function_call_filter: MALFORMED_FUNCTION_CALL", Ending::MalformedCall),
            ("error", Ending::Failed),
        ];
        for (word, expected) in table {
            let chunk = Chunk { finish: Some(word.into()), ..Chunk::default() };
            assert_eq!(Ending::of(&chunk), Some(expected), "{word}");
        }
        assert_eq!(Ending::of(&Chunk::default()), None);
    }
}
