//! A model that says what the test wrote down, and remembers what it was asked.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::{StreamExt, stream, stream::BoxStream};
use parlor::domain::{
    Finish, Item, Model, ModelError, ModelErrorKind, ModelEvent, ModelIdentity, ModelRequest, RequestedCall,
    ToolChoice, Usage,
};
use serde_json::Value;
use tokio::sync::Semaphore;

/// One step of a reply.
#[derive(Clone)]
pub enum Step {
    /// Say a piece of text.
    Say(String),
    /// Ask for a call.
    Ask(&'static str, String),
    /// Wait until the test opens the gate.
    Wait(Gate),
    /// Say nothing more, ever.
    Hang,
    /// Fail.
    Fail(ModelErrorKind),
    /// Panic.
    Panic,
    /// End without saying that this is the end.
    BreakOff,
    /// End because of a length limit.
    RunOut,
}

/// A gate that the test opens once.
#[derive(Clone)]
pub struct Gate(Arc<Semaphore>);

impl Gate {
    pub fn closed() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    pub async fn wait(&self) {
        drop(self.0.acquire().await);
    }

    pub fn open(&self) {
        self.0.add_permits(Semaphore::MAX_PERMITS / 2);
    }
}

/// Replies with text, in these pieces.
pub fn says<const N: usize>(pieces: [&str; N]) -> Vec<Step> {
    pieces.map(|piece| Step::Say(piece.into())).into()
}

/// Replies with calls.
pub fn asks<const N: usize>(calls: [(&'static str, Value); N]) -> Vec<Step> {
    calls.map(|(name, arguments)| Step::Ask(name, arguments.to_string())).into()
}

/// What the model was asked, as far as tests care.
#[derive(Clone, Debug)]
pub struct Asked {
    pub instructions: String,
    pub history: Vec<Item>,
    pub tools: Vec<String>,
    pub tool_choice: ToolChoice,
}

/// The scripted model.
#[derive(Default)]
pub struct Script {
    replies: Mutex<VecDeque<Vec<Step>>>,
    asked: Mutex<Vec<Asked>>,
    window: Mutex<Option<usize>>,
}

impl Script {
    /// Appends replies; each is for one question.
    pub fn then(&self, reply: impl Into<Vec<Step>>) -> &Self {
        self.replies.lock().unwrap().push_back(reply.into());
        self
    }

    /// Has the model tell from now on how many tokens it takes.
    pub fn takes(&self, tokens: usize) {
        *self.window.lock().unwrap() = Some(tokens);
    }

    /// Sets the reply to the next question, whether one is left from a question that was never asked or not.
    pub fn at_most_one(&self, reply: impl Into<Vec<Step>>) {
        *self.replies.lock().unwrap() = VecDeque::from([reply.into()]);
    }

    /// Returns what was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

#[async_trait]
impl Model for Script {
    fn identity(&self) -> ModelIdentity {
        ModelIdentity { provider: "custom".into(), model: "scripted".into() }
    }

    fn context_window(&self) -> Option<usize> {
        *self.window.lock().unwrap()
    }

    async fn stream(
        &self,
        request: ModelRequest<'_>,
    ) -> Result<BoxStream<'static, Result<ModelEvent, ModelError>>, ModelError> {
        self.asked.lock().unwrap().push(Asked {
            instructions: request.instructions.into(),
            history: request.history.to_vec(),
            tools: request.tools.iter().map(|tool| tool.name.clone()).collect(),
            tool_choice: request.tool_choice,
        });
        let mut reply =
            self.replies.lock().unwrap().pop_front().expect("the script has a reply for every question");
        if !matches!(reply.last(), Some(Step::BreakOff | Step::RunOut | Step::Fail(_) | Step::Hang)) {
            reply.push(Step::Say(String::new()));
        }
        let total = reply.len();
        let steps = stream::iter(reply.into_iter().enumerate());
        let events = steps.then(move |(at, step)| async move { perform(step, at + 1 == total).await });
        Ok(events.flat_map(stream::iter).boxed())
    }
}

async fn perform(step: Step, is_last: bool) -> Vec<Result<ModelEvent, ModelError>> {
    let usage =
        Usage { input_tokens: 7, output_tokens: 3, total_tokens: 10, model_calls: 1, ..Usage::default() };
    let ending = |finish| vec![Ok(ModelEvent::Usage(usage)), Ok(ModelEvent::Finished(finish))];
    match step {
        Step::Say(_) if is_last => ending(Finish::Stop),
        Step::Say(text) => vec![Ok(ModelEvent::Text(text))],
        Step::Ask(name, arguments) => vec![Ok(ModelEvent::Call(RequestedCall {
            provider_id: format!("call_{name}"),
            name: name.into(),
            arguments,
            provider_meta: None,
        }))],
        Step::Wait(gate) => {
            gate.wait().await;
            Vec::new()
        }
        Step::Hang => {
            tokio::time::sleep(Duration::from_secs(3_600)).await;
            Vec::new()
        }
        Step::Fail(kind) => vec![Err(ModelError::new(kind, "scripted: sk-secret-in-a-provider-body"))],
        Step::Panic => panic!("scripted: sk-secret-in-a-panic"),
        Step::BreakOff => Vec::new(),
        Step::RunOut => ending(Finish::Length),
    }
}
