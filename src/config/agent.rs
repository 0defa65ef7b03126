//! The settings of the agent: its name, its instructions and how far it may go in one turn.

use super::{fault::Fault, files::read_text, reader::Reader, report::Shown};

/// The most that the file of instructions may hold, in bytes.
const INSTRUCTIONS_LIMIT: u64 = 64 * 1024;

/// The name where nothing is set.
const NAME: &str = "TodoAgent";

/// The settings of the agent.
#[derive(Clone, Debug)]
pub struct Agent {
    /// Its name.
    pub name: String,
    /// The instructions that stand in for the built-in ones, already read.
    pub instructions: Option<String>,
    /// How often the model may be asked with tools in one turn.
    pub max_turns: u32,
    /// The longest request to a model, in tokens by our estimate: instructions, tools and history.
    pub max_history_tokens: usize,
    /// Whether listeners hear what the model thinks before it speaks.
    pub tells_reasoning: bool,
}

impl Agent {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            name: reader.text_or("AGENT_NAME", Shown::Plain(NAME.into())).unwrap_or_else(|| NAME.into()),
            instructions: read_instructions(reader),
            max_turns: reader.number("MAX_TURNS", 10, 1..=100),
            tells_reasoning: reader.flag("REASONING_DELTAS"),
            max_history_tokens: reader.number("MAX_HISTORY_TOKENS", 24_000, 1..=10_000_000),
        }
    }
}

fn read_instructions(reader: &mut Reader<'_>) -> Option<String> {
    let name = "AGENT_INSTRUCTIONS_FILE";
    let path = reader.folder().join(reader.text(name)?);
    match read_text(&path, INSTRUCTIONS_LIMIT) {
        Ok(text) if text.trim().is_empty() => {
            reader.fault(Fault::unusable(name, format_args!("`{}` is empty", path.display())));
            None
        }
        Ok(text) => Some(text),
        Err(error) => {
            reader.fault(Fault::unusable(name, format_args!("`{}` {error}", path.display())));
            None
        }
    }
}
