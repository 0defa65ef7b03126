//! Which problems a route can answer with. Derived from what the route is, so that no handler lists what all have.
//!
//! A problem stands here as it is, with words that it may really have: its status, its code and its example are its own.

use std::time::Duration;

use uuid::Uuid;

use crate::{auth::Refusal, domain::RunFailure, http::problem::Problem, store::StoreError};

/// A route, as far as its refusals depend on it.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    /// The name of the operation.
    pub(super) operation: &'a str,
    /// The path, its parameters in braces.
    pub(super) path: &'a str,
    /// Whether the route takes a body.
    pub(super) takes: Takes,
}

/// Whether a route takes a body.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// A JSON object.
    Body,
    /// None.
    Nothing,
}

/// Lists the problems that a route can answer with.
pub(super) fn of(place: Place<'_>) -> Vec<Problem> {
    let mut all = vec![
        Problem::Forbidden("this origin may not use the service; see CORS_ALLOWED_ORIGINS".into()),
        Problem::WrongHost,
        Problem::Internal("a fault of ours".into()),
    ];
    if super::knows_users(place.path) {
        all.extend(of_a_users_route(place));
    }
    if place.takes == Takes::Body {
        all.extend([
            Problem::MalformedJson("EOF while parsing a value at line 1 column 0".into()),
            Problem::BodyTooLarge { limit: 262_144 },
            Problem::UnsupportedMediaType,
        ]);
    }
    all.extend(of_its_own(place.operation));
    all
}

fn of_a_users_route(place: Place<'_>) -> Vec<Problem> {
    let mut all = vec![
        Problem::Unauthenticated(Refusal::NoToken),
        Problem::MalformedRequest("the query has bad percent-encoding"),
        Problem::field(
            "user_id",
            "must be 1 to 128 of A-Z a-z 0-9 . _ @ : | + ~ = - and start with a letter or digit",
        ),
    ];
    if place.path.contains("/tasks") {
        all.push(Problem::ToolsUnavailable);
    } else {
        all.push(Problem::StorageUnavailable(StoreError::Fenced));
    }
    for (parameter, what) in
        [("{conversation_id}", "conversation"), ("{run_id}", "run"), ("{number}", "task")]
    {
        if place.path.contains(parameter) {
            all.push(Problem::NotFound(what));
        }
    }
    all
}

/// Lists what only one route has.
fn of_its_own(operation: &str) -> Vec<Problem> {
    match operation {
        "chat" => turn().into_iter().chain([Problem::NotFound("conversation")]).collect(),
        "retry" => turn(),
        "chatkit" | "chatkit_of_user" => {
            let (name, fault) = ("X-Parlor-On-Disconnect", "must be cancel or continue");
            vec![
                Problem::InvalidHeader { name, fault },
                Problem::NotFound("thread"),
                busy(),
                Problem::ToolsUnavailable,
            ]
        }
        "delete_conversation" => vec![busy()],
        "run_events" => {
            let fault = "must be the id of an event";
            vec![Problem::InvalidHeader { name: "Last-Event-ID", fault }, Problem::Overloaded]
        }
        "docs_file" | "page_file" => vec![Problem::NoSuchRoute],
        _ => Vec::new(),
    }
}

/// Lists what may become of a turn.
fn turn() -> Vec<Problem> {
    let fault = "must be 1 to 255 printable ASCII characters";
    let mut all = vec![
        Problem::InvalidHeader { name: "Idempotency-Key", fault },
        busy(),
        Problem::KeyReused,
        Problem::Overloaded,
        Problem::ShuttingDown,
        Problem::ModelUnavailable { retry_after: Duration::from_secs(14) },
    ];
    all.extend(RunFailure::ALL.map(failed));
    all
}

fn busy() -> Problem {
    Problem::ConversationBusy { active: Uuid::from_u128(SAMPLE).into() }
}

/// An id for examples.
const SAMPLE: u128 = 0x01a1_f7f2_045b_7d31_9a7e_5b0c_2d4e_6f12;

fn failed(failure: RunFailure) -> Problem {
    let (run, conversation) = (Uuid::from_u128(SAMPLE), Uuid::from_u128(SAMPLE + 1));
    let (run, conversation) = (run.into(), conversation.into());
    Problem::RunFailed { failure, run, conversation, retry_after_seconds: None }
}
