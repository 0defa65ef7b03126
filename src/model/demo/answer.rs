//! The demo's words. Pure: what the tools said in, a friendly text out.

use crate::domain::{MESSAGE_LIMIT, ToolResult, cut_at};

/// What the demo says where it understands nothing.
pub(super) const INTRODUCTION: &str = "I am a demo without a language model that keeps your task list: try \
    “add buy milk and call mom”, “what is on my list”, “done 1”, “rename 2 to call dad”, “make 2 high priority” \
    or “delete 2”.";

/// What the demo says where the tools that it needs are not there.
pub(super) const UNAVAILABLE: &str =
    "Your task list is unavailable right now, so I changed nothing. Please try again in a moment.";

/// Tells the user what was done.
pub(super) fn confirm(results: &[&ToolResult]) -> String {
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
