//! The settings of the model: which provider answers, and how long it is waited for.
//!
//! Addresses and default models of the providers are no settings; they stand with the model.

use std::time::Duration;

use secrecy::SecretString;

use super::{
    address::parse_base_url,
    fault::Fault,
    provider::{Hosted, ProviderName},
    reader::Reader,
};

/// The settings of the model.
#[derive(Clone, Debug)]
pub struct Model {
    /// Who answers.
    pub choice: Choice,
    /// What made the choice, for the log.
    pub chosen_by: ChosenBy,
    /// The limit for reaching the provider.
    pub connect_timeout: Duration,
    /// The limit for the first byte of a reply's content.
    pub first_token_timeout: Duration,
    /// The limit for silence within a reply.
    pub idle_timeout: Duration,
    /// How long the demo waits between two words.
    pub demo_pause: Duration,
}

/// Who answers.
#[derive(Clone, Debug)]
pub enum Choice {
    /// A provider that we know.
    Hosted {
        /// The provider.
        provider: Hosted,
        /// Its key.
        api_key: SecretString,
        /// Another address than the provider's own, without a slash at its end.
        base_url: Option<String>,
        /// Another model than the provider's default.
        model: Option<String>,
    },
    /// A server that speaks chat completions.
    Custom {
        /// Its address, without a slash at its end.
        base_url: String,
        /// Its key, if it wants one.
        api_key: Option<SecretString>,
        /// The model to ask for.
        model: String,
    },
    /// The built-in demo.
    Demo,
}

impl Choice {
    /// Returns the provider's name.
    pub fn provider(&self) -> ProviderName {
        match self {
            Self::Hosted { provider, .. } => (*provider).into(),
            Self::Custom { .. } => ProviderName::Custom,
            Self::Demo => ProviderName::Demo,
        }
    }
}

/// What made the choice of a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChosenBy {
    /// `LLM_PROVIDER` names it.
    Name,
    /// Nothing names one, but its key is there.
    Key,
    /// Nothing names one and there is no key, but `LLM_BASE_URL` is set.
    BaseUrl,
    /// Nothing is set at all: the demo answers.
    Nothing,
}

impl Model {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let (choice, chosen_by) = read_choice(reader);
        for name in ["LLM_ALLOWED_MODELS", "LLM_FALLBACKS"] {
            if reader.text(name).is_some() {
                reader.fault(Fault::not_available(name));
            }
        }
        Self {
            choice,
            chosen_by,
            connect_timeout: reader.seconds("LLM_CONNECT_TIMEOUT", 5),
            first_token_timeout: reader.seconds("LLM_FIRST_TOKEN_TIMEOUT", 60),
            idle_timeout: reader.seconds("LLM_IDLE_TIMEOUT", 60),
            demo_pause: Duration::from_millis(reader.number("DEMO_DELTA_MS", 15, 0..=60_000)),
        }
    }
}

/// What is set for one provider, chosen or not.
struct Account {
    api_key: Option<SecretString>,
    base_url: Option<String>,
    model: Option<String>,
}

impl Account {
    fn read(reader: &mut Reader<'_>, provider: Hosted) -> Self {
        Self {
            api_key: reader.secret(provider.key_variable()),
            model: reader.text(provider.model_variable()),
            base_url: read_base_url(reader, provider.base_url_variable()),
        }
    }

    fn of_custom(reader: &mut Reader<'_>) -> Self {
        Self {
            base_url: read_base_url(reader, "LLM_BASE_URL"),
            api_key: reader.secret("LLM_API_KEY"),
            model: reader.text("LLM_MODEL"),
        }
    }
}

/// Reads all providers, chosen or not, so that a mistake in one that waits for its day shows today.
fn read_choice(reader: &mut Reader<'_>) -> (Choice, ChosenBy) {
    let name = reader.text("LLM_PROVIDER");
    let accounts = Hosted::ALL.map(|provider| Account::read(reader, provider));
    let custom = Account::of_custom(reader);
    let (provider, chosen_by) = match name {
        Some(name) => (find_provider(reader, &name), ChosenBy::Name),
        None => {
            let mut keyed =
                Hosted::ALL.into_iter().zip(&accounts).filter(|(_, account)| account.api_key.is_some());
            resolve(keyed.next().map(|(provider, _)| provider), custom.base_url.as_deref())
        }
    };
    let [openai, gemini, groq, openrouter] = accounts;
    let choice = match provider {
        ProviderName::Openai => choose_hosted(reader, Hosted::Openai, openai),
        ProviderName::Gemini => choose_hosted(reader, Hosted::Gemini, gemini),
        ProviderName::Groq => choose_hosted(reader, Hosted::Groq, groq),
        ProviderName::Openrouter => choose_hosted(reader, Hosted::Openrouter, openrouter),
        ProviderName::Custom => choose_custom(reader, custom, chosen_by),
        ProviderName::Demo => Choice::Demo,
    };
    (choice, chosen_by)
}

/// Picks the provider where nothing names one: the first with a key, else an address, else the demo.
fn resolve(first_with_key: Option<Hosted>, base_url: Option<&str>) -> (ProviderName, ChosenBy) {
    match (first_with_key, base_url) {
        (Some(provider), _) => (provider.into(), ChosenBy::Key),
        (None, Some(_)) => (ProviderName::Custom, ChosenBy::BaseUrl),
        (None, None) => (ProviderName::Demo, ChosenBy::Nothing),
    }
}

fn find_provider(reader: &mut Reader<'_>, name: &str) -> ProviderName {
    ProviderName::find(name).unwrap_or_else(|| {
        let allowed = ProviderName::ALL.map(ProviderName::as_str).join(", ");
        reader.fault(Fault::value("LLM_PROVIDER", format!("one of {allowed}"), name));
        ProviderName::Demo
    })
}

fn choose_hosted(reader: &mut Reader<'_>, provider: Hosted, account: Account) -> Choice {
    let Account { api_key, base_url, model } = account;
    let Some(api_key) = api_key else {
        let name = ProviderName::from(provider).as_str();
        reader.fault(Fault::missing(provider.key_variable(), format!("LLM_PROVIDER={name}")));
        return Choice::Demo;
    };
    Choice::Hosted { provider, api_key, base_url, model }
}

fn choose_custom(reader: &mut Reader<'_>, account: Account, chosen_by: ChosenBy) -> Choice {
    let when = match chosen_by {
        ChosenBy::BaseUrl => "LLM_BASE_URL is set",
        ChosenBy::Name | ChosenBy::Key | ChosenBy::Nothing => "LLM_PROVIDER=custom",
    };
    if account.base_url.is_none() {
        reader.fault(Fault::missing("LLM_BASE_URL", when));
    }
    if account.model.is_none() {
        reader.fault(Fault::missing("LLM_MODEL", when));
    }
    match account {
        Account { base_url: Some(base_url), model: Some(model), api_key } => {
            Choice::Custom { base_url, api_key, model }
        }
        Account { base_url: None, .. } | Account { model: None, .. } => Choice::Demo,
    }
}

/// Reads a base URL. A faulty one counts as set, so that one mistake is one fault.
fn read_base_url(reader: &mut Reader<'_>, name: &str) -> Option<String> {
    let text = reader.text(name)?;
    Some(parse_base_url(&text).unwrap_or_else(|error| {
        reader.fault(Fault::unusable(name, error));
        text
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_wins_over_an_address_and_an_address_over_the_demo() {
        assert_eq!(resolve(Some(Hosted::Groq), Some("http://h")), (ProviderName::Groq, ChosenBy::Key));
        assert_eq!(resolve(None, Some("http://h")), (ProviderName::Custom, ChosenBy::BaseUrl));
        assert_eq!(resolve(None, None), (ProviderName::Demo, ChosenBy::Nothing));
    }
}
