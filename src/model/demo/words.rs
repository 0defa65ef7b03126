//! The demo's words. Pure: what the tools said in, a friendly text out.

use serde_json::Value;

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
    let text = match results {
        [] => INTRODUCTION.to_owned(),
        [_] if are_changes_done => format!("Done! {}", sentences(results).join(" ")),
        [_, ..] if are_changes_done => format!("All done! {}", sentences(results).join(" ")),
        [_, ..] => sentences(results).join("\n"),
    };
    cut_at(&text, MESSAGE_LIMIT).to_owned()
}

/// Says what each result did. Neighbours of one kind share a sentence.
fn sentences(results: &[&ToolResult]) -> Vec<String> {
    let is_of_a_kind = |one: &&ToolResult, next: &&ToolResult| {
        deed(one).zip(deed(next)).is_some_and(|((verb, _), (next, _))| verb == next)
    };
    results.chunk_by(is_of_a_kind).map(sentence).collect()
}

fn sentence(results: &[&ToolResult]) -> String {
    let deeds: Option<Vec<_>> = results.iter().map(|result| deed(result)).collect();
    match deeds.as_deref() {
        Some([(verb, first), rest @ ..]) => {
            let named: Vec<_> = [first].into_iter().chain(rest.iter().map(|(_, object)| object)).collect();
            format!("{verb} {}.", enumerated(&named))
        }
        Some([]) | None => results.iter().map(|result| told(result)).collect::<Vec<_>>().join("\n"),
    }
}

/// Returns a verb and what it was done to; nothing where the tool did not say which task it was, or it did not work.
fn deed(result: &ToolResult) -> Option<(&'static str, String)> {
    let task = result.result.get("task").filter(|_| !result.status.is_error())?;
    let text = |field| task.get(field).and_then(Value::as_str);
    let number = task.get("number").and_then(Value::as_u64)?;
    let (title, priority) = (text("title")?, text("priority")?);
    match (result.name.as_str(), priority) {
        ("add_task", "medium") => Some(("Added", format!("“{title}”"))),
        ("add_task", _) => Some(("Added", format!("“{title}” ({priority} priority)"))),
        ("complete_task", _) => Some(("Completed", format!("“{title}”"))),
        ("delete_task", _) => Some(("Deleted", format!("“{title}”"))),
        ("update_task", _) => Some(("Renamed", format!("{number} to “{title}”"))),
        ("set_priority", _) => Some(("Gave", format!("“{title}” {priority} priority"))),
        _ => None,
    }
}

/// Writes a list as people say it: `a, b and c`.
fn enumerated(named: &[&String]) -> String {
    let named: Vec<&str> = named.iter().map(|name| name.as_str()).collect();
    match named.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => named.concat(),
    }
}

/// Says a result in the tool's words, without the advice in them that is for models.
fn told(result: &ToolResult) -> String {
    let text = result.text.trim();
    if !result.status.is_error() {
        return text.to_owned();
    }
    match text.split_once("; call list_tasks") {
        Some((fault, _)) => format!("Sorry, {fault}. Ask “what is on my list” to see them all."),
        None => format!("Sorry, that did not work: {text}"),
    }
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
    use serde_json::json;

    use crate::domain::{CallId, CallStatus};

    use super::*;

    fn result(name: &str, status: CallStatus, text: &str, result: Value) -> ToolResult {
        ToolResult {
            call_id: CallId::new(),
            server: "tasks".into(),
            name: name.to_owned(),
            status,
            text: text.to_owned(),
            result,
            truncated: false,
            duration_ms: None,
        }
    }

    fn told(results: &[(&str, CallStatus, &str)]) -> String {
        let results: Vec<_> =
            results.iter().map(|(name, status, text)| result(name, *status, text, Value::Null)).collect();
        confirm(&results.iter().collect::<Vec<_>>())
    }

    /// What is said of changes to tasks: the tool, the title and the priority of each.
    fn told_of(changes: &[(&str, &str, &str)]) -> String {
        let change = |(name, title, priority): &(&str, &str, &str)| {
            let task = json!({"task": {"number": 2, "title": title, "priority": priority}});
            result(name, CallStatus::Ok, "", task)
        };
        let results: Vec<_> = changes.iter().map(change).collect();
        confirm(&results.iter().collect::<Vec<_>>())
    }

    #[test]
    fn what_was_done_is_said_in_a_sentence() {
        let table = [
            (("add_task", "tea", "medium"), "Done! Added “tea”."),
            (("add_task", "tea", "high"), "Done! Added “tea” (high priority)."),
            (("complete_task", "tea", "low"), "Done! Completed “tea”."),
            (("delete_task", "tea", "low"), "Done! Deleted “tea”."),
            (("update_task", "rice", "low"), "Done! Renamed 2 to “rice”."),
            (("set_priority", "tea", "low"), "Done! Gave “tea” low priority."),
        ];
        for (change, expected) in table {
            assert_eq!(told_of(&[change]), expected);
        }
    }

    #[test]
    fn several_of_a_kind_share_a_sentence() {
        let add = |title| ("add_task", title, "medium");
        assert_eq!(told_of(&[add("a"), add("b"), add("c")]), "All done! Added “a”, “b” and “c”.");
        let mixed = told_of(&[add("a"), ("complete_task", "b", "medium"), add("c")]);
        assert_eq!(mixed, "All done! Added “a”. Completed “b”. Added “c”.");
    }

    #[test]
    fn a_tool_that_names_no_task_is_quoted() {
        let milk = ("add_task", CallStatus::Ok, "Task created: buy milk (Priority: medium)");
        assert_eq!(told(&[milk]), "Done! Task created: buy milk (Priority: medium)");
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
        let advised =
            ("delete_task", CallStatus::Error, "there is no task 9; call list_tasks to see the numbers");
        assert_eq!(told(&[advised]), "Sorry, there is no task 9. Ask “what is on my list” to see them all.");
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
