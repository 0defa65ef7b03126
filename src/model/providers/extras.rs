//! What a server of one's own wants with each request beside what every server takes: `LLM_EXTRA_HEADERS` and
//! `LLM_EXTRA_BODY`.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};

/// Headers and fields that go with each request. It has no `Debug`, for a header may be a key.
#[derive(Clone, Default)]
pub struct Extras {
    pub(in crate::model) headers: HeaderMap,
    pub(in crate::model) body: Map<String, Value>,
}

/// The fields that are the service's own to write.
const OURS: [&str; 4] = ["model", "messages", "tools", "stream"];

/// Why extras cannot be read. It shows no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtrasError(String);

impl fmt::Display for ExtrasError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ExtrasError {}

impl Extras {
    /// Reads headers such as `api-key: abc, x-team: blue`.
    ///
    /// # Errors
    /// Which header it is, counted from 1, that is none.
    pub fn with_headers(mut self, text: &str) -> Result<Self, ExtrasError> {
        for (place, entry) in text.split(',').filter(|entry| !entry.trim().is_empty()).enumerate() {
            let Some((name, value)) = header(entry) else {
                return Err(ExtrasError(format!("header {} must be a name, a colon and a value", place + 1)));
            };
            self.headers.insert(name, value);
        }
        Ok(self)
    }

    /// Reads fields of the body such as `{"temperature": 0.2}`.
    ///
    /// # Errors
    /// That it is no JSON object, or names a field that is the service's own.
    pub fn with_body(mut self, text: &str) -> Result<Self, ExtrasError> {
        self.body = serde_json::from_str(text).map_err(|_| ExtrasError("must be a JSON object".into()))?;
        match OURS.into_iter().find(|name| self.body.contains_key(*name)) {
            Some(name) => Err(ExtrasError(format!("must not hold `{name}`"))),
            None => Ok(self),
        }
    }
}

fn header(entry: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = entry.split_once(':')?;
    let name = HeaderName::try_from(name.trim()).ok()?;
    let mut value = HeaderValue::try_from(value.trim()).ok()?;
    value.set_sensitive(true);
    Some((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_and_fields_are_read() {
        let extras = Extras::default().with_headers("api-key: abc, X-Team: blue").unwrap();
        let extras = extras.with_body(r#"{"temperature": 0.2}"#).unwrap();
        assert_eq!(
            (&extras.headers["api-key"], &extras.headers["x-team"]),
            (&"abc".parse().unwrap(), &"blue".parse().unwrap())
        );
        assert_eq!(extras.body["temperature"], 0.2);
    }

    #[test]
    fn what_cannot_be_read_is_named_without_its_value() {
        let fault = |read: Result<Extras, ExtrasError>| read.err().unwrap().to_string();
        assert_eq!(
            fault(Extras::default().with_headers("a: b, secret")),
            "header 2 must be a name, a colon and a value"
        );
        assert_eq!(fault(Extras::default().with_body("[1]")), "must be a JSON object");
        assert_eq!(fault(Extras::default().with_body(r#"{"messages": []}"#)), "must not hold `messages`");
    }
}
