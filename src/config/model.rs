//! The settings of the model: which provider answers, and how long it is waited for.
//!
//! Addresses and default models of the providers are no settings; they stand with the model.

use std::time::Duration;

use secrecy::SecretString;

use super::{
    accounts::Accounts,
    fault::Fault,
    provider::{Hosted, ProviderName},
    reader::Reader,
};

/// The settings of the model.
#[derive(Clone, Debug)]
pub struct Model {
    /// Who answers.
    pub choice: Choice,
    /// What else clients may ask for.
    pub allowed: Vec<Choice>,
    /// Who answers if the first one fails, in their order.
    pub fallbacks: Vec<Choice>,
    /// What the operator knows better of where providers differ, as it stands.
    pub quirks: Option<String>,
    /// The prices of models, each as it stands.
    pub prices: Vec<String>,
    /// How often a call that failed before its first word is made again.
    pub retries: u32,
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
        /// Headers that go with each request, as they stand; they may hold a key.
        headers: Option<SecretString>,
        /// Fields of each request's body, as they stand.
        body: Option<String>,
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
        let name = reader.text("LLM_PROVIDER");
        let accounts = Accounts::read(reader);
        let (choice, chosen_by) = read_choice(reader, name, &accounts);
        Self {
            choice,
            chosen_by,
            allowed: read_list(reader, "LLM_ALLOWED_MODELS", &accounts),
            fallbacks: read_list(reader, "LLM_FALLBACKS", &accounts),
            quirks: reader.text("LLM_QUIRKS"),
            prices: reader.list("LLM_PRICES"),
            retries: reader.number("LLM_RETRIES", 2, 0..=5),
            connect_timeout: reader.seconds("LLM_CONNECT_TIMEOUT", 5),
            first_token_timeout: reader.seconds("LLM_FIRST_TOKEN_TIMEOUT", 60),
            idle_timeout: reader.seconds("LLM_IDLE_TIMEOUT", 60),
            demo_pause: Duration::from_millis(reader.number("DEMO_DELTA_MS", 15, 0..=60_000)),
        }
    }
}

/// Reads who answers.
fn read_choice(reader: &mut Reader<'_>, name: Option<String>, accounts: &Accounts) -> (Choice, ChosenBy) {
    let (provider, chosen_by) = match name {
        Some(name) => (find_provider(reader, &name), ChosenBy::Name),
        None => resolve(accounts.first_with_key(), accounts.has_address()),
    };
    let when = match chosen_by {
        ChosenBy::BaseUrl => "LLM_BASE_URL is set".to_owned(),
        ChosenBy::Name | ChosenBy::Key | ChosenBy::Nothing => format!("LLM_PROVIDER={provider}"),
    };
    (accounts.choose(reader, provider, None, &when), chosen_by)
}

/// Reads a list of models, each as `provider/model`.
fn read_list(reader: &mut Reader<'_>, name: &str, accounts: &Accounts) -> Vec<Choice> {
    let mut choices = Vec::new();
    for entry in reader.list(name) {
        let parts = entry.split_once('/').filter(|(_, model)| !model.trim().is_empty());
        let Some((provider, model)) =
            parts.and_then(|(provider, model)| Some((ProviderName::find(provider.trim())?, model.trim())))
        else {
            reader.fault(Fault::value(name, "a list of models such as openai/gpt-4o-mini", &entry));
            continue;
        };
        choices.push(accounts.choose(
            reader,
            provider,
            Some(model.into()),
            &format!("{name} names {provider}"),
        ));
    }
    choices
}

/// Picks the provider where nothing names one: the first with a key, else an address, else the demo.
fn resolve(first_with_key: Option<Hosted>, has_address: bool) -> (ProviderName, ChosenBy) {
    match (first_with_key, has_address) {
        (Some(provider), _) => (provider.into(), ChosenBy::Key),
        (None, true) => (ProviderName::Custom, ChosenBy::BaseUrl),
        (None, false) => (ProviderName::Demo, ChosenBy::Nothing),
    }
}

fn find_provider(reader: &mut Reader<'_>, name: &str) -> ProviderName {
    ProviderName::find(name).unwrap_or_else(|| {
        let allowed = ProviderName::ALL.map(ProviderName::as_str).join(", ");
        reader.fault(Fault::value("LLM_PROVIDER", format!("one of {allowed}"), name));
        ProviderName::Demo
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_wins_over_an_address_and_an_address_over_the_demo() {
        assert_eq!(resolve(Some(Hosted::Groq), true), (ProviderName::Groq, ChosenBy::Key));
        assert_eq!(resolve(None, true), (ProviderName::Custom, ChosenBy::BaseUrl));
        assert_eq!(resolve(None, false), (ProviderName::Demo, ChosenBy::Nothing));
    }
}
