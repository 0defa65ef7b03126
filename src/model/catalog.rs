//! The list of models that a provider publishes, for whoever wants to know before the first turn whether the key is
//! taken and the model is there. What the list means is decided on plain data; asking is at the end.

use std::time::Duration;

use async_openai::config::Config;
use chrono::NaiveDate;
use reqwest::{Client, StatusCode, redirect::Policy};
use serde::Deserialize;

use super::{ModelSetupError, ProviderSettings, chat_completions::Endpoint};

/// The most bytes of a list. The longest that we know, OpenRouter's, has about one million.
const LARGEST: usize = 8 * 1024 * 1024;

/// The models that a provider lists.
#[derive(Debug, PartialEq, Eq)]
pub struct Catalog(Vec<Listed>);

/// A model of the list.
#[derive(Debug, PartialEq, Eq)]
struct Listed {
    name: String,
    ends: Option<NaiveDate>,
}

/// How a model stands in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is listed.
    Listed,
    /// It is listed, and will be shut down.
    Ends(NaiveDate),
    /// It is not listed. Some providers serve models that they do not list.
    NotListed,
}

/// Why there is no list. None shows a key, an address or what the provider said.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The settings cannot be used.
    #[error(transparent)]
    Setup(#[from] ModelSetupError),
    /// The provider does not take the key.
    #[error("it refuses the key ({0})")]
    Key(StatusCode),
    /// The provider answers something else.
    #[error("it answers {0}")]
    Status(StatusCode),
    /// The provider cannot be reached.
    #[error("it cannot be reached")]
    Unreachable(#[source] reqwest::Error),
    /// The answer is too large.
    #[error("its list is larger than {LARGEST} bytes")]
    TooLarge,
    /// The answer is no list of models.
    #[error("its answer is no list of models")]
    Malformed,
}

#[derive(Deserialize)]
struct CatalogIn {
    data: Vec<ListedIn>,
}

#[derive(Deserialize)]
struct ListedIn {
    id: String,
    /// OpenAI's name for it.
    shutdown_date: Option<String>,
    /// OpenRouter's name for it.
    expiration_date: Option<String>,
}

impl Catalog {
    /// Reads a list.
    fn parse(json: &[u8]) -> Option<Self> {
        let list: CatalogIn = serde_json::from_slice(json).ok()?;
        let models = list.data.into_iter().map(|model| {
            let ends = model.shutdown_date.or(model.expiration_date);
            Listed { name: bare(&model.id).to_owned(), ends: ends.as_deref().and_then(date) }
        });
        Some(Self(models.collect()))
    }

    /// Says how a model stands in the list.
    pub fn standing(&self, model: &str) -> Standing {
        match self.0.iter().find(|listed| listed.name == bare(model)) {
            Some(Listed { ends: Some(date), .. }) => Standing::Ends(*date),
            Some(Listed { ends: None, .. }) => Standing::Listed,
            None => Standing::NotListed,
        }
    }

    /// Asks a provider for its list, with its key if there is one. A limit for all of it is up to the caller.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn ask(settings: &ProviderSettings) -> Result<Self, CatalogError> {
        let endpoint = Endpoint::new(
            settings.provider,
            &settings.base_url,
            settings.api_key.as_ref(),
            &settings.quirks,
            &settings.extras,
        )?;
        let client = client(settings.connect_timeout)?;
        let asking = client.get(endpoint.url("/models")).headers(endpoint.headers());
        let mut answer = asking.send().await.map_err(unreachable)?;
        match answer.status() {
            StatusCode::OK => {}
            status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
                return Err(CatalogError::Key(status));
            }
            status => return Err(CatalogError::Status(status)),
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > LARGEST {
                return Err(CatalogError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Self::parse(&body).ok_or(CatalogError::Malformed)
    }
}

/// Takes off what Gemini puts before the names of its models.
fn bare(name: &str) -> &str {
    name.strip_prefix("models/").unwrap_or(name)
}

/// Reads the day of `2027-01-14` or of a time that begins so.
fn date(text: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(text.get(..10)?, "%Y-%m-%d").ok()
}

fn client(connect_timeout: Duration) -> Result<Client, ModelSetupError> {
    let client =
        Client::builder().connect_timeout(connect_timeout).redirect(Policy::none()).no_proxy().build();
    client.map_err(|error| ModelSetupError::NoHttpClient { reason: error.to_string() })
}

fn unreachable(error: reqwest::Error) -> CatalogError {
    CatalogError::Unreachable(error.without_url())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(json: &str, model: &str) -> Option<Standing> {
        Catalog::parse(json.as_bytes()).map(|catalog| catalog.standing(model))
    }

    #[test]
    fn the_lists_of_all_providers_are_read() {
        let day = NaiveDate::from_ymd_opt(2027, 1, 14).unwrap();
        for (list, model, expected) in [
            (
                r#"{"object":"list","data":[{"id":"gpt-4o-mini","shutdown_date":null}]}"#,
                "gpt-4o-mini",
                Standing::Listed,
            ),
            (
                r#"{"data":[{"id":"gpt-4o-mini","shutdown_date":"2027-01-14"}]}"#,
                "gpt-4o-mini",
                Standing::Ends(day),
            ),
            (
                r#"{"data":[{"id":"a/b:free","expiration_date":"2027-01-14T00:00:00Z"}]}"#,
                "a/b:free",
                Standing::Ends(day),
            ),
            (r#"{"data":[{"id":"a","shutdown_date":"soon"}]}"#, "a", Standing::Listed),
            (r#"{"data":[{"id":"models/gemini-2.5-flash"}]}"#, "gemini-2.5-flash", Standing::Listed),
            (r#"{"data":[{"id":"gemini-2.5-flash"}]}"#, "models/gemini-2.5-flash", Standing::Listed),
            (r#"{"data":[{"id":"gpt-4o-mini"}]}"#, "gpt-4o", Standing::NotListed),
            (r#"{"data":[]}"#, "a", Standing::NotListed),
        ] {
            assert_eq!(standing(list, model), Some(expected), "{list}");
        }
    }

    #[test]
    fn what_is_no_list_is_not_taken_for_an_empty_one() {
        for json in
            ["", "<html>", "[]", "{}", r#"{"data":{}}"#, r#"{"data":[{"name":"a"}]}"#, r#"{"error":"no"}"#]
        {
            assert_eq!(standing(json, "a"), None, "{json}");
        }
    }
}
