//! Ids of threads and items: a prefix that tells the kind, and the UUID of what is stored. So an id is the same in the
//! stream, in storage and after a reload.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};
use uuid::Uuid;

use crate::domain::{CallId, ConversationId, IdError, ItemId};

/// What an item of a thread is a view of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ItemKey {
    /// What the user or the model said.
    Message(ItemId),
    /// A group of calls, named by the reply that asked for the first.
    Workflow(ItemId),
    /// What the model thought before a reply. Not stored.
    Thought(ItemId),
    /// The list that a call has brought.
    Widget(CallId),
}

impl ItemKey {
    const fn parts(self) -> (&'static str, Uuid) {
        match self {
            Self::Message(id) => ("msg_", id.uuid()),
            Self::Workflow(id) => ("wf_", id.uuid()),
            Self::Thought(id) => ("tho_", id.uuid()),
            Self::Widget(id) => ("wdg_", id.uuid()),
        }
    }

    /// Returns when the item was begun: its id tells.
    pub(super) fn made_at(self) -> DateTime<Utc> {
        let (_, uuid) = self.parts();
        let made = uuid.get_timestamp().map(|stamp| stamp.to_unix());
        let made =
            made.and_then(|(seconds, nanos)| DateTime::from_timestamp(seconds.try_into().ok()?, nanos));
        made.unwrap_or_default()
    }
}

impl fmt::Display for ItemKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (prefix, uuid) = self.parts();
        write!(f, "{prefix}{}", uuid.simple())
    }
}

impl Serialize for ItemKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for ItemKey {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let (prefix, id) = text.split_once('_').ok_or(IdError)?;
        let uuid = read(id)?;
        match prefix {
            "msg" => Ok(Self::Message(uuid.into())),
            "wf" => Ok(Self::Workflow(uuid.into())),
            "tho" => Ok(Self::Thought(uuid.into())),
            "wdg" => Ok(Self::Widget(uuid.into())),
            _ => Err(IdError),
        }
    }
}

/// Writes the id of a thread.
pub(super) fn thread(id: ConversationId) -> String {
    format!("thr_{}", id.uuid().simple())
}

/// Reads the id of a thread.
///
/// # Errors
/// The text is no id that a thread could have.
pub fn read_thread(text: &str) -> Result<ConversationId, IdError> {
    read(text.strip_prefix("thr_").ok_or(IdError)?).map(ConversationId::from)
}

/// Accepts the form that we write and no other.
fn read(id: &str) -> Result<Uuid, IdError> {
    if id.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(IdError);
    }
    id.parse::<uuid::fmt::Simple>().map(uuid::fmt::Simple::into_uuid).map_err(|_| IdError)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_back_as_it_was_written_and_in_no_other_form() {
        let (item, call) = (ItemId::new(), CallId::new());
        for key in
            [ItemKey::Message(item), ItemKey::Workflow(item), ItemKey::Thought(item), ItemKey::Widget(call)]
        {
            assert_eq!(key.to_string().parse(), Ok(key));
        }
        let conversation = ConversationId::new();
        assert_eq!(read_thread(&thread(conversation)), Ok(conversation));
        let text = ItemKey::Message(item).to_string();
        for wrong in
            [text.to_uppercase(), format!("x{text}"), format!("msg_{item}"), "msg_".into(), String::new()]
        {
            assert_eq!(wrong.parse::<ItemKey>(), Err(IdError), "{wrong}");
        }
    }

    #[test]
    fn an_id_tells_when_its_item_was_made() {
        let before = Utc::now();
        let made = ItemKey::Message(ItemId::new()).made_at();
        assert!((made - before).num_milliseconds().abs() < 1_000);
    }
}
