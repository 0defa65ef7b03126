//! Hosts, origins and base URLs as settings name them. Checked here, so that nobody behind has to.

use std::{fmt, net::IpAddr};

use http::Uri;
use reqwest::Url;

/// Where the service listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// The name `localhost`, whatever it resolves to here.
    Localhost,
    /// An address.
    Address(IpAddr),
}

impl Host {
    /// Reads `localhost` or an address; IPv6 with or without brackets.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.eq_ignore_ascii_case("localhost") {
            return Some(Self::Localhost);
        }
        without_brackets(text).parse().ok().map(Self::Address)
    }

    /// Tells whether only this machine can reach it.
    pub fn is_loopback(&self) -> bool {
        match self {
            Self::Localhost => true,
            Self::Address(address) => address.is_loopback(),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Localhost => f.write_str("localhost"),
            Self::Address(address) => address.fmt(f),
        }
    }
}

/// Why a base URL cannot be used. The text itself is left out: it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BaseUrlError {
    /// It is no address of the web.
    #[error("must be a URL that starts with http:// or https://")]
    NotWeb,
    /// It holds a user or a password.
    #[error("must not hold a user or password; a key has its own setting")]
    Credentials,
    /// It goes on after its path.
    #[error("must not hold a `?` or `#`")]
    Query,
}

/// Checks a base URL; a slash at its end is dropped.
pub(super) fn parse_base_url(text: &str) -> Result<String, BaseUrlError> {
    if text.contains(['?', '#']) {
        return Err(BaseUrlError::Query);
    }
    let uri: Uri = text.parse().map_err(|_| BaseUrlError::NotWeb)?;
    let Some(authority) = web_authority(&uri) else {
        return Err(BaseUrlError::NotWeb);
    };
    if authority.contains('@') {
        return Err(BaseUrlError::Credentials);
    }
    Ok(text.trim_end_matches('/').into())
}

/// Why the address of keys cannot be used. The text itself is left out: it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum KeysUrlError {
    /// Whoever stands in between could put in keys of their own.
    #[error("must be a URL that starts with https://; http:// is for this machine only")]
    NotSafe,
    /// It holds a user or a password.
    #[error("must not hold a user or password")]
    Credentials,
}

/// Checks the address at which keys are published.
pub(super) fn parse_keys_url(text: &str) -> Result<Url, KeysUrlError> {
    let url = Url::parse(text).map_err(|_| KeysUrlError::NotSafe)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(KeysUrlError::Credentials);
    }
    let host = url.host_str().unwrap_or_default();
    let is_loopback = host == "localhost"
        || without_brackets(host).parse().is_ok_and(|address: IpAddr| address.is_loopback());
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback => Ok(url),
        _ => Err(KeysUrlError::NotSafe),
    }
}

/// Reads an origin as browsers send it: scheme, host and port, lower case.
pub(super) fn parse_origin(text: &str) -> Option<String> {
    let text = text.strip_suffix('/').unwrap_or(text).to_ascii_lowercase();
    let uri: Uri = text.parse().ok()?;
    let authority = web_authority(&uri)?;
    let is_bare = text.ends_with(&format!("://{authority}"));
    (is_bare && !authority.contains('@')).then_some(text)
}

/// Reads a host as it stands in a `Host` header, without its port, lower case; IPv6 comes out in brackets.
pub(super) fn parse_allowed_host(text: &str) -> Option<String> {
    if let Ok(IpAddr::V6(address)) = without_brackets(text).parse() {
        return Some(format!("[{address}]"));
    }
    let is_name = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
    is_name.then(|| text.to_ascii_lowercase())
}

fn without_brackets(text: &str) -> &str {
    text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text)
}

fn web_authority(uri: &Uri) -> Option<&str> {
    uri.scheme_str().filter(|scheme| ["http", "https"].contains(scheme))?;
    let authority = uri.authority().filter(|authority| !authority.host().is_empty())?;
    Some(authority.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_reaches_a_loopback_host() {
        for (text, is_loopback) in [
            ("localhost", true),
            ("127.0.0.1", true),
            ("127.8.0.1", true),
            ("[::1]", true),
            ("0.0.0.0", false),
        ] {
            assert_eq!(Host::parse(text).unwrap().is_loopback(), is_loopback, "{text}");
        }
        assert_eq!(Host::parse("example.org"), None);
    }

    #[test]
    fn a_base_url_is_a_web_address_without_credentials() {
        assert_eq!(parse_base_url("https://api.example.org/v1/"), Ok("https://api.example.org/v1".into()));
        assert_eq!(parse_base_url("http://127.0.0.1:11434"), Ok("http://127.0.0.1:11434".into()));
        for (text, error) in [
            ("ftp://example.org", BaseUrlError::NotWeb),
            ("example.org/v1", BaseUrlError::NotWeb),
            ("https://", BaseUrlError::NotWeb),
            ("https://ada:pw@example.org", BaseUrlError::Credentials),
            ("https://example.org/v1?key=1", BaseUrlError::Query),
        ] {
            assert_eq!(parse_base_url(text), Err(error), "{text}");
        }
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        assert_eq!(parse_origin("https://App.example.org/").unwrap(), "https://app.example.org");
        assert_eq!(parse_origin("http://localhost:3000").unwrap(), "http://localhost:3000");
        for text in
            ["*", "null", "app.example.org", "https://a.org/path", "https://a.org?x", "https://u@a.org"]
        {
            assert_eq!(parse_origin(text), None, "{text}");
        }
    }

    #[test]
    fn an_allowed_host_has_no_scheme_and_no_port() {
        for (text, host) in [("Chat.example.org", "chat.example.org"), ("::1", "[::1]"), ("[::1]", "[::1]")] {
            assert_eq!(parse_allowed_host(text).unwrap(), host);
        }
        for text in ["*", "a.org:8000", "http://a.org", "a/b"] {
            assert_eq!(parse_allowed_host(text), None, "{text}");
        }
    }
}
