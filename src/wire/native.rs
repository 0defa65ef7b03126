//! The native format: server-sent events with an id, a name and one line of JSON.

use std::io::Write;

use super::data::DataOut;
use crate::domain::{Event, EventId, RunStatus};

/// The first frame of a stream: how long a client waits before it reconnects, in milliseconds.
pub const RETRY: &str = "retry: 1000\n\n";

/// The last frame of a stream that heard the run's end.
pub const DONE: &str = "data: [DONE]\n\n";

/// A comment that keeps proxies from hanging up while nothing happens.
pub const HEARTBEAT: &str = ": keep-alive\n\n";

/// Every event that can be told, with the name of what stands in its data.
pub const EVENTS: [(&str, &str); 12] = [
    ("run.created", "RunCreated"),
    ("message.delta", "MessageDelta"),
    ("reasoning.delta", "MessageDelta"),
    ("message.completed", "MessageCompleted"),
    ("message.discarded", "MessageDiscarded"),
    ("tool.started", "ToolStarted"),
    ("tool.completed", "ToolCompleted"),
    ("notice", "Notice"),
    ("run.completed", "RunEnded"),
    ("run.failed", "RunFailed"),
    ("run.cancelled", "RunEnded"),
    ("run.awaiting_approval", "RunEnded"),
];

/// Adds an event as one frame to others.
pub fn write_frame(id: EventId, event: &Event, frames: &mut Vec<u8>) {
    // Writing to memory does not fail, and neither does writing what has only texts for keys.
    drop(write!(frames, "id: {id}\nevent: {}\ndata: ", name(event)));
    drop(serde_json::to_writer(&mut *frames, &DataOut::from(event)));
    frames.extend_from_slice(b"\n\n");
}

/// Returns the name of an event.
const fn name(event: &Event) -> &'static str {
    match event {
        Event::RunCreated { .. } => "run.created",
        Event::MessageDelta { .. } => "message.delta",
        Event::ReasoningDelta { .. } => "reasoning.delta",
        Event::MessageCompleted { .. } => "message.completed",
        Event::MessageDiscarded { .. } => "message.discarded",
        Event::ToolStarted { .. } => "tool.started",
        Event::ToolCompleted { .. } => "tool.completed",
        Event::Notice(_) => "notice",
        Event::Ended(end) => match end.status {
            RunStatus::Completed => "run.completed",
            RunStatus::Failed | RunStatus::Running => "run.failed",
            RunStatus::Cancelled => "run.cancelled",
            RunStatus::AwaitingApproval => "run.awaiting_approval",
        },
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::Value;
    use uuid::Uuid;

    use super::*;
    use crate::domain::{CallStatus, End, NoticeCode, RunFailure, ToolCall, ToolResult, Usage};

    fn frames<'a>(events: impl Iterator<Item = (EventId, &'a Event)>) -> String {
        let mut frames = Vec::new();
        events.for_each(|(id, event)| write_frame(id, event, &mut frames));
        String::from_utf8(frames).unwrap()
    }

    fn id<T: From<Uuid>>(number: u128) -> T {
        Uuid::from_u128(number).into()
    }

    fn call() -> ToolCall {
        ToolCall {
            id: id(3),
            provider_id: "call_x".into(),
            server: "tasks".into(),
            name: "add_task".into(),
            arguments: serde_json::from_str(r#"{"title":"buy milk"}"#).unwrap(),
            unparsed: None,
            provider_meta: None,
        }
    }

    fn end(status: RunStatus, failure: Option<RunFailure>) -> Event {
        let retry_after = failure.map(|_| Duration::from_millis(29_500));
        Event::Ended(End { run_id: id(1), status, failure, usage: Usage::default(), retry_after })
    }

    #[test]
    fn every_event_has_the_name_and_the_fields_of_the_contract() {
        let result = ToolResult {
            duration_ms: Some(4),
            ..ToolResult::without_output(&call(), CallStatus::Ok, "Done")
        };
        let events = [
            Event::RunCreated {
                run_id: id(1),
                conversation_id: id(2),
                user_message_id: id(4),
                provider: "demo".into(),
                model: "demo".into(),
                attempt: 1,
            },
            Event::Notice(NoticeCode::ReplyTruncated.notice()),
            Event::MessageDelta { message_id: id(5), delta: "\n\ndata: \u{1f600}\r\u{2028}".into() },
            Event::ReasoningDelta { message_id: id(5), delta: "They want milk.".into() },
            Event::MessageCompleted { message_id: id(5), content: "hi".into(), incomplete: false },
            Event::MessageDiscarded { message_id: id(6) },
            Event::ToolStarted { message_id: id(5), call: call() },
            Event::ToolCompleted { message_id: id(5), result },
            end(RunStatus::Completed, None),
            end(RunStatus::Failed, Some(RunFailure::ModelUpstream)),
            end(RunStatus::Cancelled, None),
        ];
        insta::assert_snapshot!(frames((1_i64..).map(EventId::from).zip(&events)));
    }

    #[test]
    fn whatever_a_delta_holds_it_is_one_line_that_reads_back_the_same() {
        let delta = "\n\ndata: x\r\nid: 9\u{0085}\u{2028}\u{1f600}";
        let event = Event::MessageDelta { message_id: id(5), delta: delta.into() };
        let frame = frames([(7.into(), &event)].into_iter());
        let lines: Vec<&str> = frame.trim_end_matches('\n').split('\n').collect();
        assert_eq!(lines[..2], ["id: 7", "event: message.delta"]);
        let data: Value = serde_json::from_str(lines[2].strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!((data["delta"].as_str(), lines.len()), (Some(delta), 3));
    }
}
