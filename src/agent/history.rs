//! The history that a turn works on: a conversation from some place on, and which place that is.
//!
//! What lies before the place is never shown again, so it is neither read nor kept here.

use crate::domain::Item;

/// The items of a conversation from some place on, oldest first.
#[derive(Debug)]
pub struct History {
    items: Vec<Item>,
    /// Where each of them stands. There are gaps where answers were taken back.
    positions: Vec<i64>,
}

impl History {
    /// Takes what was read, oldest first.
    pub fn new(placed: Vec<(i64, Item)>) -> Self {
        let (positions, items) = placed.into_iter().unzip();
        Self { items, positions }
    }

    /// Adds a message that is about to be stored at this position.
    #[must_use]
    pub fn with(mut self, position: i64, message: Item) -> Self {
        self.items.push(message);
        self.positions.push(position);
        self
    }

    /// Returns the items.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// Adds what happened last. A run takes its places without a gap.
    pub(super) fn push(&mut self, item: Item) {
        let position = self.positions.last().map_or(1, |last| last.saturating_add(1));
        self.items.push(item);
        self.positions.push(position);
    }

    /// Leaves the first so many items out, and returns the position of the one that is the first now. Of a history that has
    /// no more, the last one stays.
    pub(super) fn leave_out(&mut self, count: usize) -> i64 {
        let count = count.min(self.items.len().saturating_sub(1));
        self.items.drain(..count);
        self.positions.drain(..count);
        self.positions.first().copied().unwrap_or(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Reply, UserMessage};

    fn user(text: &str) -> Item {
        Item::User(UserMessage { text: text.into(), context: String::new() })
    }

    fn says(text: &str) -> Item {
        Item::Assistant(Reply::of_text(text))
    }

    #[test]
    fn where_it_begins_is_where_the_first_item_stands_though_an_answer_was_taken_back_before() {
        // The first answer to the second message stood at 4, and its place is empty.
        let read = vec![(1, user("a")), (2, says("b")), (3, user("c")), (6, says("d"))];
        let mut history = History::new(read).with(7, user("e"));
        history.push(says("f"));
        assert_eq!(history.leave_out(2), 3);
        assert_eq!(history.leave_out(2), 7);
        assert_eq!(history.items(), [user("e"), says("f")]);
    }
}
