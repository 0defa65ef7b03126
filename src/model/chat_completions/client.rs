//! A model behind chat completions: async-openai builds, signs and sends; waiting and reading are ours.
//!
//! Its own way of reading loses the calls of some providers, spawns a task and buffers without a bound. So it is
//! asked for a plain answer, not a stream, and even that is taken out under its hands: our service keeps the
//! response and gives back a `null` for it to read. It writes a `null` too: our service puts the body into the request.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_openai::{config::Config, error::OpenAIError, middleware::HttpRequestFactory};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt};
use http::header;
use reqwest::Response;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use tokio::time::{Instant, timeout_at};

use super::{
    answer::Answer,
    body::Body,
    decode::Decoder,
    endpoint::Endpoint,
    failure,
    lessons::{self, Lesson},
    offer::Offers,
    ours::Ours,
    request,
    transport::Transport,
};
use crate::{
    domain::{BoxError, Meter, Model, ModelError, ModelErrorKind, ModelEvent, ModelIdentity, ModelRequest},
    model::{
        ModelSetupError, Provider, ProviderSettings,
        providers::{Price, Quirks},
        tab::Tab,
    },
};

/// Where the one response of a request is left for us.
type Handover = Arc<Mutex<Option<reqwest::Result<Response>>>>;

/// A model of one provider.
pub(in crate::model) struct Client {
    provider: Provider,
    model: Arc<str>,
    quirks: Quirks,
    price: Option<Price>,
    extra_body: Map<String, Value>,
    offers: Offers,
    secrets: Arc<[SecretString]>,
    endpoint: Arc<dyn Config>,
    transport: Transport,
    first_token_timeout: Duration,
    idle_timeout: Duration,
    /// What was learned about the parameters that the model takes.
    lessons: Mutex<Vec<Lesson>>,
    /// How many tokens the model takes: by the table, or as it said when it was sent too many. Where neither is known,
    /// the most there can be.
    window: Arc<AtomicUsize>,
}

impl Client {
    /// Checks the settings and makes the HTTP client. Nothing is sent yet.
    pub(in crate::model) fn new(settings: &ProviderSettings) -> Result<Self, ModelSetupError> {
        let provider = settings.provider;
        let endpoint = Endpoint::new(
            provider,
            &settings.base_url,
            settings.api_key.as_ref(),
            &settings.quirks,
            &settings.extras,
        )?;
        if settings.model.trim().is_empty() {
            return Err(ModelSetupError::NoModel { provider: provider.name() });
        }
        let transport = Transport::new(settings.connect_timeout)
            .map_err(|error| ModelSetupError::NoHttpClient { reason: error.to_string() })?;
        Ok(Self {
            provider,
            model: settings.model.trim().into(),
            quirks: settings.quirks,
            price: settings.price,
            extra_body: settings.extras.body.clone(),
            offers: Offers::new(settings.quirks.schema),
            secrets: endpoint.secrets(&settings.extras),
            endpoint: Arc::new(endpoint),
            transport,
            first_token_timeout: settings.first_token_timeout,
            idle_timeout: settings.idle_timeout,
            lessons: Mutex::default(),
            window: Arc::new(AtomicUsize::new(settings.quirks.context_window.unwrap_or(usize::MAX))),
        })
    }

    /// Sends a request and returns the response once its head is there, whatever its status. What was never sent costs
    /// nothing.
    async fn send(&self, body: &Bytes, deadline: Instant, tab: &mut Tab) -> Result<Response, ModelError> {
        let handover = Handover::default();
        let http = self.transport.here().map_err(not_sent)?;
        let (ours, body, kept) = (http.clone(), body.clone(), handover.clone());
        let service = tower::service_fn(move |request| {
            keep_response(ours.clone(), request, body.clone(), kept.clone())
        });
        let openai = async_openai::Client::build(http, Arc::clone(&self.endpoint)).with_http_service(service);
        let sent = timeout_at(deadline, openai.chat().create_byot::<(), ()>(())).await;
        match handover.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(outcome) => outcome.map_err(|error| {
                if error.is_connect() || error.is_builder() {
                    tab.close();
                }
                failure::of_transport(error)
            }),
            None => Err(match sent {
                Ok(Ok(())) => ModelError::new(ModelErrorKind::Upstream, "no response was kept"),
                Ok(Err(error)) => {
                    tab.close();
                    not_sent(error)
                }
                Err(_) => ModelError::new(ModelErrorKind::Timeout, "no response in time"),
            }),
        }
    }

    /// Sends a request and returns the body of its reply, or what went wrong instead. A parameter that the model
    /// refuses is replaced or left out from then on, and the request sent once more.
    async fn open(&self, body: Bytes, meter: &Meter) -> Result<Body, ModelError> {
        let deadline = Instant::now() + self.first_token_timeout;
        let known = self.with_lessons(|lessons| lessons.clone());
        let body =
            if known.is_empty() { body } else { changed(&body, |body| lessons::applied(body, &known))? };
        let answer = match self.try_open(&body, deadline, meter).await? {
            Ok(reading) => return Ok(reading),
            Err(answer) => answer,
        };
        let read = serde_json::from_slice(&body).map_err(not_sent)?;
        let learned = lessons::learn(answer.status(), &answer.text(), &read, &known);
        let error = answer.into_error();
        // Other refusals may repeat what the user or the model wrote.
        if learned.is_empty() || error.kind != ModelErrorKind::InvalidRequest {
            return Err(error);
        }
        let parameters = learned.iter().map(Lesson::parameter).collect::<Vec<_>>().join(", ");
        tracing::warn!(model.name = %self.model, parameters, "the model does not take these parameters so");
        self.remember(&learned);
        let body = written(&lessons::applied(read, &learned))?;
        self.try_open(&body, deadline, meter).await?.map_err(Answer::into_error)
    }

    /// Sends a request: the body of its reply, or the answer that stands in its place and costs nothing.
    async fn try_open(
        &self,
        body: &Bytes,
        deadline: Instant,
        meter: &Meter,
    ) -> Result<Result<Body, Answer>, ModelError> {
        let bytes = body.len();
        let decoder = Decoder::new(self.provider, self.quirks.echo, bytes);
        let mut tab = Tab::open(meter, self.price, bytes);
        let response = self.send(body, deadline, &mut tab).await?;
        if response.status().is_success() && may_be_a_stream(&response) {
            return Ok(Ok(Body::new(response, decoder, tab, deadline, self.idle_timeout)));
        }
        tab.close();
        Ok(Err(Answer::read(response).await))
    }

    /// Adds what the operator wants in each request, if there is any of it.
    fn extended(&self, body: Bytes) -> Result<Bytes, ModelError> {
        if self.extra_body.is_empty() {
            return Ok(body);
        }
        changed(&body, |mut body| {
            if let Value::Object(fields) = &mut body {
                fields.extend(self.extra_body.clone());
            }
            body
        })
    }

    /// Keeps what was learned, once: two requests may have learned the same at the same time.
    fn remember(&self, learned: &[Lesson]) {
        self.with_lessons(|lessons| {
            for lesson in learned {
                if !lessons.contains(lesson) {
                    lessons.push(lesson.clone());
                }
            }
        });
    }

    fn with_lessons<T>(&self, work: impl FnOnce(&mut Vec<Lesson>) -> T) -> T {
        work(&mut self.lessons.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl Model for Client {
    fn identity(&self) -> ModelIdentity {
        ModelIdentity { provider: self.provider.name().to_owned(), model: self.model.as_ref().to_owned() }
    }

    /// What the table says, or the model itself: one that has said how much it takes is believed from then on.
    fn context_window(&self) -> Option<usize> {
        Some(self.window.load(Ordering::Relaxed)).filter(|window| *window < usize::MAX)
    }

    async fn stream(
        &self,
        request: ModelRequest<'_>,
    ) -> Result<BoxStream<'static, Result<ModelEvent, ModelError>>, ModelError> {
        let offer = self.offers.of(request.tools).map_err(not_sent)?;
        let body =
            request::body(self.provider, &self.model, self.quirks, &offer, &request).map_err(not_sent)?;
        let body = self.extended(body.into())?;
        let ours = Ours::of(offer, self.model.clone(), self.price);
        let (secrets, window) = (Arc::clone(&self.secrets), Arc::clone(&self.window));
        let noted = move |error: ModelError| {
            window.fetch_min(error.context_limit.unwrap_or(usize::MAX), Ordering::Relaxed);
            scrubbed(error, &secrets)
        };
        let reading =
            self.open(body, request.meter).await.map_err(|error| advised(noted(error), self.provider))?;
        let events = reading.into_stream().map(move |event| match event {
            Ok(event) => Ok(ours.event(event)),
            Err(error) => Err(noted(error)),
        });
        Ok(events.boxed())
    }
}

/// Puts the body into a request, executes that, keeps the outcome for us, and gives async-openai a response
/// of which it can make nothing.
async fn keep_response(
    http: reqwest::Client,
    request: HttpRequestFactory,
    body: Bytes,
    handover: Handover,
) -> Result<Response, OpenAIError> {
    let mut request = request.build().await?;
    *request.body_mut() = Some(body.into());
    let outcome = http.execute(request).await;
    *handover.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
    Ok(http::Response::new("null").into())
}

/// Reads a body, changes it and writes it again; that is rare, so its tree is made only here.
fn changed(body: &[u8], change: impl FnOnce(Value) -> Value) -> Result<Bytes, ModelError> {
    written(&change(serde_json::from_slice(body).map_err(not_sent)?))
}

fn written(body: &Value) -> Result<Bytes, ModelError> {
    serde_json::to_vec(body).map(Bytes::from).map_err(not_sent)
}

fn not_sent(error: impl Into<BoxError>) -> ModelError {
    let detail = "the request could not be built";
    ModelError { source: Some(error.into()), ..ModelError::new(ModelErrorKind::InvalidRequest, detail) }
}

/// Tells whether an answer can be a stream of events: not every server labels it as one, but none calls it a
/// page.
fn may_be_a_stream(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_none_or(|kind| !kind.starts_with("text/html") && !kind.starts_with("application/json"))
}

/// Names the variable to set where the provider does not know the model.
fn advised(mut error: ModelError, provider: Provider) -> ModelError {
    if error.kind == ModelErrorKind::NotFound {
        let variable = provider.environment_prefix().map(|prefix| format!("{prefix}_DEFAULT_MODEL"));
        let variable = variable.unwrap_or_else(|| "LLM_MODEL".into());
        error.detail.push_str(&format!("; set {variable} to a model that the provider offers"));
    }
    error
}

fn scrubbed(error: ModelError, secrets: &[SecretString]) -> ModelError {
    let secrets = secrets.iter().map(ExposeSecret::expose_secret);
    ModelError { detail: failure::scrub(&error.detail, secrets), ..error }
}

#[cfg(test)]
mod costs;
#[cfg(test)]
mod sent;
#[cfg(test)]
mod tests;
