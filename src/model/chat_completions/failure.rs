//! Sorts everything that goes wrong into kinds that the agent can act on. Providers agree on the status codes
//! and on no body, so the words in it count where the status says too little.

use std::time::Duration;

use chrono::DateTime;
use http::{HeaderMap, StatusCode, header};
use serde_json::Value;

use crate::domain::{ModelError, ModelErrorKind, cut_at};

/// The most of a provider's words that goes to the log, in bytes.
const DETAIL_LIMIT: usize = 2 * 1024;

/// The phrases of a request that is longer than the model's context.
const OVERFLOW: [&str; 11] = [
    "context_length_exceeded",
    "exceed_context_size",
    "context length",
    "context window",
    "context size",
    "maximum context",
    "too many tokens",
    "prompt is too long",
    "request too large",
    "input token count",
    "maximum number of tokens allowed",
];

/// What stands before the number of tokens that a model takes: as llama.cpp says it, and as the others do.
const CONTEXT_LIMITS: [&str; 3] = ["n_ctx", "maximum context length is", "tokens allowed ("];

/// The smallest number of tokens that is believed to be what a model takes.
const SMALLEST_CONTEXT: usize = 1_024;

/// The fields of an error that hold the provider's own words. Others repeat what it was sent.
const WORDS: [&str; 9] = ["message", "msg", "code", "type", "status", "reason", "param", "error", "raw"];

/// What a provider says about an error, as far as it can be made out.
struct Said {
    status: Option<u16>,
    words: String,
}

/// Sorts an answer that is not a stream: one with an error status, or with an error in spite of a good one,
/// as OpenRouter sends it.
pub(super) fn of_answer(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> ModelError {
    let text = String::from_utf8_lossy(body);
    let parsed = serde_json::from_slice::<Value>(body).unwrap_or_default();
    let said = Said::of(&parsed, &text);
    let kind = match said.status {
        _ if !status.is_success() => said.kind(Some(status.as_u16())),
        Some(told) => said.kind(Some(told)),
        None => ModelErrorKind::MalformedReply,
    };
    let retry_after = retry_after(headers).or_else(|| retry_delay(&parsed));
    let context_limit = said.context_limit(kind);
    ModelError { retry_after, context_limit, ..ModelError::new(kind, format!("{status}: {}", text.trim())) }
}

/// Sorts an error object inside a stream.
pub(super) fn of_error(error: &Value) -> ModelError {
    let text = error.to_string();
    let said = Said::of(error, &text);
    let kind = said.kind(said.status);
    let (retry_after, context_limit) = (retry_delay(error), said.context_limit(kind));
    ModelError { retry_after, context_limit, ..ModelError::new(kind, format!("in the stream: {text}")) }
}

/// Sorts the data of an event that is named `error`.
pub(super) fn of_event(data: &str) -> ModelError {
    of_error(&serde_json::from_str(data).unwrap_or_else(|_| Value::String(data.to_owned())))
}

/// Sorts an error of the connection, before the answer or inside it.
pub(super) fn of_transport(error: reqwest::Error) -> ModelError {
    let kind = if error.is_connect() {
        ModelErrorKind::Upstream
    } else if error.is_timeout() {
        ModelErrorKind::Timeout
    } else if error.is_body() || error.is_decode() {
        ModelErrorKind::StreamLost
    } else if error.is_builder() {
        ModelErrorKind::InvalidRequest
    } else {
        ModelErrorKind::Upstream
    };
    ModelError { source: Some(Box::new(error)), ..ModelError::new(kind, "the connection failed") }
}

/// Makes a detail fit for the log: without the secrets, without control characters, and cut.
pub(super) fn scrub<'a>(detail: &str, secrets: impl IntoIterator<Item = &'a str>) -> String {
    let secrets = secrets.into_iter().filter(|secret| !secret.is_empty());
    let detail = secrets.fold(detail.to_owned(), |detail, secret| detail.replace(secret, "[key]"));
    let mut scrubbed = String::new();
    for character in cut_at(&detail, DETAIL_LIMIT).chars() {
        if character.is_control() {
            scrubbed.extend(character.escape_default());
        } else {
            scrubbed.push(character);
        }
    }
    if detail.len() > DETAIL_LIMIT { scrubbed + " [cut]" } else { scrubbed }
}

impl Said {
    /// Reads a body: an error under `error` or by itself, an object or a text, in a list or not.
    fn of(body: &Value, text: &str) -> Self {
        let body = body.as_array().and_then(|list| list.first()).unwrap_or(body);
        let error = body.get("error").unwrap_or(body);
        let number = |key: &str| match error.get(key)? {
            Value::Number(number) => number.as_u64().and_then(|number| u16::try_from(number).ok()),
            Value::String(word) => word.parse().ok(),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        };
        let status = ["code", "status", "status_code"].into_iter().find_map(number);
        Self {
            status: status.filter(|status| (400..600).contains(status)),
            words: words(body, text).to_lowercase(),
        }
    }

    fn has(&self, phrases: &[&str]) -> bool {
        phrases.iter().any(|phrase| self.words.contains(phrase))
    }

    /// Finds the kind: by words that are plainer than any status, then by the status, then by vaguer words.
    fn kind(&self, status: Option<u16>) -> ModelErrorKind {
        let is_refusal = status.is_none_or(|status| (400..500).contains(&status) && status != 429);
        let is_overflow_status = is_refusal || status == Some(500);
        if self.has(&["tool_use_failed", "malformed_function_call"]) {
            ModelErrorKind::MalformedReply // first, for this body repeats what the model wrote
        } else if self.has(&["insufficient_quota", "insufficient credits"]) {
            ModelErrorKind::Quota
        } else if is_overflow_status && self.has(&OVERFLOW) {
            ModelErrorKind::ContextOverflow
        } else if is_refusal
            && self.has(&["content_filter", "content_policy", "responsibleaipolicy", "flagged"])
        {
            ModelErrorKind::ContentFiltered
        } else if is_refusal && self.has(&["model_not_found", "model_decommissioned", "not a valid model"]) {
            ModelErrorKind::NotFound
        } else if is_refusal && self.has(&["api_key_invalid", "invalid_api_key", "api key not valid"]) {
            ModelErrorKind::Auth
        } else {
            status.map_or_else(|| self.kind_without_status(), kind_of_status)
        }
    }

    /// Finds how many tokens the model takes, in the words of an answer that says that they were too many.
    fn context_limit(&self, kind: ModelErrorKind) -> Option<usize> {
        if kind != ModelErrorKind::ContextOverflow {
            return None;
        }
        let behind = CONTEXT_LIMITS.iter().find_map(|words| self.words.split_once(words))?.1;
        let digits = behind.trim_start_matches(['"', ':', ' ']).chars();
        let number: String = digits
            .take_while(|sign| sign.is_ascii_digit() || [',', '_'].contains(sign))
            .filter(char::is_ascii_digit)
            .collect();
        number.parse().ok().filter(|limit| *limit >= SMALLEST_CONTEXT)
    }

    fn kind_without_status(&self) -> ModelErrorKind {
        if self.has(&["rate_limit", "rate limit", "resource_exhausted"]) {
            ModelErrorKind::RateLimited
        } else if self.has(&["invalid_request_error", "invalid_argument"]) {
            ModelErrorKind::InvalidRequest
        } else {
            ModelErrorKind::Upstream
        }
    }
}

/// Collects the provider's own words; of a body that is no JSON, all of it.
fn words(body: &Value, text: &str) -> String {
    let mut words = Vec::new();
    let mut open = vec![(body, true)];
    while let Some((value, is_own)) = open.pop() {
        match value {
            Value::String(word) if is_own => words.push(word.clone()),
            Value::Array(values) => open.extend(values.iter().map(|value| (value, is_own))),
            Value::Object(fields) => {
                if let Some(limit) = fields.get("n_ctx") {
                    words.push(format!("n_ctx {limit}"));
                }
                let nested = ["errors", "detail", "details", "metadata"];
                let known = fields
                    .iter()
                    .filter(|(name, _)| WORDS.contains(&name.as_str()) || nested.contains(&name.as_str()));
                open.extend(known.map(|(_, value)| (value, true)));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    if body.is_object() || body.is_array() || body.is_string() { words.join("\n") } else { text.to_owned() }
}

fn kind_of_status(status: u16) -> ModelErrorKind {
    match status {
        401 | 403 => ModelErrorKind::Auth,
        402 => ModelErrorKind::Quota,
        404 => ModelErrorKind::NotFound,
        413 => ModelErrorKind::ContextOverflow,
        429 => ModelErrorKind::RateLimited,
        408 | 409 | 425 | 500.. => ModelErrorKind::Upstream,
        0..500 => ModelErrorKind::InvalidRequest,
    }
}

/// Reads how long the provider asks to wait: milliseconds, seconds, or a date counted from its own clock.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let seconds =
        |text: &str| text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    if let Some(milliseconds) = text("retry-after-ms").and_then(|text| text.parse().ok()) {
        return Some(Duration::from_millis(milliseconds));
    }
    let asked = text(header::RETRY_AFTER.as_str())?;
    if let Some(wait) = seconds(asked) {
        return Some(wait);
    }
    let until = DateTime::parse_from_rfc2822(asked).ok()?;
    let now = DateTime::parse_from_rfc2822(text(header::DATE.as_str())?).ok()?;
    Some((until - now).to_std().unwrap_or_default())
}

/// Reads the delay of Gemini's `RetryInfo`, such as "22s" or "1.5s".
fn retry_delay(body: &Value) -> Option<Duration> {
    let body = body.as_array().and_then(|list| list.first()).unwrap_or(body);
    let details = body.get("error").unwrap_or(body).get("details")?.as_array()?;
    let delay = details.iter().find_map(|detail| detail.get("retryDelay")?.as_str())?;
    Duration::try_from_secs_f64(delay.strip_suffix('s')?.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use ModelErrorKind::*;

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    fn kind(status: u16, body: &str) -> ModelErrorKind {
        of_answer(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), body.as_bytes()).kind
    }

    #[test]
    fn answers_are_sorted_by_their_plainest_sign() {
        let table = [
            (401, r#"{"error":{"message":"Incorrect API key provided","code":"invalid_api_key"}}"#, Auth),
            (403, "", Auth),
            (
                400,
                r#"[{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT"}}]"#,
                Auth,
            ),
            (402, r#"{"error":{"message":"Insufficient credits","code":402}}"#, Quota),
            (429, r#"{"error":{"message":"You exceeded your quota","type":"insufficient_quota"}}"#, Quota),
            (429, r#"{"error":{"message":"Rate limit reached: too many tokens per minute"}}"#, RateLimited),
            (429, r#"[{"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}}]"#, RateLimited),
            (404, "<!doctype html><title>Not Found</title>", NotFound),
            (404, r#"{"error":{"message":"No endpoints found for x:free.","code":404}}"#, NotFound),
            (400, r#"{"error":{"message":"gone","code":"model_decommissioned"}}"#, NotFound),
            (400, r#"{"error":{"message":"x is not a valid model ID","code":400}}"#, NotFound),
            (400, r#"{"error":{"message":"long","code":"context_length_exceeded"}}"#, ContextOverflow),
            (
                400,
                r#"{"error":{"code":400,"type":"exceed_context_size_error","n_ctx":4096}}"#,
                ContextOverflow,
            ),
            (413, "Payload Too Large", ContextOverflow),
            (400, r#"{"error":{"message":"filtered","code":"content_filter"}}"#, ContentFiltered),
            (403, r#"{"error":{"message":"Your input was flagged","code":403}}"#, ContentFiltered),
            (400, r#"{"code":"tool_use_failed","failed_generation":"too many tokens"}"#, MalformedReply),
            (400, r#"{"error":"model does not support tools"}"#, InvalidRequest),
            (422, r#"{"detail":[{"msg":"extra fields"}]}"#, InvalidRequest),
            (301, "", InvalidRequest),
            (200, "<!doctype html>", MalformedReply),
            (200, r#"{"error":{"message":"Provider returned error","code":502}}"#, Upstream),
            (408, "", Upstream),
            (409, "", Upstream),
            (500, "", Upstream),
            (503, r#"{"object":"error","message":"overloaded"}"#, Upstream),
            (504, "", Upstream),
            (529, "not utf-8", Upstream),
        ];
        for (status, body, expected) in table {
            assert_eq!(kind(status, body), expected, "{status} {body}");
        }
    }

    #[test]
    fn how_much_the_model_takes_is_read_where_it_says_so() {
        let table = [
            (
                400,
                r#"{"error":{"type":"exceed_context_size_error","n_prompt_tokens":9,"n_ctx": 4096}}"#,
                Some(4096),
            ),
            (
                400,
                r#"{"error":{"message":"This model's maximum context length is 8192 tokens. However, you asked for 9001 tokens."}}"#,
                Some(8192),
            ),
            (400, r#"{"error":{"code":"context_length_exceeded","message":"too long"}}"#, None),
            (400, r#"{"error":{"type":"exceed_context_size_error","n_ctx":0}}"#, None),
            (400, r#"{"error":{"type":"invalid_request_error","n_ctx":4096}}"#, None),
        ];
        for (status, body, expected) in table {
            let error = of_answer(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), body.as_bytes());
            assert_eq!(error.context_limit, expected, "{body}");
        }
    }

    #[test]
    fn errors_inside_a_stream_are_sorted_by_their_words() {
        let table = [
            (r#"{"code":503,"message":"The model is overloaded."}"#, Upstream),
            (r#"{"code":"429","message":"slow down"}"#, RateLimited),
            (r#"{"type":"rate_limit_exceeded"}"#, RateLimited),
            (r#"{"type":"invalid_request_error","code":"tool_use_failed"}"#, MalformedReply),
            (r#"{"type":"invalid_request_error","message":"no such parameter"}"#, InvalidRequest),
            (r#"{"code":"context_length_exceeded"}"#, ContextOverflow),
            (r#"{"type":"server_error","code":null}"#, Upstream),
            ("overloaded", Upstream),
        ];
        for (data, expected) in table {
            assert_eq!(of_event(data).kind, expected, "{data}");
        }
    }

    #[test]
    fn the_wait_that_a_provider_asks_for_is_read_in_all_its_forms() {
        let date = ("date", "Fri, 20 Nov 2026 07:00:00 GMT");
        let table = [
            (vec![("retry-after", "3600")], Some(3_600_000)),
            (vec![("retry-after", "1.5")], Some(1_500)),
            (vec![("retry-after-ms", "250"), ("retry-after", "1")], Some(250)),
            (vec![("retry-after", "Fri, 20 Nov 2026 07:00:30 GMT"), date], Some(30_000)),
            (vec![("retry-after", "Fri, 20 Nov 2026 06:00:00 GMT"), date], Some(0)),
            (vec![("retry-after", "Fri, 20 Nov 2026 07:00:30 GMT")], None),
            (vec![("retry-after", "-1")], None),
            (vec![("retry-after", "soon")], None),
            (vec![], None),
        ];
        for (pairs, expected) in table {
            assert_eq!(retry_after(&headers(&pairs)), expected.map(Duration::from_millis), "{pairs:?}");
        }
    }

    #[test]
    fn geminis_retry_info_is_read_from_the_body() {
        let body = br#"[{"error":{"code":429,"details":[{"@type":"x"},{"retryDelay":"22s"}]}}]"#;
        let error = of_answer(StatusCode::TOO_MANY_REQUESTS, &HeaderMap::new(), body);
        assert_eq!(error.retry_after, Some(Duration::from_secs(22)));
    }

    #[test]
    fn a_detail_shows_no_key_and_no_control_characters_and_is_cut() {
        assert_eq!(scrub("bad key sk-1 \u{1b}[31m\n", Some("sk-1")), r"bad key [key] \u{1b}[31m\n");
        assert_eq!(scrub("as it is", Some("")), "as it is");
        let cut = scrub(&format!("{}sk-secret", "x".repeat(DETAIL_LIMIT - 4)), Some("sk-secret"));
        assert!(cut.ends_with("x[key [cut]") && !cut.contains("sk-"), "{cut}");
    }
}
