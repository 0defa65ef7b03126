//! One turn, however often the connection breaks: posted under one key until its run is known, then followed from event
//! to event up to its end.

use std::{collections::VecDeque, time::Duration};

use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until, timeout};
use uuid::Uuid;

use super::{
    service::{Fault, SILENCE, Service, lost},
    sse::{Frame, Frames},
    told::Told,
};

/// How many times in a row nothing may come of a try. With the pauses that is about a minute.
const MOST_TRIES: u32 = 12;

/// The longest pause before a try, unless the service asks for more.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// The longest that the service may ask us to wait.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is next in a turn.
pub(super) enum Step {
    /// Something happened.
    Told(Told),
    /// Nothing came of a try, for this reason; more will follow.
    TriesAgain(String),
    /// Another run has the conversation, and is waited for.
    Waits,
}

/// A turn.
pub(super) struct Turn<'a> {
    service: &'a Service,
    key: String,
    body: Value,
    own: Option<Following>,
    /// A run that has the conversation and comes first.
    before: Option<Following>,
    conversation: Option<String>,
    connection: Option<Connection>,
    ready: VecDeque<Frame>,
    failures: u32,
    pause: Duration,
    not_before: Option<Instant>,
}

/// A run, and the last event that was heard of it.
struct Following {
    run: String,
    last: i64,
}

struct Connection {
    answer: Response,
    frames: Frames,
}

impl<'a> Turn<'a> {
    /// Begins a turn. Nothing is sent yet.
    pub(super) fn new(service: &'a Service, conversation: Option<&str>, message: &str) -> Self {
        let body = match conversation {
            Some(id) => json!({"message": message, "conversation_id": id}),
            None => json!({"message": message}),
        };
        Self {
            service,
            key: Uuid::now_v7().to_string(),
            body,
            own: None,
            before: None,
            conversation: conversation.map(str::to_owned),
            connection: None,
            ready: VecDeque::new(),
            failures: 0,
            pause: Duration::from_secs(1),
            not_before: None,
        }
    }

    /// Returns its run, once the service has the message.
    pub(super) fn run(&self) -> Option<&str> {
        self.own.as_ref().map(|own| own.run.as_str())
    }

    /// Returns its conversation, once that is known.
    pub(super) fn conversation(&self) -> Option<&str> {
        self.conversation.as_deref()
    }

    /// Tells whether the service is known not to have the message yet.
    pub(super) const fn is_unsent(&self) -> bool {
        self.before.is_some()
    }

    /// Waits for what is next. It may be dropped at any time and called again: what was sent is sent again under the
    /// same key, and what was heard is not heard again.
    pub(super) async fn next(&mut self) -> Result<Step, Fault> {
        loop {
            while let Some(frame) = self.ready.pop_front() {
                if let Some(told) = self.take(&frame) {
                    return Ok(Step::Told(told));
                }
            }
            if let Some(at) = self.not_before {
                sleep_until(at).await;
                self.not_before = None;
            }
            let done = match &mut self.connection {
                Some(connection) => connection.read().await.map(|frames| self.ready.extend(frames)),
                None => match self.connect().await {
                    Ok(Some(step)) => return Ok(step),
                    done => done.map(drop),
                },
            };
            if let Err(fault) = done
                && let Some(step) = self.again(fault)?
            {
                return Ok(step);
            }
        }
    }

    /// Takes an event, if it is new and of this turn.
    fn take(&mut self, frame: &Frame) -> Option<Told> {
        let following = self.before.as_mut().or(self.own.as_mut())?;
        // Ids are compared, not counted: there may be gaps.
        if frame.id <= following.last {
            return None;
        }
        following.last = frame.id;
        self.failures = 0;
        let told = Told::read(&frame.event, &frame.data);
        if self.before.is_none() {
            return told;
        }
        if matches!(told, Some(Told::Ended(_))) {
            self.before = None;
            self.connection = None;
            self.ready.clear();
        }
        None
    }

    async fn connect(&mut self) -> Result<Option<Step>, Fault> {
        let answer = match self.before.as_ref().or(self.own.as_ref()) {
            Some(Following { run, last }) => self.service.events(run, *last).await,
            None => self.service.post(&self.key, &self.body).await,
        };
        match answer {
            Err(Fault::Refused { active_run: Some(run), .. }) if self.own.is_none() => {
                self.before = Some(Following { run, last: 0 });
                return Ok(Some(Step::Waits));
            }
            Err(fault) => return Err(fault),
            Ok(answer) if answer.status() == StatusCode::NO_CONTENT => {
                if self.before.take().is_none() {
                    return Err(lost("the end of this answer was not told".into()));
                }
            }
            Ok(answer) => {
                self.learn(&answer);
                self.connection = Some(Connection { answer, frames: Frames::default() });
            }
        }
        Ok(None)
    }

    /// Learns from the headers which run and conversation this is. From then on nothing is posted any more.
    fn learn(&mut self, answer: &Response) {
        let header = |name: &str| answer.headers().get(name)?.to_str().ok().map(str::to_owned);
        if self.before.is_some() || self.own.is_some() {
            return;
        }
        self.own = header("x-run-id").map(|run| Following { run, last: 0 });
        self.conversation = header("x-conversation-id").or(self.conversation.take());
    }

    /// Decides what comes of a fault: a try after a pause, or nothing more.
    fn again(&mut self, fault: Fault) -> Result<Option<Step>, Fault> {
        let asked_ms = self.connection.take().and_then(|connection| connection.frames.retry_ms);
        self.pause = asked_ms.map_or(self.pause, Duration::from_millis);
        let Fault::Lost { detail, retry_after } = fault else { return Err(fault) };
        if self.failures >= MOST_TRIES || retry_after > PATIENCE {
            return Err(Fault::Lost { detail, retry_after });
        }
        let most = self.pause.saturating_mul(2_u32.saturating_pow(self.failures)).min(LONGEST_PAUSE);
        // Not as long as everybody else, so that clients that failed together do not come back together.
        self.not_before = Some(Instant::now() + retry_after + most.mul_f64(luck()));
        self.failures += 1;
        Ok((self.failures == 1).then_some(Step::TriesAgain(detail)))
    }
}

impl Connection {
    async fn read(&mut self) -> Result<Vec<Frame>, Fault> {
        match timeout(SILENCE, self.answer.chunk()).await {
            Ok(Ok(Some(bytes))) => self.frames.push(&bytes).map_err(|error| lost(error.to_string())),
            Ok(Ok(None) | Err(_)) => Err(lost("the connection was lost".into())),
            Err(_) => Err(lost("the connection is silent".into())),
        }
    }
}

/// Rolls a number from 0 to 1, from the random bits of a UUID.
fn luck() -> f64 {
    let [.., a, b, c, d] = Uuid::now_v7().into_bytes();
    f64::from(u32::from_be_bytes([a, b, c, d])) / f64::from(u32::MAX)
}
