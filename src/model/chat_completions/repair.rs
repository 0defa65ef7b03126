//! Makes of any stored history one that providers accept. Pure.
//!
//! Runs are ended so that histories are in order. This is the second wall: one odd item, from an older version or a
//! hand in the database, would otherwise have every later turn of its conversation refused.

use std::{collections::HashMap, fmt};

use crate::domain::{CallId, Item, Reply, ToolCall, ToolResult};

/// One message of a request, in its order.
#[derive(Debug, PartialEq)]
pub(super) enum Said<'a> {
    /// What the user said; several messages in a row are one.
    User(Words<'a>),
    /// A reply of text, calls or both.
    Reply(&'a Reply),
    /// The answer to a call of the reply before; none where it is not known.
    Answer(&'a ToolCall, Option<&'a ToolResult>),
}

/// A part of a history of which only the user's messages count, each with what stands beside it. They are joined as they are
/// written: nothing is copied.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Words<'a>(&'a [Item]);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut gap = "";
        for item in self.0 {
            let Item::User(message) = item else { continue };
            f.write_str(gap)?;
            if !message.context.is_empty() {
                f.write_str(&message.context)?;
                f.write_str("\n")?;
            }
            f.write_str(&message.text)?;
            gap = "\n\n";
        }
        Ok(())
    }
}

/// Puts a history in order: it begins with the user, no reply is empty, and each call is followed by exactly one answer.
/// Answers without a call are left out.
pub(super) fn repaired(history: &[Item]) -> Vec<Said<'_>> {
    let mut answers: HashMap<CallId, &ToolResult> = HashMap::new();
    for item in history {
        if let Item::Tool(result) = item {
            answers.entry(result.call_id).or_insert(result);
        }
    }
    let mut said = Vec::with_capacity(history.len());
    // Where the messages of the user begin that stand last in `said`.
    let mut first = None;
    for (place, item) in history.iter().enumerate().skip_while(|(_, item)| !matches!(item, Item::User(_))) {
        match item {
            Item::User(_) => {
                if first.is_some() {
                    said.pop();
                }
                let words = history.get(*first.get_or_insert(place)..=place).unwrap_or_default();
                said.push(Said::User(Words(words)));
            }
            Item::Assistant(reply) if reply.text.is_empty() && reply.calls.is_empty() => {}
            Item::Assistant(reply) => {
                first = None;
                said.push(Said::Reply(reply));
                let answered = |call| Said::Answer(call, answers.get(&call.id).copied());
                said.extend(reply.calls.iter().map(answered));
            }
            Item::Tool(_) => {} // stands behind its call already
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;
    use crate::domain::{CallStatus, UserMessage};

    fn user(text: &str) -> Item {
        Item::User(UserMessage { text: text.into(), context: String::new() })
    }

    fn call() -> ToolCall {
        ToolCall {
            id: CallId::new(),
            provider_id: "a".into(),
            server: "tasks".into(),
            name: "add_task".into(),
            arguments: Map::new(),
            unparsed: None,
            provider_meta: None,
        }
    }

    fn asks(calls: &[&ToolCall]) -> Item {
        Item::Assistant(Reply { calls: calls.iter().copied().cloned().collect(), ..Reply::of_text("") })
    }

    fn answers(call: &ToolCall, text: &str) -> Item {
        Item::Tool(ToolResult::without_output(call, CallStatus::Ok, text))
    }

    fn briefly(history: &[Item]) -> Vec<String> {
        let line = |said: &Said<'_>| match said {
            Said::User(text) => format!("user {text}"),
            Said::Reply(reply) => format!("reply {} {}", reply.text, reply.calls.len()),
            Said::Answer(_, answer) => format!("answer {}", answer.map_or("?", |answer| &answer.text)),
        };
        repaired(history).iter().map(line).collect()
    }

    #[test]
    fn a_history_in_order_stays_as_it_is() {
        let (one, two) = (call(), call());
        let history = [
            user("add"),
            asks(&[&one, &two]),
            answers(&one, "1"),
            answers(&two, "2"),
            Item::Assistant(Reply::of_text("Done")),
        ];
        assert_eq!(briefly(&history), ["user add", "reply  2", "answer 1", "answer 2", "reply Done 0"]);
    }

    #[test]
    fn answers_stand_behind_their_calls_once_and_missing_ones_are_made_up_for() {
        let (one, two, stranger) = (call(), call(), call());
        let history = [
            user("add"),
            asks(&[&one, &two]),
            answers(&stranger, "lost"),
            user("well?"),
            answers(&two, "2"),
            answers(&two, "again"),
        ];
        assert_eq!(briefly(&history), ["user add", "reply  2", "answer ?", "answer 2", "user well?"]);
    }

    #[test]
    fn it_begins_with_the_user_and_nothing_in_it_is_empty() {
        let history = [
            Item::Assistant(Reply::of_text("before")),
            user("a"),
            Item::Assistant(Reply::of_text("")),
            Item::User(UserMessage { text: "b".into(), context: "Friday".into() }),
            answers(&call(), "lost"),
            user("c"),
        ];
        assert_eq!(briefly(&history), ["user a\n\nFriday\nb\n\nc"]);
    }
}
