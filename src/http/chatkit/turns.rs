//! Turns of a thread: started, and told in events of ChatKit. A client that hangs up has pressed Stop, unless it or the
//! operator says otherwise.

use std::collections::BTreeMap;

use axum::{
    http::{HeaderMap, HeaderName, HeaderValue},
    response::Response,
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::stream;
use crate::{
    domain::{Conversation, ConversationId, Item, Principal, ToolChoice, UserId},
    http::{
        App, chat::body::LONGEST_MESSAGE, principal::time_left, problem::Problem, request_line::RUN_ID,
        seats::Seat, sse,
    },
    runs::{Followed, NewTurn, Prompt, Started},
    wire::chatkit::{Input, Opening, Render, Trouble},
};

/// The header that says what hanging up means for this request.
const ON_DISCONNECT: HeaderName = HeaderName::from_static("x-parlor-on-disconnect");

/// What hanging up means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDisconnect {
    /// The turn is cancelled: the component's Stop button does nothing else.
    Cancel,
    /// The turn goes on, and a reload shows it.
    Continue,
}

/// Who asks, and how.
pub(super) struct Asking<'a> {
    pub(super) app: &'a App,
    pub(super) principal: &'a Principal,
    on_disconnect: OnDisconnect,
}

impl<'a> Asking<'a> {
    pub(super) fn new(app: &'a App, principal: &'a Principal, headers: &HeaderMap) -> Result<Self, Problem> {
        let on_disconnect = match headers.get(ON_DISCONNECT).map(HeaderValue::as_bytes) {
            None => app.on_disconnect,
            Some(b"cancel") => OnDisconnect::Cancel,
            Some(b"continue") => OnDisconnect::Continue,
            Some(_) => {
                let (name, fault) = ("X-Parlor-On-Disconnect", "must be cancel or continue");
                return Err(Problem::InvalidHeader { name, fault });
            }
        };
        Ok(Self { app, principal, on_disconnect })
    }

    pub(super) const fn user(&self) -> &'a UserId {
        &self.principal.user
    }

    /// Returns a thread of the user's.
    pub(super) async fn thread(&self, id: ConversationId) -> Result<Conversation, Problem> {
        let found = self.app.store.find_conversation(self.user(), id).await?;
        found.ok_or(Problem::NotFound("thread"))
    }

    /// Starts a turn and tells it. From here on whatever goes wrong is told in the stream.
    pub(super) async fn turn(&self, prompt: Prompt, model: Option<String>) -> Result<Response, Problem> {
        let cancel = CancellationToken::new();
        let leash = match self.on_disconnect {
            OnDisconnect::Cancel => Some(cancel.clone().drop_guard()),
            OnDisconnect::Continue => None,
        };
        let is_again = matches!(prompt, Prompt::Again(..));
        let opening = prompt.clone();
        let seat = match self.app.seats.take() {
            Ok(seat) => seat,
            Err(problem) => return trouble(problem, is_again),
        };
        let started = match self.app.runs.start(self.new_turn(prompt, model, cancel)).await {
            Ok(started) => started,
            Err(error) => return trouble(error.into(), is_again),
        };
        match self.tell(started, &opening, leash, seat).await {
            Ok(response) => Ok(response),
            Err(problem) => trouble(problem, true),
        }
    }

    async fn tell(
        &self,
        started: Started,
        prompt: &Prompt,
        leash: Option<DropGuard>,
        seat: Seat,
    ) -> Result<Response, Problem> {
        let thread = self.thread(started.conversation).await?;
        let opening = self.opening(started, prompt).await?;
        let Followed::Stream(heard) = self.app.runs.follow(self.user(), started.run, None).await? else {
            return Err(Problem::NotFound("run"));
        };
        let heard = seat.listens(sse::until(heard, time_left(self.principal, self.app.clock.now())));
        let (render, first) = Render::open(&thread, &opening);
        let mut answer = stream::told(heard, render, first, leash, self.app.heartbeat);
        if let Ok(run) = HeaderValue::from_str(&started.run.to_string()) {
            answer.headers_mut().insert(RUN_ID, run);
        }
        Ok(answer)
    }

    /// Finds the message under the id that it was stored with.
    async fn opening(&self, started: Started, prompt: &Prompt) -> Result<Opening, Problem> {
        let items = self.app.store.items_of_run(self.user(), started.run).await?;
        let message = items.into_iter().find_map(|recorded| match recorded.item {
            Item::User(message) => Some((recorded.id, message.text)),
            Item::Assistant(_) | Item::Tool(_) => None,
        });
        let (id, text) = message.ok_or(Problem::NotFound("message"))?;
        Ok(match prompt {
            Prompt::Begin(_) => Opening::Created(id, text),
            Prompt::Say(..) => Opening::Added(id, text),
            Prompt::Again(..) => Opening::Again,
        })
    }

    fn new_turn(&self, prompt: Prompt, model: Option<String>, cancel: CancellationToken) -> NewTurn {
        NewTurn {
            principal: self.principal.clone(),
            prompt,
            provider: None,
            model,
            timezone: None,
            metadata: BTreeMap::new(),
            tool_choice: ToolChoice::Auto,
            key: None,
            cancel,
        }
    }
}

/// Says what is wrong with a message, in words for the user.
pub(super) fn objection(input: &Input) -> Option<&'static str> {
    if input.has_attachments {
        Some("Attachments are not supported.")
    } else if input.text.trim().is_empty() {
        Some("This message is empty.")
    } else if input.text.chars().count() > LONGEST_MESSAGE {
        Some("This message is too long.")
    } else {
        None
    }
}

/// Answers with a stream that tells of the trouble and nothing else.
pub(super) fn troubled(message: &str, allow_retry: bool) -> Response {
    let trouble = Trouble { message: message.to_owned(), allow_retry };
    stream::frames(trouble.frame())
}

/// Tells the user of a problem, if it is one for users; the others are the page's.
pub(super) fn trouble(problem: Problem, allow_retry: bool) -> Result<Response, Problem> {
    let message = match &problem {
        Problem::ConversationBusy { .. } => {
            return Ok(troubled("This conversation is still answering. Wait for it, or stop it.", false));
        }
        Problem::Invalid(_)
        | Problem::Internal(_)
        | Problem::StorageUnavailable(_)
        | Problem::ToolsUnavailable
        | Problem::ModelUnavailable { .. }
        | Problem::Overloaded
        | Problem::ShuttingDown
        | Problem::Forbidden(_)
        | Problem::NotFound("message" | "task" | "item") => sentence(&problem),
        _ => return Err(problem),
    };
    problem.log();
    Ok(troubled(&message, allow_retry))
}

/// Makes the text of a problem a sentence.
fn sentence(problem: &Problem) -> String {
    let text = problem.to_string();
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", characters.as_str().trim_end_matches('.'))
}
