//! Fetches a set of keys. The host is the operator's choice, its answer is not: no redirect leads elsewhere, and both
//! time and size are limited.

use std::time::Duration;

use reqwest::{Client, StatusCode, Url, redirect::Policy};

use super::key_set::KeySet;

/// The limit for reaching the host.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);

/// The limit for a fetch as a whole.
const FETCH_LIMIT: Duration = Duration::from_secs(5);

/// The most bytes of a set.
const LARGEST: usize = 64 * 1024;

/// Fetches from one address.
pub(super) struct Fetcher {
    client: Client,
    url: Url,
}

/// Why a set could not be had.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// There is no way to ask.
    #[error("no HTTP client for JWKS_URL can be made")]
    NoHttpClient(#[source] reqwest::Error),
    /// Nobody answers.
    #[error("the host of JWKS_URL cannot be reached")]
    Unreachable(#[source] reqwest::Error),
    /// The answer is another one.
    #[error("the host of JWKS_URL answered {0}")]
    Status(StatusCode),
    /// The answer is too large.
    #[error("the set at JWKS_URL is larger than {LARGEST} bytes")]
    TooLarge,
    /// The answer is no set.
    #[error("what is at JWKS_URL is not a set of keys")]
    Malformed(#[source] serde_json::Error),
}

/// Asks for the keys at an address once and returns how many can be used.
///
/// # Errors
/// Why there are none to be had.
pub async fn count_keys(url: &Url) -> Result<usize, FetchError> {
    let fetcher = Fetcher::new(url.clone()).map_err(FetchError::NoHttpClient)?;
    Ok(fetcher.fetch().await?.len())
}

impl Fetcher {
    /// Makes the client. Nothing is sent yet.
    pub(super) fn new(url: Url) -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .connect_timeout(CONNECT_LIMIT)
            .timeout(FETCH_LIMIT)
            .redirect(Policy::none())
            .no_proxy()
            .build()?;
        Ok(Self { client, url })
    }

    /// Fetches the set.
    pub(super) async fn fetch(&self) -> Result<KeySet, FetchError> {
        let unreachable = |error: reqwest::Error| FetchError::Unreachable(error.without_url());
        let mut response = self.client.get(self.url.clone()).send().await.map_err(unreachable)?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status(response.status()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > LARGEST {
                return Err(FetchError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        KeySet::parse(&body).map_err(FetchError::Malformed)
    }
}
