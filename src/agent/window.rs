//! How much of the history is sent: whole turns, newest first, within a budget.
//!
//! A turn is a message of the user and all that follows it, so a call is never cut from its answer.

use crate::domain::{Item, cut_at};

/// The most of a tool result that the model reads, in bytes.
pub const SHOWN_RESULT_LIMIT: usize = 8 * 1024;

/// Returns the newest turns that fit into `budget` tokens. The last turn is always whole; what stands before the first
/// user message is left out.
pub fn fit(history: &[Item], budget: usize) -> &[Item] {
    let starts: Vec<usize> = history
        .iter()
        .enumerate()
        .filter(|(_, item)| matches!(item, Item::User(_)))
        .map(|(at, _)| at)
        .collect();
    let mut left = budget;
    let mut end = history.len();
    let mut from = end;
    for start in starts.into_iter().rev() {
        let cost = tokens(history.get(start..end).unwrap_or_default());
        if from < history.len() && cost > left {
            break;
        }
        left = left.saturating_sub(cost);
        from = start;
        end = start;
    }
    history.get(from..).unwrap_or_default()
}

/// Estimates tokens: a third of the bytes, which was an upper bound in every language measured, and four per message.
pub fn tokens(items: &[Item]) -> usize {
    items.iter().map(|item| bytes(item).div_ceil(3) + 4).sum()
}

fn bytes(item: &Item) -> usize {
    match item {
        Item::User(message) => message.text.len() + message.context.len(),
        Item::Assistant(reply) => {
            let calls = reply.calls.iter().map(|call| {
                let arguments =
                    call.arguments.iter().map(|(name, value)| name.len() + value.to_string().len() + 6);
                call.name.len() + arguments.sum::<usize>()
            });
            reply.text.len() + calls.sum::<usize>()
        }
        Item::Tool(result) => cut_at(&result.text, SHOWN_RESULT_LIMIT).len(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Map;

    use super::*;
    use crate::domain::{CallId, CallStatus, Reply, ToolCall, ToolResult, UserMessage};

    fn user(text: &str) -> Item {
        Item::User(UserMessage { text: text.into(), context: String::new() })
    }

    fn says(text: &str) -> Item {
        Item::Assistant(Reply::of_text(text))
    }

    fn call_and_answer(text: &str) -> [Item; 2] {
        let call = ToolCall {
            id: CallId::new(),
            provider_id: "p".into(),
            server: "tasks".into(),
            name: "list_tasks".into(),
            arguments: Map::new(),
            unparsed: None,
            provider_meta: None,
        };
        let answer = Item::Tool(ToolResult::without_output(&call, CallStatus::Ok, text));
        [Item::Assistant(Reply { calls: vec![call], ..Reply::of_text("") }), answer]
    }

    #[test]
    fn a_short_history_is_sent_whole() {
        let history = [user("a"), says("b"), user("c")];
        assert_eq!(fit(&history, 1_000), &history);
    }

    #[test]
    fn older_turns_go_first_and_the_last_turn_never() {
        let history = [user("aaaaaaaaa"), says("b"), user("c"), says("d"), user(&"e".repeat(300))];
        assert_eq!(fit(&history, 5), &history[4..]);
        assert_eq!(fit(&history, 115), &history[2..]);
    }

    proptest! {
        #[test]
        fn no_answer_is_ever_sent_without_its_call(
            turns in prop::collection::vec((0_usize..3, 0_usize..400), 1..12), budget in 0_usize..600,
        ) {
            let mut history = Vec::new();
            for (calls, length) in turns {
                history.push(user(&"u".repeat(length)));
                for _ in 0..calls {
                    history.extend(call_and_answer(&"t".repeat(length)));
                }
                history.push(says("done"));
            }
            let sent = fit(&history, budget);
            prop_assert!(matches!(sent.first(), Some(Item::User(_))));
            prop_assert_eq!(sent.last(), history.last());
            let asked: Vec<CallId> = sent
                .iter()
                .flat_map(|item| match item { Item::Assistant(reply) => reply.calls.clone(), _ => Vec::new() })
                .map(|call| call.id)
                .collect();
            let answered: Vec<CallId> = sent.iter().filter_map(Item::answers).collect();
            prop_assert_eq!(asked, answered);
        }
    }
}
