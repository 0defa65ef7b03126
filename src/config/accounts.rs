//! What is set for each provider: its key, its address, its model. All are read, chosen or not, so that a mistake in one
//! that waits for its day shows today.

use secrecy::SecretString;

use super::{
    address::parse_base_url,
    fault::Fault,
    model::Choice,
    provider::{Hosted, ProviderName},
    reader::Reader,
};

/// The accounts of all providers.
pub(super) struct Accounts {
    hosted: [Account; 4],
    custom: Account,
    headers: Option<SecretString>,
    body: Option<String>,
}

/// What is set for one provider.
#[derive(Clone)]
struct Account {
    api_key: Option<SecretString>,
    base_url: Option<String>,
    model: Option<String>,
}

impl Accounts {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let hosted = Hosted::ALL.map(|provider| Account {
            api_key: reader.secret(provider.key_variable()),
            model: reader.text(provider.model_variable()),
            base_url: read_base_url(reader, provider.base_url_variable()),
        });
        let custom = Account {
            base_url: read_base_url(reader, "LLM_BASE_URL"),
            api_key: reader.secret("LLM_API_KEY"),
            model: reader.text("LLM_MODEL"),
        };
        let (headers, body) = (reader.secret("LLM_EXTRA_HEADERS"), reader.text("LLM_EXTRA_BODY"));
        Self { hosted, custom, headers, body }
    }

    /// Returns the first provider that has a key.
    pub(super) fn first_with_key(&self) -> Option<Hosted> {
        let mut keyed = Hosted::ALL.into_iter().zip(&self.hosted);
        keyed.find(|(_, account)| account.api_key.is_some()).map(|(provider, _)| provider)
    }

    /// Tells whether there is an address of a server of one's own.
    pub(super) fn has_address(&self) -> bool {
        self.custom.base_url.is_some()
    }

    /// Chooses a provider with a model, or with the one that is set for it. What it lacks is a fault; `when` says what
    /// calls for it.
    pub(super) fn choose(
        &self,
        reader: &mut Reader<'_>,
        provider: ProviderName,
        model: Option<String>,
        when: &str,
    ) -> Choice {
        match provider {
            ProviderName::Openai => self.choose_hosted(reader, Hosted::Openai, model, when),
            ProviderName::Gemini => self.choose_hosted(reader, Hosted::Gemini, model, when),
            ProviderName::Groq => self.choose_hosted(reader, Hosted::Groq, model, when),
            ProviderName::Openrouter => self.choose_hosted(reader, Hosted::Openrouter, model, when),
            ProviderName::Custom => self.choose_custom(reader, model, when),
            ProviderName::Demo => Choice::Demo,
        }
    }

    fn choose_hosted(
        &self,
        reader: &mut Reader<'_>,
        provider: Hosted,
        model: Option<String>,
        when: &str,
    ) -> Choice {
        let found = Hosted::ALL.into_iter().zip(&self.hosted).find(|(hosted, _)| *hosted == provider);
        let account = found.map(|(_, account)| account.clone());
        let Some(Account { api_key: Some(api_key), base_url, model: set }) = account else {
            reader.fault(Fault::missing(provider.key_variable(), when));
            return Choice::Demo;
        };
        Choice::Hosted { provider, api_key, base_url, model: model.or(set) }
    }

    fn choose_custom(&self, reader: &mut Reader<'_>, model: Option<String>, when: &str) -> Choice {
        let Account { api_key, base_url, model: set } = self.custom.clone();
        let model = model.or(set);
        if base_url.is_none() {
            reader.fault(Fault::missing("LLM_BASE_URL", when));
        }
        if model.is_none() {
            reader.fault(Fault::missing("LLM_MODEL", when));
        }
        match (base_url, model) {
            (Some(base_url), Some(model)) => {
                let (headers, body) = (self.headers.clone(), self.body.clone());
                Choice::Custom { base_url, api_key, model, headers, body }
            }
            (None, _) | (_, None) => Choice::Demo,
        }
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
