//! A line that a person has typed: something to say, or a wish to the client.

/// What `/help` answers.
pub(super) const HELP: &str = "/new begins another conversation, /quit or Ctrl-D leaves; Ctrl-C stops an answer. \
    Everything else is said.";

/// What a line means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    Nothing,
    Say(&'a str),
    New,
    Quit,
    Help,
    Unknown(&'a str),
}

impl<'a> Line<'a> {
    /// Reads a line. Only a single word can be a command: `/etc is full` is something to say.
    pub(super) fn read(line: &'a str) -> Self {
        match line.trim() {
            "" => Self::Nothing,
            "/new" => Self::New,
            "/quit" => Self::Quit,
            "/help" => Self::Help,
            command if command.starts_with('/') && !command.contains(char::is_whitespace) => {
                Self::Unknown(command)
            }
            said => Self::Say(said),
        }
    }
}

#[test]
fn one_word_behind_a_slash_is_a_command_and_all_else_is_said() {
    let lines = ["  ", " /new ", "/quit", "/help", "/exit", "/etc is full", " hi\r"];
    let expected = [
        Line::Nothing,
        Line::New,
        Line::Quit,
        Line::Help,
        Line::Unknown("/exit"),
        Line::Say("/etc is full"),
        Line::Say("hi"),
    ];
    assert_eq!(lines.map(Line::read), expected);
}
