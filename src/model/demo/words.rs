//! The demo's words. Pure: what the tools said in, a friendly text out.

use super::doubt;
use crate::domain::{MESSAGE_LIMIT, ToolResult, cut_at};

/// What the demo says where it understands nothing.
pub(super) const INTRODUCTION: &str = "I am a demo without a language model that keeps your task list: try \
    “add buy milk and call mom”, “what is on my list”, “done 1”, “rename 2 to call dad”, “make 2 high priority” \
    or “delete 2”.";

/// What the demo says where the tools that it needs are not there.
pub(super) const UNAVAILABLE: &str =
    "Your task list is unavailable right now, so I changed nothing. Please try again in a moment.";

/// What the demo says where a message asks for more than it does at once.
pub(super) const TOO_MANY: &str = "That is a lot at once. I begin with the first twenty.";

/// Tells the user what was done.
pub(super) fn confirm(results: &[&ToolResult]) -> String {
    if let Some(question) = doubt::question(results) {
        return cut_at(&question, MESSAGE_LIMIT).to_owned();
    }
    let are_changes_done = results.iter().all(|result| !result.status.is_error() && !is_list(result));
    let lines = results.iter().map(|result| line(result));
    let text = match results {
        [] => INTRODUCTION.to_owned(),
        [_] if are_changes_done => lines.map(|line| format!("Done! {line}")).collect(),
        [_] => lines.collect(),
        [_, ..] if are_changes_done => format!("All done!\n{}", joined(lines)),
        [_, ..] => joined(lines),
    };
    cut_at(&text, MESSAGE_LIMIT).to_owned()
}

fn joined(lines: impl Iterator<Item = String>) -> String {
    lines.collect::<Vec<_>>().join("\n")
}

fn line(result: &ToolResult) -> String {
    let text = result.text.trim();
    if result.status.is_error() { format!("Sorry, that did not work: {text}") } else { text.to_owned() }
}

fn is_list(result: &ToolResult) -> bool {
    result.name == "list_tasks"
}

/// Cuts a text into words, each with the space after it; together they are the text.
pub(super) fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let spaces = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let (word, tail) = rest.split_at_checked(spaces)?;
        let end = word.len() + tail.len() - tail.trim_start().len();
        let (piece, left) = rest.split_at_checked(end)?;
        rest = left;
        (!piece.is_empty()).then_some(piece)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use crate::domain::{CallId, CallStatus};

    use super::*;

    fn told(results: &[(&str, CallStatus, &str)]) -> String {
        let result = |(name, status, text): &(&str, CallStatus, &str)| ToolResult {
            call_id: CallId::new(),
            server: "tasks".into(),
            name: (*name).to_owned(),
            status: *status,
            text: (*text).to_owned(),
            result: Value::Null,
            truncated: false,
            duration_ms: None,
        };
        let results: Vec<_> = results.iter().map(result).collect();
        confirm(&results.iter().collect::<Vec<_>>())
    }

    #[test]
    fn changes_are_confirmed_in_the_tools_words() {
        let milk = ("add_task", CallStatus::Ok, "Task created: buy milk (Priority: medium)");
        let mom = ("add_task", CallStatus::Ok, "Task created: call mom (Priority: medium)");
        assert_eq!(told(&[milk]), "Done! Task created: buy milk (Priority: medium)");
        insta::assert_snapshot!(told(&[milk, mom]), @r#"
        All done!
        Task created: buy milk (Priority: medium)
        Task created: call mom (Priority: medium)
        "#);
    }

    #[test]
    fn a_list_is_shown_as_it_is() {
        assert_eq!(told(&[("list_tasks", CallStatus::Ok, "No tasks found.\n")]), "No tasks found.");
    }

    #[test]
    fn what_did_not_work_is_said_beside_what_did() {
        let milk = ("add_task", CallStatus::Ok, "Task created: milk");
        let gone = ("delete_task", CallStatus::Error, "No task has number 9.");
        assert_eq!(told(&[gone]), "Sorry, that did not work: No task has number 9.");
        insta::assert_snapshot!(told(&[milk, gone]), @r#"
        Task created: milk
        Sorry, that did not work: No task has number 9.
        "#);
    }

    proptest! {
        #[test]
        fn words_together_are_the_text_and_none_is_empty(text in "[a-zé \n\t“]{0,40}") {
            let words: Vec<_> = split(&text).collect();
            prop_assert_eq!(words.concat(), text.as_str());
            prop_assert!(words.iter().all(|word| !word.is_empty()));
        }
    }
}
