//! The fast way through a chunk: one that holds a piece of text and nothing else, as nearly all do.
//!
//! It takes only what it knows entirely. A field with another name or of another type, and the chunk is read by
//! `chunk`, which knows everything and forgives everything, but makes a tree of each chunk.

use std::borrow::Cow;

use serde::{Deserialize, de::IgnoredAny};

use super::chunk::Chunk;

/// A chunk of the usual shape. A field that must not say anything is an `Option<()>`: only null will do.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Usual<'a> {
    #[serde(borrow)]
    choices: [Choice<'a>; 1],
    #[serde(borrow, default)]
    object: Option<Cow<'a, str>>,
    #[serde(default)]
    usage: Option<()>,
    #[serde(default)]
    error: Option<()>,
    #[serde(default, rename = "id")]
    _id: IgnoredAny,
    #[serde(default, rename = "created")]
    _created: IgnoredAny,
    #[serde(default, rename = "model")]
    _model: IgnoredAny,
    #[serde(default, rename = "provider")]
    _provider: IgnoredAny,
    #[serde(default, rename = "service_tier")]
    _service_tier: IgnoredAny,
    #[serde(default, rename = "system_fingerprint")]
    _system_fingerprint: IgnoredAny,
    #[serde(default, rename = "obfuscation")]
    _obfuscation: IgnoredAny,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Choice<'a> {
    #[serde(default)]
    index: Option<u64>,
    #[serde(borrow)]
    delta: Delta<'a>,
    #[serde(borrow, default)]
    finish_reason: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    native_finish_reason: Option<Cow<'a, str>>,
    #[serde(default, rename = "logprobs")]
    _logprobs: IgnoredAny,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Delta<'a> {
    #[serde(borrow, default)]
    content: Option<Cow<'a, str>>,
    #[serde(default)]
    refusal: Option<()>,
    #[serde(default)]
    tool_calls: Option<()>,
    #[serde(default)]
    reasoning: Option<()>,
    #[serde(default)]
    reasoning_content: Option<()>,
    #[serde(default, rename = "role")]
    _role: IgnoredAny,
}

/// Reads a chunk of the usual shape; nothing if it is not.
pub(super) fn parse(data: &str) -> Option<Chunk> {
    let usual: Usual<'_> = serde_json::from_str(data).ok()?;
    let Usual { choices: [choice], object, usage: None, error: None, .. } = usual else { return None };
    let Delta { content, refusal: None, tool_calls: None, reasoning: None, reasoning_content: None, .. } =
        choice.delta
    else {
        return None;
    };
    if object.is_some_and(|object| object == "error") || choice.index.is_some_and(|index| index > 0) {
        return None;
    }
    let word = |word: Option<Cow<'_, str>>| word.filter(|word| !word.is_empty()).map(Cow::into_owned);
    Some(Chunk {
        text: content.map(Cow::into_owned).unwrap_or_default(),
        finish: word(choice.finish_reason),
        native_finish: word(choice.native_finish_reason),
        ..Chunk::default()
    })
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;
    use crate::model::chat_completions::chunk;

    /// Returns the data of every event of every recorded reply.
    fn recorded() -> Vec<String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sse");
        let folders =
            fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
        let files =
            folders.flat_map(|folder| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()));
        let texts = files.map(|file| String::from_utf8_lossy(&fs::read(file).unwrap()).into_owned());
        texts.flat_map(|text| text.lines().filter_map(data).map(str::to_owned).collect::<Vec<_>>()).collect()
    }

    fn data(line: &str) -> Option<&str> {
        line.strip_prefix("data:").map(str::trim)
    }

    #[test]
    fn whatever_is_read_fast_is_read_as_it_was_read_slowly() {
        let all = recorded();
        let fast: Vec<&String> = all.iter().filter(|data| parse(data).is_some()).collect();
        for data in &fast {
            assert_eq!(vec![parse(data).unwrap()], chunk::parse(data).unwrap(), "{data}");
        }
        assert!(fast.len() > 100, "{} of {} chunks are usual", fast.len(), all.len());
    }

    #[test]
    fn what_says_more_than_a_piece_of_text_is_read_slowly() {
        for unusual in [
            r#"{"choices":[{"delta":{"content":"a"}},{"delta":{"content":"b"}}]}"#,
            r#"{"choices":[{"index":1,"delta":{"content":"a"}}]}"#,
            r#"{"choices":[{"delta":{"content":"a","thinking":"b"}}]}"#,
            r#"{"choices":[{"delta":{"content":"a","refusal":"no"}}]}"#,
            r#"{"choices":[{"delta":{"content":"a","tool_calls":[]}}]}"#,
            r#"{"choices":[{"delta":{"content":["a"]}}]}"#,
            r#"{"choices":[{"delta":{"content":"a"}}],"usage":{"prompt_tokens":1}}"#,
            r#"{"choices":[{"delta":{"content":"a"}}],"error":{"message":"b"}}"#,
            r#"{"choices":[{"delta":{"content":"a"}}],"object":"error"}"#,
            r#"{"choices":[{"delta":{"content":"a"}}],"x_groq":{}}"#,
            r#"[{"choices":[{"delta":{"content":"a"}}]}]"#,
        ] {
            assert_eq!(parse(unusual), None, "{unusual}");
        }
    }

    #[test]
    fn a_piece_of_text_is_read_fast() {
        let usual = r#"{"id":"x","object":"chat.completion.chunk","created":1,"model":"m","usage":null,"choices":[{"index":0,
            "delta":{"role":"assistant","content":"a\u00f1\n\ud83d\ude00"},"logprobs":null,"finish_reason":""}]}"#;
        assert_eq!(parse(usual), Some(Chunk { text: "a\u{f1}\n\u{1f600}".into(), ..Chunk::default() }));
    }
}
