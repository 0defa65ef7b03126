//! A turn as a client asks for it: a message, or another answer to one.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::domain::{ConversationId, ItemId, Principal, Timezone, ToolChoice};

/// A turn as a client asks for it, every field checked.
#[derive(Clone, Debug)]
pub struct NewTurn {
    /// Who asks.
    pub principal: Principal,
    /// What is to be answered, and where.
    pub prompt: Prompt,
    /// The provider that the client named, if it did.
    pub provider: Option<String>,
    /// The model that the client named, if it did.
    pub model: Option<String>,
    /// Where the user is.
    pub timezone: Option<Timezone>,
    /// What else the model should know of the message.
    pub metadata: BTreeMap<String, String>,
    /// Whether the first reply may, must or must not call a tool.
    pub tool_choice: ToolChoice,
    /// The client's idempotency key.
    pub key: Option<String>,
    /// Cancelling it cancels the run, whenever it begins.
    pub cancel: CancellationToken,
}

/// What is to be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prompt {
    /// A message that begins a conversation.
    Begin(String),
    /// A message in a conversation.
    Say(ConversationId, String),
    /// A message that is stored: the last one, or the last one up to this item. What followed it is taken back.
    Again(ConversationId, Option<ItemId>),
}

impl NewTurn {
    /// Digests what makes two requests the same: what was sent, not what the service makes of it today.
    pub(super) fn digest(&self) -> String {
        let (message, conversation) = match &self.prompt {
            Prompt::Begin(message) => (message.clone(), None),
            Prompt::Say(conversation, message) => (message.clone(), Some(conversation.to_string())),
            Prompt::Again(conversation, after) => {
                (after.map(|id| id.to_string()).unwrap_or_default(), Some(conversation.to_string()))
            }
        };
        let [conversation, provider, model] =
            [conversation, self.provider.clone(), self.model.clone()].map(Option::unwrap_or_default);
        digest(&[message, conversation, provider, model])
    }
}

/// Digests parts so that no two different lists of parts come out the same.
fn digest(parts: &[impl AsRef<str>]) -> String {
    use std::fmt::Write;
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_ref().len().to_le_bytes());
        hash.update(part.as_ref().as_bytes());
    }
    hash.finalize().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::digest;

    #[test]
    fn where_one_part_ends_and_the_next_begins_counts() {
        assert_ne!(digest(&["ab", "c"]), digest(&["a", "bc"]));
        assert_eq!(digest(&["ab", "c"]), digest(&["ab", "c"]));
    }
}
