//! A model without a provider, so that the service can be tried without a key. It reads a handful of sentences
//! (`understand`, on top of `clause`), calls the task tools, and tells what they said (`answer`).

mod answer;
mod clause;
mod understand;

use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::{self, BoxStream, StreamExt};
use serde_json::{Value, json};
use understand::{Which, Wish};

use super::{Provider, estimate};
use crate::domain::{
    Finish, Item, Model, ModelError, ModelEvent, ModelIdentity, ModelRequest, RequestedCall, Tool,
    ToolChoice, ToolResult,
};

/// The most calls of one reply.
const CALL_LIMIT: usize = 20;

/// The demo model.
#[derive(Clone, Copy, Debug)]
pub struct Demo {
    pause_per_delta: Duration,
}

/// What the demo answers.
#[derive(Debug, PartialEq)]
enum Answer {
    Words(String),
    Calls(Vec<RequestedCall>),
}

impl Demo {
    /// Makes a demo that waits before each word, as a real model does; zero is no wait.
    pub fn new(pause_per_delta: Duration) -> Self {
        Self { pause_per_delta }
    }
}

#[async_trait]
impl Model for Demo {
    fn identity(&self) -> ModelIdentity {
        ModelIdentity { provider: Provider::Demo.name().to_owned(), model: "demo".to_owned() }
    }

    async fn stream(
        &self,
        request: ModelRequest<'_>,
    ) -> Result<BoxStream<'static, Result<ModelEvent, ModelError>>, ModelError> {
        let pause = self.pause_per_delta;
        let events = stream::iter(events(&request, answer(&request)));
        let paced = events.then(move |event| async move {
            if matches!(event, ModelEvent::Text(_)) && !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            Ok(event)
        });
        Ok(paced.boxed())
    }
}

/// Decides what to answer: calls to a message, words to results.
fn answer(request: &ModelRequest<'_>) -> Answer {
    let said = match request.history.last() {
        Some(Item::User(message)) => understand::wishes(&message.text),
        Some(Item::Tool(_)) => return Answer::Words(answer::confirm(&latest_results(request.history))),
        Some(Item::Assistant(_)) | None => Vec::new(),
    };
    if said.is_empty() {
        return Answer::Words(answer::INTRODUCTION.to_owned());
    }
    let may_call = request.tool_choice != ToolChoice::None;
    if !may_call || !said.iter().all(|wish| is_on_offer(request.tools, wish.tool())) {
        return Answer::Words(answer::UNAVAILABLE.to_owned());
    }
    Answer::Calls(said.iter().take(CALL_LIMIT).enumerate().map(|(place, wish)| wish.call(place)).collect())
}

/// Returns the results since the user spoke, in their order.
fn latest_results(history: &[Item]) -> Vec<&ToolResult> {
    let mut results = Vec::new();
    for item in history.iter().rev() {
        match item {
            Item::User(_) => break,
            Item::Assistant(_) => {}
            Item::Tool(result) => results.push(result),
        }
    }
    results.reverse();
    results
}

fn is_on_offer(tools: &[Tool], name: &str) -> bool {
    tools.iter().any(|tool| tool.name == name)
}

fn events(request: &ModelRequest<'_>, answer: Answer) -> Vec<ModelEvent> {
    let input = request.history.iter().map(bytes_of).sum::<usize>() + request.instructions.len();
    let (mut events, output): (Vec<ModelEvent>, usize) = match answer {
        Answer::Words(text) => {
            (words(&text).map(|word| ModelEvent::Text(word.to_owned())).collect(), text.len())
        }
        Answer::Calls(calls) => {
            let output = calls.iter().map(|call| call.name.len() + call.arguments.len()).sum();
            (calls.into_iter().map(ModelEvent::Call).collect(), output)
        }
    };
    events.push(ModelEvent::Usage(estimate::usage(input, output)));
    events.push(ModelEvent::Finished(Finish::Stop));
    events
}

fn bytes_of(item: &Item) -> usize {
    match item {
        Item::User(message) => message.context.len() + message.text.len(),
        Item::Assistant(reply) => reply.text.len(),
        Item::Tool(result) => result.text.len(),
    }
}

/// Cuts a text into words, each with the space after it; together they are the text.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let spaces = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let (word, tail) = rest.split_at_checked(spaces)?;
        let end = word.len() + tail.len() - tail.trim_start().len();
        let (piece, left) = rest.split_at_checked(end)?;
        rest = left;
        (!piece.is_empty()).then_some(piece)
    })
}

impl Wish {
    /// Returns the name of the tool that it needs.
    const fn tool(&self) -> &'static str {
        match self {
            Self::Add { .. } => "add_task",
            Self::List(_) => "list_tasks",
            Self::Complete(_) => "complete_task",
            Self::Delete(_) => "delete_task",
            Self::Rename(..) => "update_task",
            Self::Prioritize(..) => "set_priority",
        }
    }

    fn call(&self, place: usize) -> RequestedCall {
        RequestedCall {
            provider_id: format!("demo_{}", place + 1),
            name: self.tool().to_owned(),
            arguments: self.arguments().to_string(),
            provider_meta: None,
        }
    }

    fn arguments(&self) -> Value {
        match self {
            Self::Add { title, priority: None } => json!({"title": title}),
            Self::Add { title, priority: Some(priority) } => {
                json!({"title": title, "priority": priority.as_str()})
            }
            Self::List(None) => json!({}),
            Self::List(Some(status)) => json!({"status": status.as_str()}),
            Self::Complete(which) | Self::Delete(which) => which.with(&[]),
            Self::Rename(which, title) => which.with(&[("title", title)]),
            Self::Prioritize(which, priority) => which.with(&[("priority", priority.as_str())]),
        }
    }
}

impl Which {
    /// Writes the selector and some more arguments.
    fn with(&self, more: &[(&str, &str)]) -> Value {
        let selector = match self {
            Self::Number(number) => ("number".to_owned(), json!(number)),
            Self::Title(title) => ("title_contains".to_owned(), json!(title)),
        };
        let more = more.iter().map(|(name, value)| ((*name).to_owned(), json!(value)));
        Value::Object(std::iter::once(selector).chain(more).collect())
    }
}
