//! Understands the few sentences that the demo knows. Pure: text in, wishes out.

use super::{
    clause::{split, split_at_word, strip, strip_any, strip_end, unquoted, without_end},
    wish::{Priority, Status, Which, Wish},
};

/// The words that may be in a question for the list. Any other makes it a question about something else.
const LIST_WORDS: &str = "list show display view what what's whats which is are on in of for to do i have me \
    my all the a tasks task todo todos to-do to-dos completed complete done finished pending open unfinished \
    remaining left still need everything any there now please";

/// The words that such a question opens with, and those of which it needs one.
const LIST_OPENERS: &str = "list show display view what what's whats which my tasks all";
const LIST_THINGS: &str = "list tasks task todo todos to-do to-dos do everything all show completed done finished \
    pending open left";

/// The words for what is to be done, and for what is done.
const PENDING: &str = "pending open unfinished remaining left still";
const COMPLETED: &str = "completed complete done finished";

const POLITE: [&str; 12] = [
    "please",
    "can you",
    "could you",
    "would you",
    "i want to",
    "i would like to",
    "i'd like to",
    "hi",
    "hey",
    "hello",
    "now",
    "then",
];

const FROM_LIST: [&str; 6] =
    ["to my list", "to the list", "to my tasks", "from my list", "from the list", "from my tasks"];

/// Finds out what a message asks for, in its order. Empty if the demo understands nothing of it.
pub(super) fn wishes(message: &str) -> Vec<Wish> {
    let mut wishes = Vec::new();
    for clause in split(message) {
        let text = plain(clause.text);
        let command = command(text);
        let wish = match wishes.last_mut() {
            None | Some(Wish::List(_) | Wish::Prioritize(..)) => command,
            Some(Wish::Add { .. }) => command.filter(Wish::is_unmistakable).or_else(|| added(text)),
            Some(Wish::Complete(_)) => command.or_else(|| which(text).map(Wish::Complete)),
            Some(Wish::Delete(_)) => command.or_else(|| which(text).map(Wish::Delete)),
            Some(Wish::Rename(_, title)) => {
                if command.is_none() {
                    title.push_str(clause.separator);
                    title.push_str(text);
                }
                command
            }
        };
        wishes.extend(wish);
    }
    wishes
}

/// Reads a clause that begins with a verb.
fn command(text: &str) -> Option<Wish> {
    let readers = [add, list, complete, delete, prioritize, rename];
    readers.into_iter().find_map(|read| read(text))
}

fn add(text: &str) -> Option<Wish> {
    added(strip_any(text, &["add", "create", "new task", "remind me to"])?)
}

/// Reads what is to be added.
fn added(text: &str) -> Option<Wish> {
    let text = match strip_any(text, &["a new task", "new task", "a task", "task"]) {
        Some(rest) => strip_any(rest, &["to", "called", "named"]).unwrap_or(rest),
        None => text,
    };
    let text = without_end(text, &FROM_LIST);
    let (text, priority) = match priority_at_end(text) {
        Some((rest, priority)) => (without_end(rest, &["with a", "with", "as", "at"]), Some(priority)),
        None => (text, None),
    };
    Some(Wish::Add { title: title(text)?, priority })
}

/// Reads a question for the list: it opens like one, names a thing of the list, and has no word of another topic.
fn list(text: &str) -> Option<Wish> {
    let text = text.to_lowercase().replace('’', "'");
    let words: Vec<&str> = text.split_whitespace().collect();
    let is_of = |word: &str, known: &str| known.split_whitespace().any(|known| known == word);
    let has = |known: &str| words.iter().any(|word| is_of(word, known));
    let opens = words.first().is_some_and(|first| is_of(first, LIST_OPENERS));
    if !opens || !has(LIST_THINGS) || !words.iter().all(|word| is_of(word, LIST_WORDS)) {
        return None;
    }
    Some(Wish::List(if has(PENDING) {
        Some(Status::Pending)
    } else if has(COMPLETED) {
        Some(Status::Completed)
    } else {
        None
    }))
}

fn complete(text: &str) -> Option<Wish> {
    if let Some(rest) = strip_any(text, &["done with", "done", "complete", "finish"]) {
        return which(rest).map(Wish::Complete);
    }
    let rest = strip(text, "mark")?;
    let rest = ["done", "complete", "completed", "finished"].iter().find_map(|end| strip_end(rest, end))?;
    which(without_end(rest, &["as"])).map(Wish::Complete)
}

fn delete(text: &str) -> Option<Wish> {
    let rest = strip_any(text, &["delete", "remove"])?;
    which(without_end(rest, &FROM_LIST)).map(Wish::Delete)
}

fn prioritize(text: &str) -> Option<Wish> {
    let rest = strip_any(text, &["make", "set", "mark", "change"])?;
    let rest = strip_any(rest, &["the priority of", "priority of"]).unwrap_or(rest);
    let (rest, priority) = priority_at_end(rest).or_else(|| bare_priority_at_end(rest))?;
    Some(Wish::Prioritize(which(without_end(rest, &["to a", "to", "as", "a"]))?, priority))
}

fn rename(text: &str) -> Option<Wish> {
    let rest = strip_any(text, &["rename", "change"])?;
    let rest = strip_any(rest, &["the title of", "title of", "the name of"]).unwrap_or(rest);
    let (old, new) = split_at_word(rest, "to")?;
    let new = unquoted(new).unwrap_or(new);
    (!new.is_empty()).then_some(Wish::Rename(which(old)?, new.to_owned()))
}

/// Reads which task is meant: a number, or else a part of a title.
fn which(text: &str) -> Option<Which> {
    let bare = strip_any(text, &["the task", "task"]).unwrap_or(text);
    let bare = strip_any(bare, &["number", "no."]).unwrap_or(bare).trim_start_matches('#');
    if !bare.is_empty() && bare.bytes().all(|byte| byte.is_ascii_digit()) {
        return bare.parse().ok().map(Which::Number);
    }
    title(text).map(Which::Title)
}

/// Reads a title: as it stands inside quotes, else without "the" before and "task" after it.
fn title(text: &str) -> Option<String> {
    let text = text.trim();
    let bare = match unquoted(text) {
        Some(quoted) => quoted,
        None => {
            let text = without_end(strip(text, "the").unwrap_or(text), &["task"]);
            unquoted(text).unwrap_or(text)
        }
    };
    (!bare.is_empty()).then(|| bare.to_owned())
}

fn priority_at_end(text: &str) -> Option<(&str, Priority)> {
    let forms = |word: &str| {
        [
            format!("{word} priority"),
            format!("priority {word}"),
            format!("({word})"),
            format!("({word} priority)"),
        ]
    };
    Priority::ALL.into_iter().find_map(|priority| {
        let rest = forms(priority.as_str()).iter().find_map(|form| strip_end(text, form))?;
        Some((rest, priority))
    })
}

fn bare_priority_at_end(text: &str) -> Option<(&str, Priority)> {
    Priority::ALL.into_iter().find_map(|priority| Some((strip_end(text, priority.as_str())?, priority)))
}

/// Takes off what is said for politeness, and the full stop.
fn plain(text: &str) -> &str {
    let mut text = text.trim_end_matches(['.', '!', '?', ' ']);
    while let Some(rest) = strip_any(text, &POLITE).filter(|rest| !rest.is_empty()) {
        text = rest;
    }
    without_end(text, &["please", "for me"])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adds(title: &str) -> Wish {
        Wish::Add { title: title.into(), priority: None }
    }

    fn titled(title: &str) -> Which {
        Which::Title(title.into())
    }

    fn assert_understood(table: &[(&str, &[Wish])]) {
        for (message, expected) in table {
            assert_eq!(wishes(message), *expected, "{message}");
        }
    }

    #[test]
    fn tasks_are_added_in_the_users_spelling() {
        assert_understood(&[
            ("add buy milk and call mom", &[adds("buy milk"), adds("call mom")]),
            ("Remind me to water plants; pay rent", &[adds("water plants"), adds("pay rent")]),
            (r#"add "salt and pepper""#, &[adds("salt and pepper")]),
            ("Please ADD the Dishes task.", &[adds("Dishes")]),
            ("new task: call Dr. Lee", &[adds("call Dr. Lee")]),
            ("create a task to buy a plant", &[adds("buy a plant")]),
            ("add eggs, finish the report", &[adds("eggs"), adds("finish the report")]),
            ("add milk to my list", &[adds("milk")]),
        ]);
    }

    #[test]
    fn a_new_task_may_have_a_priority() {
        let high = |title: &str| Wish::Add { title: title.into(), priority: Some(Priority::High) };
        assert_understood(&[
            ("add pay rent with high priority", &[high("pay rent")]),
            ("add pay rent (high)", &[high("pay rent")]),
            ("add get high", &[adds("get high")]),
        ]);
    }

    #[test]
    fn the_list_is_asked_for_in_many_ways() {
        for message in
            ["list", "show my tasks", "my tasks", "what is on my list", "What’s on my list?", "tasks"]
        {
            assert_eq!(wishes(message), [Wish::List(None)], "{message}");
        }
        assert_eq!(wishes("show my completed tasks"), [Wish::List(Some(Status::Completed))]);
        assert_eq!(wishes("what is left to do?"), [Wish::List(Some(Status::Pending))]);
    }

    #[test]
    fn tasks_are_meant_by_number_or_by_title() {
        assert_understood(&[
            ("done 1", &[Wish::Complete(Which::Number(1))]),
            ("done 1, 2 and #3", &[1, 2, 3].map(|number| Wish::Complete(Which::Number(number)))),
            ("finish the milk task", &[Wish::Complete(titled("milk"))]),
            ("mark task 2 as done", &[Wish::Complete(Which::Number(2))]),
            ("delete the dad task", &[Wish::Delete(titled("dad"))]),
            ("remove #4 from my list", &[Wish::Delete(Which::Number(4))]),
        ]);
    }

    #[test]
    fn titles_and_priorities_are_changed() {
        let renamed = |title: &str| Wish::Rename(Which::Number(2), title.into());
        let high = |which: Which| Wish::Prioritize(which, Priority::High);
        assert_understood(&[
            ("rename 2 to call dad", &[renamed("call dad")]),
            ("rename 2 to salt and pepper", &[renamed("salt and pepper")]),
            ("change milk to oat milk", &[Wish::Rename(titled("milk"), "oat milk".into())]),
            ("make 2 high priority", &[high(Which::Number(2))]),
            ("make the rent task high", &[high(titled("rent"))]),
            ("set the priority of 2 to high", &[high(Which::Number(2))]),
            ("change task 2 to low priority", &[Wish::Prioritize(Which::Number(2), Priority::Low)]),
        ]);
    }

    #[test]
    fn several_wishes_may_stand_in_one_message() {
        assert_understood(&[
            ("add milk and done 2", &[adds("milk"), Wish::Complete(Which::Number(2))]),
            (
                "delete 1 and add tea, then list",
                &[Wish::Delete(Which::Number(1)), adds("tea"), Wish::List(None)],
            ),
        ]);
    }

    #[test]
    fn what_is_not_about_tasks_is_not_understood() {
        for message in [
            "",
            "hello",
            "what is the weather?",
            "show me the moon",
            "add",
            "done",
            "make dinner",
            "my name is Ada",
        ] {
            assert_eq!(wishes(message), [], "{message}");
        }
    }
}
