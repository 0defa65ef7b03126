//! Where requests go and with which headers. Checked once, so that a bad key is an error at the start and not
//! a panic in the first request; async-openai's own configuration also reads `OPENAI_*` from the environment.

use std::sync::Arc;

use async_openai::config::Config;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

use crate::model::{
    ModelSetupError, Provider,
    providers::{Extras, Quirks},
};

/// The shortest value of a header that is taken for a secret, in bytes. A shorter one would also be found in words.
const SHORTEST_SECRET: usize = 8;

/// A checked base URL and the headers of every request.
pub(in crate::model) struct Endpoint {
    base_url: String,
    key: SecretString,
    headers: HeaderMap,
}

impl Endpoint {
    /// Checks the parts.
    pub(in crate::model) fn new(
        provider: Provider,
        base_url: &str,
        key: Option<&SecretString>,
        quirks: &Quirks,
        extras: &Extras,
    ) -> Result<Self, ModelSetupError> {
        let key = key.map(|key| key.expose_secret().trim()).filter(|key| !key.is_empty());
        let mut headers = HeaderMap::new();
        for (name, value) in quirks.headers {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers.extend(extras.headers.clone());
        match key {
            Some(key) => drop(headers.insert(header::AUTHORIZATION, authorization(provider, key)?)),
            None if provider.needs_key() => return Err(ModelSetupError::NoKey { provider: provider.name() }),
            None => {}
        }
        let base_url = checked_base_url(provider, base_url)?;
        Ok(Self { base_url, key: key.unwrap_or_default().into(), headers })
    }
}

impl Endpoint {
    /// Lists what no log may show: the key, and what the operator's own headers hold, for that may be a key too.
    pub(super) fn secrets(&self, extras: &Extras) -> Arc<[SecretString]> {
        let values = extras.headers.values().filter_map(|value| value.to_str().ok());
        // Behind a scheme, as in `Bearer abc`, stands what counts.
        let values =
            values.flat_map(|value| [Some(value), value.rsplit_once(' ').map(|(_, key)| key)]).flatten();
        let long = values.filter(|value| value.len() >= SHORTEST_SECRET).map(SecretString::from);
        [self.key.clone()].into_iter().chain(long).collect()
    }
}

impl Config for Endpoint {
    fn headers(&self) -> HeaderMap {
        self.headers.clone()
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base_url)
    }

    fn query(&self) -> Vec<(&str, &str)> {
        Vec::new()
    }

    fn api_base(&self) -> &str {
        &self.base_url
    }

    fn api_key(&self) -> &SecretString {
        &self.key
    }
}

fn authorization(provider: Provider, key: &str) -> Result<HeaderValue, ModelSetupError> {
    let bad_key = |at: usize| ModelSetupError::BadKey { provider: provider.name(), position: at + 1 };
    if let Some(at) = key.bytes().position(|byte| !byte.is_ascii_graphic()) {
        return Err(bad_key(at));
    }
    let mut value = HeaderValue::try_from(format!("Bearer {key}")).map_err(|_| bad_key(0))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Checks the base URL and takes off the slashes at its end: paths are appended as they are.
fn checked_base_url(provider: Provider, configured: &str) -> Result<String, ModelSetupError> {
    let unusable = |reason: String| ModelSetupError::BadBaseUrl { provider: provider.name(), reason };
    let trimmed = configured.trim().trim_end_matches('/');
    let url = Url::parse(trimmed).map_err(|error| unusable(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(unusable("it must begin with http:// or https://".into()));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(unusable("it must end before `?` and `#`".into()));
    }
    if url.password().is_some() || !url.username().is_empty() {
        return Err(unusable("a key does not belong into it".into()));
    }
    Ok(trimmed.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::providers::quirks;

    fn endpoint(provider: Provider, base_url: &str, key: &str) -> Result<Endpoint, ModelSetupError> {
        Endpoint::new(
            provider,
            base_url,
            Some(&SecretString::from(key)),
            &quirks::of(provider, ""),
            &Extras::default(),
        )
    }

    fn fault(provider: Provider, base_url: &str, key: &str) -> String {
        endpoint(provider, base_url, key).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn slashes_at_the_end_of_a_base_url_and_spaces_around_a_key_do_no_harm() {
        let endpoint =
            endpoint(Provider::Gemini, "https://example.org/v1beta/openai//", " secret\n").unwrap();
        assert_eq!(endpoint.url("/chat/completions"), "https://example.org/v1beta/openai/chat/completions");
        assert_eq!(endpoint.headers()[header::AUTHORIZATION], "Bearer secret");
        assert!(endpoint.headers()[header::AUTHORIZATION].is_sensitive());
    }

    #[test]
    fn a_key_that_no_header_can_carry_is_refused_without_showing_it() {
        let fault = fault(Provider::Groq, "https://example.org", "se\ncret");
        assert_eq!(
            fault,
            "the API key of provider `groq` has a character at position 3 that no header can carry"
        );
    }

    #[test]
    fn only_a_provider_of_ones_own_goes_without_a_key() {
        assert_eq!(fault(Provider::OpenAi, "https://example.org", " "), "provider `openai` needs an API key");
        let own = endpoint(Provider::Custom, "http://localhost:11434/v1", "").unwrap();
        assert!(!own.headers().contains_key(header::AUTHORIZATION));
    }

    #[test]
    fn a_base_url_that_requests_cannot_be_sent_to_is_refused() {
        for url in
            ["", "localhost:8080", "ftp://x", "https://x/v1?key=1", "https://user:key@x/v1", "https://"]
        {
            assert!(fault(Provider::Custom, url, "").contains("base URL"), "{url}");
        }
    }
}
