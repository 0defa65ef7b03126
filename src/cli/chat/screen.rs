//! What a person sees of a turn. The words go to one stream (standard output), all else to another (standard error), so
//! that the answer can be piped; on a terminal both make one picture.

use std::io::{self, Write};

use serde_json::Value;

use super::{
    plain,
    told::{Ending, Told},
};

/// The most that is shown of arguments, and of what a call that failed has answered.
const SHOWN: usize = 160;

/// The notice that says that no model answers. Once is enough.
const DEMO: &str = "demo_mode";

/// Shows turns.
pub(super) struct Screen<W, N> {
    words: W,
    notes: N,
    line: Line,
    /// The message that is being written, as it came.
    writing: Option<(String, String)>,
    knows_the_demo: bool,
}

/// What the line holds on which the cursor stands.
#[derive(PartialEq, Eq)]
enum Line {
    Nothing,
    Words,
    /// A call without its answer.
    Call(String),
}

impl<W: Write, N: Write> Screen<W, N> {
    /// Begins on an empty line.
    pub(super) const fn new(words: W, notes: N) -> Self {
        Self { words, notes, line: Line::Nothing, writing: None, knows_the_demo: false }
    }

    /// Asks for a line.
    pub(super) fn prompt(&mut self) -> io::Result<()> {
        self.fresh_line()?;
        write!(self.notes, "> ")?;
        self.notes.flush()
    }

    /// Ends the line of a prompt to which nobody has typed anything.
    pub(super) fn leave_prompt(&mut self) -> io::Result<()> {
        writeln!(self.notes)
    }

    /// Shows something that is no part of the answer.
    pub(super) fn note(&mut self, text: &str) -> io::Result<()> {
        self.fresh_line()?;
        writeln!(self.notes, "· {}", plain::line(text, usize::MAX))?;
        self.notes.flush()
    }

    /// Shows what happened.
    pub(super) fn take(&mut self, told: &Told) -> io::Result<()> {
        match told {
            Told::Words { message, delta } => self.write(message, delta),
            Told::Whole { message, content } => self.complete(message, content),
            Told::Withdrawn { message } => match &self.writing {
                Some((current, _)) if current == message => self.withdraw(),
                Some(_) | None => Ok(()),
            },
            Told::Started { call, name, arguments } => {
                self.fresh_line()?;
                let arguments = Value::Object(arguments.clone()).to_string();
                write!(self.notes, "· {} {} …", plain::line(name, SHOWN), plain::line(&arguments, SHOWN))?;
                self.line = Line::Call(call.clone());
                self.notes.flush()
            }
            Told::Answered { call, name, status, is_error, result } => {
                let reason = if *is_error { reason(result) } else { String::new() };
                self.answered(call, name, &format!("{}{reason}", plain::line(status, SHOWN)))
            }
            Told::Noted { code, .. } if code == DEMO && self.knows_the_demo => Ok(()),
            Told::Noted { code, message } => {
                self.knows_the_demo |= code == DEMO;
                self.note(message)
            }
            Told::Ended(ending) => self.end(ending),
        }
    }

    /// Ends the line that was begun, if one was.
    pub(super) fn fresh_line(&mut self) -> io::Result<()> {
        match std::mem::replace(&mut self.line, Line::Nothing) {
            Line::Nothing => Ok(()),
            Line::Words => {
                writeln!(self.words)?;
                self.words.flush()
            }
            Line::Call(_) => writeln!(self.notes),
        }
    }

    fn write(&mut self, message: &str, delta: &str) -> io::Result<()> {
        match &mut self.writing {
            Some((current, text)) if current == message => text.push_str(delta),
            Some(_) | None => {
                // What was begun and is not gone on with was never completed.
                self.withdraw()?;
                self.writing = Some((message.to_owned(), delta.to_owned()));
            }
        }
        self.put(delta)
    }

    fn put(&mut self, text: &str) -> io::Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        if self.line != Line::Words {
            self.fresh_line()?;
        }
        let shown = plain::text(text);
        write!(self.words, "{shown}")?;
        self.line = if shown.ends_with('\n') { Line::Nothing } else { Line::Words };
        self.words.flush()
    }

    /// Shows what is stored: the rest of it, or all of it if it is not what was shown.
    fn complete(&mut self, message: &str, content: &str) -> io::Result<()> {
        let shown = self.writing.take_if(|(current, _)| current == message).map(|(_, text)| text);
        match shown.as_deref().map(|shown| (shown, content.strip_prefix(shown))) {
            Some((_, Some(rest))) => self.put(rest)?,
            Some((_, None)) => {
                self.mark("[withdrawn: what stands above was not kept whole; this was]")?;
                self.put(content)?;
            }
            None => self.put(content)?,
        }
        self.fresh_line()
    }

    /// Says that what was shown of a message does not count.
    fn withdraw(&mut self) -> io::Result<()> {
        match self.writing.take() {
            Some(_) => self.mark("[withdrawn: what stands above does not count]"),
            None => Ok(()),
        }
    }

    fn mark(&mut self, text: &str) -> io::Result<()> {
        self.fresh_line()?;
        writeln!(self.words, "{text}")?;
        self.words.flush()
    }

    fn answered(&mut self, call: &str, name: &str, status: &str) -> io::Result<()> {
        if matches!(&self.line, Line::Call(current) if current == call) {
            self.line = Line::Nothing;
            writeln!(self.notes, " {status}")?;
        } else {
            self.fresh_line()?;
            writeln!(self.notes, "· {} … {status}", plain::line(name, SHOWN))?;
        }
        self.notes.flush()
    }

    fn end(&mut self, ending: &Ending) -> io::Result<()> {
        // What was never completed is not stored.
        self.withdraw()?;
        self.fresh_line()?;
        match ending {
            Ending::Completed => Ok(()),
            Ending::Cancelled => self.note("stopped; what was said is kept"),
            Ending::Waits => self.note("this waits for an approval, which cannot be given here"),
            Ending::Failed(message) => self.note(&format!("failed: {message}")),
        }
    }
}

/// Says why a call failed, as the tool said it.
fn reason(result: &Value) -> String {
    let said = result.get("message").and_then(Value::as_str).or(result.as_str());
    said.map_or_else(String::new, |said| format!(": {}", plain::line(said, SHOWN)))
}

#[cfg(test)]
mod tests;
