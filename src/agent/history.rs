//! The history that a turn works on: a conversation from some place on, and which place that is.
//!
//! What lies before the place is never shown again, so it is neither read nor kept here.

use std::{
    mem::size_of,
    sync::{Mutex, PoisonError},
};

use serde_json::Value;

use crate::domain::{Item, Reply, ToolCall, Transcript};

/// How much memory a text takes beside its bytes, as a guess, in bytes.
const AROUND_A_TEXT: usize = 16;

/// The items of a conversation from some place on, oldest first.
#[derive(Debug)]
pub struct History {
    items: Vec<Item>,
    /// Where each of them stands. There are gaps where answers were taken back.
    positions: Vec<i64>,
    /// The last place of the conversation that was taken.
    last_position: i64,
    /// How many of the items are as they were read.
    read: usize,
    /// What a model has written of the items.
    transcript: Mutex<Transcript>,
}

impl History {
    /// Takes what was read, oldest first, of a conversation of which so many places are taken.
    pub fn new(placed: Vec<(i64, Item)>, last_position: i64) -> Self {
        let (positions, items): (Vec<i64>, Vec<Item>) = placed.into_iter().unzip();
        let read = items.len();
        Self { items, positions, last_position, read, transcript: Mutex::default() }
    }

    /// Adds a message that is about to be stored at the next place.
    #[must_use]
    pub fn with(mut self, message: Item) -> Self {
        self.push(message);
        self
    }

    /// Returns the items.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// Returns the last place of the conversation that was taken.
    pub const fn last_position(&self) -> i64 {
        self.last_position
    }

    /// Makes it what would be read now that all of it is stored: some numbers change on their way into text and back. Nothing
    /// if something in it cannot be read again.
    #[must_use]
    pub fn as_stored(mut self) -> Option<Self> {
        for item in self.items.iter_mut().skip(self.read) {
            let stored = serde_json::to_string(item).ok()?;
            *item = serde_json::from_str(&stored).ok()?;
        }
        self.read = self.items.len();
        Some(self)
    }

    /// Says how much memory it takes, roughly, in bytes.
    pub fn weight(&self) -> usize {
        let transcript = self.transcript.lock().unwrap_or_else(PoisonError::into_inner).weight();
        transcript + self.items.iter().map(item_weight).sum::<usize>()
    }

    /// Returns what a model has written of it.
    pub(super) const fn transcript(&self) -> &Mutex<Transcript> {
        &self.transcript
    }

    /// Adds what happened last. A run takes its places without a gap.
    pub(super) fn push(&mut self, item: Item) {
        self.last_position = self.last_position.saturating_add(1);
        self.items.push(item);
        self.positions.push(self.last_position);
    }

    /// Leaves the first so many items out, and returns the position of the one that is the first now. Of a history that has
    /// no more, the last one stays.
    pub(super) fn leave_out(&mut self, count: usize) -> i64 {
        let count = count.min(self.items.len().saturating_sub(1));
        self.items.drain(..count);
        self.positions.drain(..count);
        self.read = self.read.saturating_sub(count);
        self.transcript = Mutex::default();
        self.positions.first().copied().unwrap_or(1)
    }
}

fn item_weight(item: &Item) -> usize {
    let inside = match item {
        Item::User(message) => text_weight(&message.text) + text_weight(&message.context),
        Item::Assistant(reply) => reply_weight(reply),
        Item::Tool(result) => {
            let names = text_weight(&result.server) + text_weight(&result.name);
            names + text_weight(&result.text) + value_weight(&result.result)
        }
    };
    size_of::<(Item, i64)>() + inside
}

fn reply_weight(reply: &Reply) -> usize {
    let meta = reply.provider_meta.as_ref().map_or(0, |meta| value_weight(&meta.data));
    text_weight(&reply.text) + meta + reply.calls.iter().map(call_weight).sum::<usize>()
}

fn call_weight(call: &ToolCall) -> usize {
    let texts = [&call.provider_id, &call.server, &call.name].map(|text| text_weight(text));
    let arguments = call.arguments.iter().map(|(name, value)| text_weight(name) + value_weight(value));
    let meta = call.provider_meta.as_ref().map_or(0, value_weight);
    let unparsed = call.unparsed.as_deref().map_or(0, text_weight);
    size_of::<ToolCall>() + texts.iter().sum::<usize>() + arguments.sum::<usize>() + meta + unparsed
}

fn value_weight(value: &Value) -> usize {
    let inside = match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text_weight(text),
        Value::Array(values) => values.iter().map(value_weight).sum(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| size_of::<String>() + text_weight(name) + value_weight(value))
            .sum(),
    };
    size_of::<Value>() + inside
}

const fn text_weight(text: &str) -> usize {
    text.len() + AROUND_A_TEXT
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, json};

    use super::*;
    use crate::domain::{CallId, UserMessage};

    fn user(text: &str) -> Item {
        Item::User(UserMessage { text: text.into(), context: String::new() })
    }

    fn says(text: &str) -> Item {
        Item::Assistant(Reply::of_text(text))
    }

    fn calls(number: f64) -> Item {
        let call = ToolCall {
            id: CallId::new(),
            provider_id: "a".into(),
            server: "tasks".into(),
            name: "add_task".into(),
            arguments: Map::from_iter([("number".into(), number.into())]),
            unparsed: None,
            provider_meta: Some(json!({"number": number})),
        };
        Item::Assistant(Reply { calls: vec![call], ..Reply::of_text("\u{1}\"\n") })
    }

    #[test]
    fn it_weighs_what_its_texts_do_and_not_much_more() {
        let history = History::new(vec![(1, user(&"u".repeat(50_000)))], 1);
        let weight = history.with(says(&"s".repeat(50_000))).weight();
        assert!((100_000..101_000).contains(&weight), "{weight}");
    }

    proptest! {
        #[test]
        fn what_a_turn_has_added_is_then_as_it_would_be_read(number: f64) {
            let added = [user("\u{0}"), calls(number), says("ok")];
            let read = |item: &Item| serde_json::from_str::<Item>(&serde_json::to_string(item).unwrap()).unwrap();
            let mut history = History::new(vec![(1, user("a"))], 1);
            added.iter().cloned().for_each(|item| history.push(item));
            let stored = history.as_stored().unwrap();
            prop_assert_eq!(&stored.items()[1..], added.each_ref().map(read));
            prop_assert_eq!(stored.last_position(), 4);
        }
    }

    #[test]
    fn where_it_begins_is_where_the_first_item_stands_though_an_answer_was_taken_back_before() {
        // The first answer to the second message stood at 4, and its place is empty.
        let read = vec![(1, user("a")), (2, says("b")), (3, user("c")), (6, says("d"))];
        let mut history = History::new(read, 6).with(user("e"));
        history.push(says("f"));
        assert_eq!(history.leave_out(2), 3);
        assert_eq!(history.leave_out(2), 7);
        assert_eq!(history.items(), [user("e"), says("f")]);
    }
}
