//! What to do next: a pure function of the history.
//!
//! Resuming after a crash or a deploy is loading the history and asking again. Calls never overlap, because there is
//! one [`Next::CallTool`] and no way to ask for two.

use super::{CallStatus, Item, ToolCall};

/// How many replies with calls that cannot be made a model may mend after one message of the user. One that still cannot
/// write a call is asked for words.
const MOST_REPAIRS: usize = 2;

/// The next step of a conversation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Next<'a> {
    /// Ask the model; with its tools, or without when it has had its turns.
    AskModel {
        /// Whether the model may still ask for tools.
        tools: bool,
    },
    /// Make this call.
    CallTool(&'a ToolCall),
    /// Nothing: the model has spoken.
    Rest,
}

/// Decides the next step. `max_turns` is how often the model may ask for tools after one message of the user.
pub fn next(history: &[Item], max_turns: usize) -> Next<'_> {
    if let Some(call) = first_open_call(history) {
        return Next::CallTool(call);
    }
    match history.last() {
        Some(Item::User(_) | Item::Tool(_)) => {
            let may_call =
                replies_since_user(history) < max_turns && repairs_since_user(history) <= MOST_REPAIRS;
            Next::AskModel { tools: may_call }
        }
        Some(Item::Assistant(_)) | None => Next::Rest,
    }
}

/// Finds the first call of the last reply that no tool item answers.
fn first_open_call(history: &[Item]) -> Option<&ToolCall> {
    let (at, reply) = history.iter().enumerate().rev().find_map(|(at, item)| match item {
        Item::Assistant(reply) => Some((at, reply)),
        Item::User(_) | Item::Tool(_) => None,
    })?;
    let after = history.get(at..).unwrap_or_default();
    reply.calls.iter().find(|call| after.iter().all(|item| item.answers() != Some(call.id)))
}

fn replies_since_user(history: &[Item]) -> usize {
    history
        .iter()
        .rev()
        .take_while(|item| !matches!(item, Item::User(_)))
        .filter(|item| matches!(item, Item::Assistant(_)))
        .count()
}

/// Counts the replies since the user spoke of which a call could not be made.
fn repairs_since_user(history: &[Item]) -> usize {
    let (mut repairs, mut is_invalid) = (0, false);
    for item in history.iter().rev() {
        match item {
            Item::User(_) => break,
            Item::Tool(result) => is_invalid |= result.status == CallStatus::Invalid,
            Item::Assistant(_) => repairs += usize::from(std::mem::take(&mut is_invalid)),
        }
    }
    repairs
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Map;

    use super::*;
    use crate::domain::{CallId, CallStatus, Reply, ToolResult, UserMessage};

    fn user() -> Item {
        Item::User(UserMessage { text: "buy milk".into(), context: String::new() })
    }

    fn says(text: &str) -> Item {
        Item::Assistant(Reply::of_text(text))
    }

    fn call(name: &str) -> ToolCall {
        ToolCall {
            id: CallId::new(),
            provider_id: name.into(),
            server: "tasks".into(),
            name: name.into(),
            arguments: Map::new(),
            unparsed: None,
            provider_meta: None,
        }
    }

    fn asks(calls: &[&ToolCall]) -> Item {
        Item::Assistant(Reply { calls: calls.iter().copied().cloned().collect(), ..Reply::of_text("") })
    }

    fn answers(call: &ToolCall) -> Item {
        Item::Tool(ToolResult::without_output(call, CallStatus::Ok, "done"))
    }

    #[test]
    fn the_model_answers_a_message() {
        assert_eq!(next(&[user()], 10), Next::AskModel { tools: true });
    }

    #[test]
    fn calls_run_one_after_another_in_their_order() {
        let (first, second) = (call("first"), call("second"));
        let mut history = vec![user(), asks(&[&first, &second])];
        assert_eq!(next(&history, 10), Next::CallTool(&first));
        history.push(answers(&first));
        assert_eq!(next(&history, 10), Next::CallTool(&second));
        history.push(answers(&second));
        assert_eq!(next(&history, 10), Next::AskModel { tools: true });
    }

    #[test]
    fn the_model_rests_once_it_has_spoken() {
        assert_eq!(next(&[user(), says("done")], 10), Next::Rest);
        assert_eq!(next(&[], 10), Next::Rest);
    }

    #[test]
    fn a_model_that_had_its_turns_is_asked_for_a_last_word_without_tools() {
        let (first, second) = (call("first"), call("second"));
        let history = [user(), asks(&[&first]), answers(&first), asks(&[&second]), answers(&second)];
        assert_eq!(next(&history, 3), Next::AskModel { tools: true });
        assert_eq!(next(&history, 2), Next::AskModel { tools: false });
    }

    #[test]
    fn a_model_that_cannot_write_a_call_in_three_replies_is_asked_for_words() {
        let mut history = vec![user()];
        for tools in [true, true, false] {
            let (good, bad) = (call("good"), call("bad"));
            let refused = |call| Item::Tool(ToolResult::without_output(call, CallStatus::Invalid, "no"));
            history.extend([asks(&[&bad, &good, &bad]), refused(&bad), answers(&good), refused(&bad)]);
            assert_eq!(next(&history, 10), Next::AskModel { tools }, "{} items", history.len());
        }
        history.push(user());
        assert_eq!(next(&history, 10), Next::AskModel { tools: true }, "a new message is a new chance");
    }

    #[test]
    fn turns_are_counted_from_the_newest_message() {
        let first = call("first");
        let history = [user(), asks(&[&first]), answers(&first), says("done"), user()];
        assert_eq!(next(&history, 1), Next::AskModel { tools: true });
    }

    proptest! {
        #[test]
        fn whatever_a_model_asks_for_each_call_is_made_once_and_the_turn_ends(
            replies in prop::collection::vec(0_usize..4, 1..8), max_turns in 1_usize..6,
        ) {
            let mut script = replies.into_iter();
            let mut history = vec![user()];
            let mut made = Vec::new();
            for _ in 0..200 {
                let item = match next(&history, max_turns) {
                    Next::Rest => break,
                    Next::AskModel { tools } => {
                        let wanted = if tools { script.next().unwrap_or(0) } else { 0 };
                        let calls: Vec<_> = (0..wanted).map(|_| call("any")).collect();
                        asks(&calls.iter().collect::<Vec<_>>())
                    }
                    Next::CallTool(call) => {
                        prop_assert!(!made.contains(&call.id));
                        made.push(call.id);
                        answers(call)
                    }
                };
                history.push(item);
            }
            prop_assert_eq!(next(&history, max_turns), Next::Rest);
        }
    }
}
