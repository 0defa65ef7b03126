//! The history that a turn works on: a conversation from some place on, and which place that is.
//!
//! What lies before the place is never shown again, so it is neither read nor kept here.

use crate::domain::Item;

/// The items of a conversation from some place on, oldest first.
#[derive(Debug)]
pub struct History {
    /// The position of the first item. Those behind it follow without a gap.
    first: i64,
    items: Vec<Item>,
}

impl History {
    /// Takes what was read, oldest first; the first of it stands at this position.
    pub const fn from(first: i64, items: Vec<Item>) -> Self {
        Self { first, items }
    }

    /// Takes the first message of a conversation.
    pub fn beginning(message: Item) -> Self {
        Self { first: 1, items: vec![message] }
    }

    /// Adds a message that is about to be stored.
    #[must_use]
    pub fn with(mut self, message: Item) -> Self {
        self.items.push(message);
        self
    }

    /// Returns the items.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// Adds what happened last.
    pub(super) fn push(&mut self, item: Item) {
        self.items.push(item);
    }

    /// Leaves the first so many items out, and returns the position of the one that is the first now.
    pub(super) fn leave_out(&mut self, count: usize) -> i64 {
        let count = count.min(self.items.len());
        self.items.drain(..count);
        self.first = self.first.saturating_add(i64::try_from(count).unwrap_or(i64::MAX));
        self.first
    }
}
