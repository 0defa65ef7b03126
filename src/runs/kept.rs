//! Histories of conversations that went on a moment ago: the next turn of a long one works on what the last one left, and reads
//! only whether anything came between.
//!
//! Every change of a conversation takes a place of it, whichever process makes it. So a history of which the last place is still
//! the last one is what would be read.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    agent::History,
    domain::{ConversationId, UserId},
};

/// How much memory all histories may take together, in bytes.
const MOST: usize = 16 * 1024 * 1024;

/// How much one may take, in bytes.
const LARGEST: usize = MOST / 8;

/// How much it takes at least, in bytes: a short one is read as quickly as it is looked for.
const LEAST: usize = 32 * 1024;

/// How long one is kept that nobody goes on with.
const LIFETIME: Duration = Duration::from_secs(5 * 60);

/// The histories, the one that was left last at the end. Whoever goes on with one takes it out.
#[derive(Debug, Default)]
pub(super) struct Kept(Mutex<Pile>);

#[derive(Debug, Default)]
struct Pile {
    histories: VecDeque<Left>,
    weight: usize,
}

/// A history as a turn left it.
#[derive(Debug)]
struct Left {
    user: UserId,
    conversation: ConversationId,
    history: History,
    weight: usize,
    at: Instant,
}

impl Kept {
    /// Keeps a history, if it is worth it. If there is too much then, the oldest ones go.
    pub(super) fn keep(&self, user: &UserId, conversation: ConversationId, history: History) {
        let weight = history.weight();
        if !(LEAST..=LARGEST).contains(&weight) {
            return;
        }
        let Some(history) = history.as_stored() else { return };
        let left = Left { user: user.clone(), conversation, history, weight, at: Instant::now() };
        // What goes is large, and is let go of when nobody waits for the pile any more.
        let _gone = self.pile().put(left);
    }

    /// Takes the history of a conversation of the user out, if it is there.
    pub(super) fn take(&self, user: &UserId, conversation: ConversationId) -> Option<History> {
        self.pile().take(user, conversation)
    }

    /// Lets go of those that nobody went on with.
    pub(super) fn sweep(&self) {
        let _gone = self.pile().take_oldest_while(|left, _| left.at.elapsed() >= LIFETIME);
    }

    fn pile(&self) -> MutexGuard<'_, Pile> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pile {
    fn take(&mut self, user: &UserId, conversation: ConversationId) -> Option<History> {
        let is_it = |left: &Left| left.conversation == conversation && left.user == *user;
        let place = self.histories.iter().rposition(is_it)?;
        let left = self.histories.remove(place)?;
        self.weight -= left.weight;
        Some(left.history)
    }

    /// Puts a history on top, and returns what goes for it: the one of the same conversation, and the oldest ones.
    fn put(&mut self, left: Left) -> (Option<History>, Vec<Left>) {
        let before = self.take(&left.user, left.conversation);
        self.weight += left.weight;
        self.histories.push_back(left);
        (before, self.take_oldest_while(|_, weight| weight > MOST))
    }

    /// Takes the oldest ones out as long as there is a reason to, which may be how much all of them take.
    fn take_oldest_while(&mut self, goes: impl Fn(&Left, usize) -> bool) -> Vec<Left> {
        let mut gone = Vec::new();
        while let Some(oldest) = self.histories.pop_front_if(|oldest| goes(oldest, self.weight)) {
            self.weight -= oldest.weight;
            gone.push(oldest);
        }
        gone
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;
    use crate::domain::{Item, Reply, UserMessage};

    fn ada() -> UserId {
        UserId::parse("ada").unwrap()
    }

    /// Makes a history whose text has so many bytes.
    fn history(length: usize) -> History {
        let message = Item::User(UserMessage { text: "u".repeat(length), context: String::new() });
        History::new(vec![(1, message)], 1).with(Item::Assistant(Reply::of_text("ok")))
    }

    fn keep(kept: &Kept, length: usize) -> ConversationId {
        let conversation = ConversationId::new();
        kept.keep(&ada(), conversation, history(length));
        conversation
    }

    fn is_there(kept: &Kept, conversation: ConversationId) -> bool {
        kept.take(&ada(), conversation).is_some()
    }

    #[test]
    fn a_history_is_its_users_alone_and_is_taken_once() {
        let kept = Kept::default();
        let conversation = keep(&kept, LEAST);
        assert!(kept.take(&UserId::parse("bob").unwrap(), conversation).is_none());
        let taken = kept.take(&ada(), conversation).unwrap();
        assert_eq!((taken.items(), taken.last_position()), (history(LEAST).items(), 2));
        assert!(!is_there(&kept, conversation));
        assert_eq!(kept.pile().weight, 0);
    }

    #[test]
    fn all_of_them_take_no_more_memory_than_they_may_and_the_oldest_go_first() {
        let kept = Kept::default();
        let kept_ones: Vec<ConversationId> = (0..40).map(|_| keep(&kept, LARGEST / 2)).collect();
        assert!(kept.pile().weight <= MOST);
        let left: Vec<bool> = kept_ones.iter().map(|conversation| is_there(&kept, *conversation)).collect();
        let first = left.iter().position(|is_there| *is_there).unwrap();
        assert!((24..=26).contains(&first), "{first}");
        assert!(left[first..].iter().all(|is_there| *is_there));
        assert_eq!(kept.pile().weight, 0);
    }

    #[test]
    fn what_is_short_or_very_long_is_not_kept() {
        let kept = Kept::default();
        assert!(!is_there(&kept, keep(&kept, LEAST / 2)));
        assert!(!is_there(&kept, keep(&kept, LARGEST)));
    }

    #[test]
    fn a_history_that_is_left_again_takes_the_place_of_the_one_before() {
        let kept = Kept::default();
        let conversation = keep(&kept, LEAST);
        kept.keep(&ada(), conversation, history(2 * LEAST));
        assert_eq!(kept.pile().histories.len(), 1);
        assert_eq!(kept.take(&ada(), conversation).unwrap().items(), history(2 * LEAST).items());
    }

    #[tokio::test(start_paused = true)]
    async fn a_history_that_nobody_goes_on_with_goes_after_some_minutes() {
        let kept = Kept::default();
        let old = keep(&kept, LEAST);
        advance(LIFETIME / 2).await;
        let new = keep(&kept, LEAST);
        advance(LIFETIME / 2).await;
        kept.sweep();
        assert_eq!((is_there(&kept, old), is_there(&kept, new)), (false, true));
    }
}
