//! The wide lines: one for each request and one for each run, with all that a question about it may ask for.

use std::time::Duration;

use crate::domain::{ConversationId, RunFailure, RunId, RunStatus, Usage, UserId};

/// A request that was answered. A stream counts as answered once it has begun; its run has a line of its own.
#[derive(Clone, Copy, Debug)]
pub struct RequestLine<'a> {
    /// `http.method`: the method.
    pub method: &'a str,
    /// `http.route`: the pattern of the route, never the path with its ids; none where no route fits.
    pub route: Option<&'a str>,
    /// `http.status`: the status of the answer.
    pub status: u16,
    /// `duration_ms`: from the head of the request to the head of the answer.
    pub duration: Duration,
    /// `request.id`: the id that the client was told.
    pub request_id: &'a str,
    /// `user.id`: who asked, once that is known.
    pub user: Option<&'a UserId>,
    /// `run.id`: the run that the answer told of.
    pub run_id: Option<RunId>,
}

/// A run that reached its final state.
#[derive(Clone, Copy, Debug)]
pub struct RunLine<'a> {
    /// `run.id`: the run.
    pub run_id: RunId,
    /// `conversation.id`: its conversation.
    pub conversation_id: ConversationId,
    /// `user.id`: whose it is.
    pub user: &'a UserId,
    /// `run.status`: how it ended.
    pub status: RunStatus,
    /// `error.code`: why it failed, if it did.
    pub failure: Option<RunFailure>,
    /// `model.provider`: the provider asked.
    pub provider: &'a str,
    /// `model.name`: the model asked.
    pub model: &'a str,
    /// `duration_ms`: from acceptance to the end.
    pub duration: Duration,
    /// `first_delta_ms`: from acceptance to the first text, if there was any.
    pub first_delta: Option<Duration>,
    /// `usage.model_calls`, `usage.input_tokens`, `usage.output_tokens`: what it cost.
    pub usage: Usage,
    /// `tool.calls`: how many calls were begun.
    pub tool_calls: u64,
}

/// Logs that a request was answered; a look at the health, which comes every few seconds, only in detail.
pub fn request_ended(line: &RequestLine<'_>) {
    if line.route.is_some_and(|route| route.starts_with("/health/")) && line.status < 500 {
        tracing::debug!(
            http.route = line.route,
            http.status = line.status,
            request.id = line.request_id,
            "request ended"
        );
        return;
    }
    tracing::info!(
        http.method = line.method,
        http.route = line.route,
        http.status = line.status,
        duration_ms = milliseconds(line.duration),
        request.id = line.request_id,
        user.id = line.user.map(UserId::as_str),
        run.id = line.run_id.map(tracing::field::display),
        "request ended"
    );
}

/// Logs that a run reached its final state.
pub fn run_ended(line: &RunLine<'_>) {
    tracing::info!(
        run.id = %line.run_id,
        conversation.id = %line.conversation_id,
        user.id = line.user.as_str(),
        run.status = line.status.as_str(),
        error.code = line.failure.map(RunFailure::as_str),
        model.provider = line.provider,
        model.name = line.model,
        duration_ms = milliseconds(line.duration),
        first_delta_ms = line.first_delta.map(milliseconds),
        usage.model_calls = line.usage.model_calls,
        usage.input_tokens = line.usage.input_tokens,
        usage.output_tokens = line.usage.output_tokens,
        tool.calls = line.tool_calls,
        "run ended"
    );
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(log: impl FnOnce()) -> Value {
        let written = Written::default();
        let writer = written.clone();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .without_time()
            .with_target(false)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, log);
        serde_json::from_slice(&written.0.lock().unwrap()).unwrap()
    }

    #[test]
    fn a_request_is_one_line_and_what_is_not_known_is_left_out() {
        let line = RequestLine {
            method: "GET",
            route: Some("/api/{user_id}/runs/{id}"),
            status: 401,
            duration: Duration::from_millis(12),
            request_id: "r-1",
            user: None,
            run_id: None,
        };
        let expected = json!({
            "level": "INFO", "message": "request ended", "http.method": "GET",
            "http.route": "/api/{user_id}/runs/{id}", "http.status": 401, "duration_ms": 12,
            "request.id": "r-1",
        });
        assert_eq!(logged(|| request_ended(&line)), expected);
    }

    #[test]
    fn a_run_is_one_line_with_its_end_and_its_cost() {
        let user = UserId::parse("ada").unwrap();
        let line = RunLine {
            run_id: Uuid::nil().into(),
            conversation_id: Uuid::max().into(),
            user: &user,
            status: RunStatus::Failed,
            failure: Some(RunFailure::ModelTimeout),
            provider: "groq",
            model: "llama",
            duration: Duration::from_secs(60),
            first_delta: Some(Duration::from_millis(300)),
            usage: Usage { input_tokens: 7, output_tokens: 3, model_calls: 2, ..Usage::default() },
            tool_calls: 1,
        };
        let expected = json!({
            "level": "INFO", "message": "run ended", "run.id": Uuid::nil(), "conversation.id": Uuid::max(),
            "user.id": "ada", "run.status": "failed", "error.code": "model_timeout", "model.provider": "groq",
            "model.name": "llama", "duration_ms": 60_000, "first_delta_ms": 300, "usage.model_calls": 2,
            "usage.input_tokens": 7, "usage.output_tokens": 3, "tool.calls": 1,
        });
        assert_eq!(logged(|| run_ended(&line)), expected);
    }
}
