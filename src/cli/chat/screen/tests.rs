//! One picture of both streams, as a terminal makes it.

use std::{cell::RefCell, rc::Rc};

use serde_json::json;

use super::*;

/// A terminal: both streams end in it, in the order of writing. Words stand as they are, notes between brackets.
#[derive(Clone, Default)]
struct Terminal(Rc<RefCell<Vec<u8>>>);

impl Write for Terminal {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn shown(told: &[Told]) -> String {
    let terminal = Terminal::default();
    let mut screen = Screen::new(terminal.clone(), terminal.clone());
    for told in told {
        screen.take(told).unwrap();
    }
    let bytes = terminal.0.borrow().clone();
    String::from_utf8(bytes).unwrap()
}

fn words(message: &str, delta: &str) -> Told {
    Told::Words { message: message.into(), delta: delta.into() }
}

fn whole(message: &str, content: &str) -> Told {
    Told::Whole { message: message.into(), content: content.into() }
}

fn started(call: &str) -> Told {
    let arguments = json!({"title": "tea\u{1b}[2J\u{9b}m"}).as_object().unwrap().clone();
    Told::Started { call: call.into(), name: "add_task".into(), arguments }
}

fn answered(call: &str, status: &str, result: Value) -> Told {
    let is_error = status != "ok";
    Told::Answered { call: call.into(), name: "add_task".into(), status: status.into(), is_error, result }
}

const END: Told = Told::Ended(Ending::Completed);

#[test]
fn words_and_steps_stand_on_lines_of_their_own() {
    let told = [
        words("a", "Let me "),
        words("a", "see."),
        whole("a", "Let me see."),
        started("1"),
        answered("1", "ok", json!("Task created")),
        started("2"),
        answered("2", "error", json!({"code": "task_not_found", "message": "there is no\ntask 9"})),
        words("b", "Done.\n"),
        whole("b", "Done.\n"),
        END,
    ];
    insta::assert_snapshot!(shown(&told), @r#"
    Let me see.
    · add_task {"title":"tea\u001b[2J�m"} … ok
    · add_task {"title":"tea\u001b[2J�m"} … error: there is no task 9
    Done.
    "#);
}

#[test]
fn what_is_stored_stands_over_what_was_shown() {
    let cut = [words("a", "Once upon a time"), whole("a", "Once upon"), END];
    insta::assert_snapshot!(shown(&cut), @r"
    Once upon a time
    [withdrawn: what stands above was not kept whole; this was]
    Once upon
    ");
    let missed = [words("a", "Once "), whole("a", "Once upon a time"), whole("b", "The end."), END];
    insta::assert_snapshot!(shown(&missed), @r"
    Once upon a time
    The end.
    ");
}

#[test]
fn text_that_is_withdrawn_is_said_to_be_and_the_new_text_follows() {
    let told = [
        words("a", "Once"),
        Told::Withdrawn { message: "a".into() },
        Told::Withdrawn { message: "never shown".into() },
        words("b", "Twice."),
        whole("b", "Twice."),
        END,
    ];
    insta::assert_snapshot!(shown(&told), @r"
    Once
    [withdrawn: what stands above does not count]
    Twice.
    ");
}

#[test]
fn what_was_never_completed_is_withdrawn_at_the_end() {
    let told =
        [words("a", "Once"), Told::Ended(Ending::Failed("The answer was \u{1b}[31minterrupted.".into()))];
    insta::assert_snapshot!(shown(&told), @r"
    Once
    [withdrawn: what stands above does not count]
    · failed: The answer was �[31minterrupted.
    ");
}

#[test]
fn an_answer_whose_call_was_not_seen_says_whose_it_is() {
    let told =
        [started("1"), words("a", "Well"), answered("1", "unknown", Value::Null), whole("a", "Well"), END];
    insta::assert_snapshot!(shown(&told), @r#"
    · add_task {"title":"tea\u001b[2J�m"} …
    Well
    · add_task … unknown
    "#);
}

#[test]
fn that_no_model_answers_is_said_once() {
    let demo = Told::Noted { code: DEMO.into(), message: "This is a demo.".into() };
    let other = Told::Noted { code: "history_trimmed".into(), message: "Cut.\u{7}".into() };
    insta::assert_snapshot!(shown(&[demo.clone(), END, demo, other.clone(), other, END]), @r"
    · This is a demo.
    · Cut.�
    · Cut.�
    ");
}
