//! The body of a problem, as RFC 9457 has it and the contract in section 3.

use serde::Serialize;
use utoipa::{ToSchema, openapi::Ref};

use super::Problem;
use crate::domain::{ConversationId, RunId};

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldFault {
    /// Its name, or the name of a parameter.
    pub field: String,
    /// What it must be.
    pub message: String,
}

/// A refused or failed request (RFC 9457). Programs read `code`.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(in crate::http) struct ProblemOut<'a> {
    /// `urn:parlor:` and the code.
    r#type: String,
    title: &'static str,
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// The sentence that a person reads.
    detail: String,
    /// On the routes of ChatKit: the sentence again, where its component looks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(in crate::http) message: Option<String>,
    #[schema(schema_with = code)]
    code: &'static str,
    /// The id under which the log knows the request; the same as in `X-Request-Id`.
    request_id: &'a str,
    /// With `invalid_request`: every fault.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(value_type = Vec<FieldFault>, required = false)]
    errors: &'a [FieldFault],
    /// With `conversation_busy`: the run that is under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    active_run_id: Option<RunId>,
    /// With 503, and with a run that failed where the model says so: when to try again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    retry_after_seconds: Option<u64>,
    /// Of a run that failed, or whose end this answer did not wait for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    run_id: Option<RunId>,
    /// Of a run that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    conversation_id: Option<ConversationId>,
}

/// The codes are listed where it is known which problems there can be.
fn code() -> Ref {
    Ref::from_schema_name("ProblemCode")
}

impl<'a> ProblemOut<'a> {
    /// Shows a problem to the client that sent the request of this id.
    pub(in crate::http) fn new(problem: &'a Problem, request_id: &'a str) -> Self {
        let (status, code, title) = problem.row();
        let failed = match problem {
            Problem::RunFailed { run, conversation, .. } | Problem::CutShort { run, conversation } => {
                Some((*run, *conversation))
            }
            _ => None,
        };
        Self {
            r#type: format!("urn:parlor:{code}"),
            title,
            status: status.as_u16(),
            detail: problem.to_string(),
            message: None,
            code,
            request_id,
            errors: if let Problem::Invalid(faults) = problem { faults } else { &[] },
            active_run_id: if let Problem::ConversationBusy { active } = problem {
                Some(*active)
            } else {
                None
            },
            retry_after_seconds: problem.retry_after(),
            run_id: failed.map(|(run, _)| run),
            conversation_id: failed.map(|(_, conversation)| conversation),
        }
    }
}
