//! A model behind chat completions: async-openai builds, signs and sends; waiting and reading are ours.
//!
//! Its own way of reading loses the calls of some providers and buffers without a bound. So the response is taken
//! out under its hands: our service keeps it and gives back a `null` for it to read.

use std::{sync::Arc, time::Duration};

use async_openai::{config::Config, error::OpenAIError, middleware::HttpRequestFactory};
use async_trait::async_trait;
use futures_util::stream::{BoxStream, StreamExt};
use http::header;
use reqwest::Response;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::{
    sync::mpsc,
    time::{Instant, timeout, timeout_at},
};

use super::{body::Body, decode::Decoder, endpoint::Endpoint, failure, request};
use crate::{
    domain::{Model, ModelError, ModelErrorKind, ModelEvent, ModelIdentity, ModelRequest},
    model::{ModelSetupError, Provider, ProviderSettings},
};

/// The most of an error's body that is read, in bytes, and how long that may take.
const ERROR_BODY_LIMIT: usize = 64 * 1024;
const ERROR_BODY_TIMEOUT: Duration = Duration::from_secs(3);

/// A model of one provider.
pub(in crate::model) struct Client {
    provider: Provider,
    model: String,
    key: SecretString,
    endpoint: Arc<dyn Config>,
    http: reqwest::Client,
    first_token_timeout: Duration,
    idle_timeout: Duration,
}

impl Client {
    /// Checks the settings and makes the HTTP client. Nothing is sent yet.
    pub(in crate::model) fn new(settings: ProviderSettings) -> Result<Self, ModelSetupError> {
        let provider = settings.provider;
        let endpoint = Endpoint::new(provider, &settings.base_url, settings.api_key.as_ref())?;
        if settings.model.trim().is_empty() {
            return Err(ModelSetupError::NoModel { provider: provider.name() });
        }
        let http = reqwest::Client::builder()
            .connect_timeout(settings.connect_timeout)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| ModelSetupError::NoHttpClient { reason: error.to_string() })?;
        Ok(Self {
            provider,
            model: settings.model.trim().to_owned(),
            key: endpoint.api_key().clone(),
            endpoint: Arc::new(endpoint),
            http,
            first_token_timeout: settings.first_token_timeout,
            idle_timeout: settings.idle_timeout,
        })
    }

    /// Sends a request and returns the response once its head is there, whatever its status.
    async fn send(&self, body: Value, deadline: Instant) -> Result<Response, ModelError> {
        let (handover, mut response) = mpsc::channel(1); // one place, for the one response of this request
        let http = self.http.clone();
        let service =
            tower::service_fn(move |request| keep_response(http.clone(), request, handover.clone()));
        let openai = async_openai::Client::build(self.http.clone(), Arc::clone(&self.endpoint))
            .with_http_service(service);
        let sent = timeout_at(deadline, openai.chat().create_byot::<Value, ()>(body)).await;
        match response.try_recv() {
            Ok(outcome) => outcome.map_err(failure::of_transport),
            Err(_) => Err(match sent {
                Ok(Ok(())) => ModelError::new(ModelErrorKind::Upstream, "no response was kept"),
                Ok(Err(error)) => not_sent(error),
                Err(_) => ModelError::new(ModelErrorKind::Timeout, "no response in time"),
            }),
        }
    }

    async fn open(&self, body: Value) -> Result<Body, ModelError> {
        let deadline = Instant::now() + self.first_token_timeout;
        let decoder = Decoder::new(self.provider, body.to_string().len());
        let response = self.send(body, deadline).await?;
        if response.status().is_success() && may_be_a_stream(&response) {
            return Ok(Body::new(response, decoder, deadline, self.idle_timeout));
        }
        let (status, headers) = (response.status(), response.headers().clone());
        let said = read_error_body(response).await;
        Err(failure::of_answer(status, &headers, &said))
    }
}

#[async_trait]
impl Model for Client {
    fn identity(&self) -> ModelIdentity {
        ModelIdentity { provider: self.provider.name().to_owned(), model: self.model.clone() }
    }

    async fn stream(
        &self,
        request: ModelRequest<'_>,
    ) -> Result<BoxStream<'static, Result<ModelEvent, ModelError>>, ModelError> {
        let body = request::body(self.provider, &self.model, &request);
        let reading = self.open(body).await.map_err(|error| scrubbed(error, &self.key))?;
        let key = self.key.clone();
        Ok(reading.into_stream().map(move |event| event.map_err(|error| scrubbed(error, &key))).boxed())
    }
}

/// Executes a request, keeps the outcome for us, and gives async-openai a response of which it can make nothing.
async fn keep_response(
    http: reqwest::Client,
    request: HttpRequestFactory,
    handover: mpsc::Sender<reqwest::Result<Response>>,
) -> Result<Response, OpenAIError> {
    let outcome = http.execute(request.build().await?).await;
    drop(handover.try_send(outcome)); // whoever waited for it may be gone
    Ok(http::Response::new("null").into())
}

fn not_sent(error: OpenAIError) -> ModelError {
    let detail = "the request could not be built";
    ModelError { source: Some(Box::new(error)), ..ModelError::new(ModelErrorKind::InvalidRequest, detail) }
}

/// Tells whether an answer can be a stream of events: not every server labels it as one, but none calls it a page.
fn may_be_a_stream(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_none_or(|kind| !kind.starts_with("text/html") && !kind.starts_with("application/json"))
}

/// Reads what an error's body says, as far as that comes soon and is not too long.
async fn read_error_body(mut response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    let reading = async {
        while let Ok(Some(bytes)) = response.chunk().await {
            body.extend_from_slice(&bytes);
            if body.len() >= ERROR_BODY_LIMIT {
                break;
            }
        }
    };
    drop(timeout(ERROR_BODY_TIMEOUT, reading).await); // what came until then will do
    body.truncate(ERROR_BODY_LIMIT);
    body
}

fn scrubbed(error: ModelError, key: &SecretString) -> ModelError {
    ModelError { detail: failure::scrub(&error.detail, Some(key.expose_secret())), ..error }
}
