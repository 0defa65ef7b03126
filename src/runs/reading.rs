//! The history that a run works on: read once it is accepted, or guessed before, from what is stored by then.

use super::{Inner, drive::Job};
use crate::{
    agent::{History, window},
    domain::{ConversationId, Item, ItemId, RunId, UserId, UserMessage},
    store::{Accepted, ContextPage, Hold, IdempotencyKey, StoreError},
};

/// How many items are read first.
const FIRST_PAGE: u64 = 50;

/// How many items are read at once at most.
const LARGEST_PAGE: u64 = 512;

/// A turn that is not accepted yet, as far as its history can be guessed from it.
#[derive(Clone, Debug)]
pub(super) struct Ahead {
    /// What the user says.
    pub(super) message: UserMessage,
    /// Its id.
    pub(super) message_id: ItemId,
    /// Whether it begins a conversation.
    pub(super) begins: bool,
    /// The key of a request that may have come before.
    pub(super) key: Option<IdempotencyKey>,
}

/// A history that was read while its last message was being accepted.
pub(super) struct Guess {
    pub(super) history: History,
    pub(super) premise: Premise,
}

impl Guess {
    /// Guesses that the message will stand right behind this history.
    fn of(history: History, message: Item) -> Self {
        let history = history.with(message);
        let premise = Premise(Some(history.last_position()));
        Self { history, premise }
    }
}

/// What a guess takes for granted: where the message will stand. Nothing if it was stored by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Premise(Option<i64>);

impl Premise {
    /// Tells whether the history is the one that the message was accepted in.
    pub(super) fn holds(self, accepted: &Accepted) -> bool {
        self.0.is_none_or(|position| accepted.position == position)
    }
}

/// What was read of a conversation.
struct Read {
    history: History,
    newest: Option<ItemId>,
    active: Option<RunId>,
}

impl Inner {
    /// Reads the history back to where the context begins, or until there is more than will be sent. A long conversation
    /// costs no more than that.
    pub(super) async fn history(&self, job: &Job) -> Result<History, StoreError> {
        let hold = job.recorder.hold();
        // Whatever was kept is about what was before this turn.
        drop(self.kept.take(&hold.user, hold.conversation));
        let most = self.agent.reach(job.model.as_ref());
        Ok(self.read(&hold.user, hold.conversation, most).await?.history)
    }

    /// Guesses the history of a turn while it is being accepted. Nothing where it would hardly be right: the turn may be a
    /// repetition, the conversation may be busy or not the user's, or the database does not answer.
    pub(super) async fn guess(&self, job: &Job) -> Option<Guess> {
        let ahead = job.ahead.as_ref()?;
        let hold = job.recorder.hold();
        if let Some(key) = &ahead.key
            && !matches!(self.store.find_first_use(&hold.user, key).await, Ok(None))
        {
            return None;
        }
        let message = Item::User(ahead.message.clone());
        if ahead.begins {
            return Some(Guess::of(History::new(Vec::new(), 0), message));
        }
        if let Some(history) = self.left_behind(hold, ahead.message_id).await {
            return Some(Guess::of(history, message));
        }
        let most = self.agent.reach(job.model.as_ref());
        let read = self.read(&hold.user, hold.conversation, most).await.ok()?;
        if read.newest == Some(ahead.message_id) {
            return Some(Guess { history: read.history, premise: Premise(None) });
        }
        if read.active.is_some() || read.history.items().is_empty() {
            return None;
        }
        Some(Guess::of(read.history, message))
    }

    /// Takes the history that the last turn of a conversation left, if nothing came between that turn and this message.
    async fn left_behind(&self, hold: &Hold, message: ItemId) -> Option<History> {
        let history = self.kept.take(&hold.user, hold.conversation)?;
        // A page without items says what became of the conversation.
        let page = self.store.context(&hold.user, hold.conversation, None, 0).await.ok()?;
        let behind = page.last_position - history.last_position();
        let is_stored = behind == 1 && page.newest == Some(message);
        let is_as_it_was = behind == 0 && page.active.is_none();
        if !is_stored && !is_as_it_was {
            return None;
        }
        tracing::debug!(conversation.id = %hold.conversation, rows = 0, "the history was kept");
        Some(history)
    }

    async fn read(
        &self,
        user: &UserId,
        conversation: ConversationId,
        most: usize,
    ) -> Result<Read, StoreError> {
        let (mut pages, mut limit) = (Vec::new(), FIRST_PAGE);
        let (mut rows, mut tokens, mut has_message) = (0, 0, false);
        loop {
            let before = pages.last().and_then(oldest);
            let page = self.store.context(user, conversation, before, limit).await?;
            let count = page.items.len();
            rows += count;
            for (_, item) in &page.items {
                tokens += window::tokens(std::slice::from_ref(item));
                has_message |= matches!(item, Item::User(_));
            }
            pages.push(page);
            if (count as u64) < limit || (has_message && tokens > most) {
                tracing::debug!(conversation.id = %conversation, rows, "the history was read");
                return Ok(Read::of(pages));
            }
            limit = next_page(rows, tokens, most);
        }
    }
}

impl Read {
    /// Puts pages together that were read newest first.
    fn of(pages: Vec<ContextPage>) -> Self {
        let page = pages.first();
        let (newest, active) = page.map_or((None, None), |page| (page.newest, page.active));
        let last_position = page.map_or(0, |page| page.last_position);
        let items = pages.into_iter().rev().flat_map(|page| page.items).collect();
        Self { history: History::new(items, last_position), newest, active }
    }
}

/// Returns the position of the first item of a page.
fn oldest(page: &ContextPage) -> Option<i64> {
    page.items.first().map(|(position, _)| *position)
}

/// Decides how many items are read next, when so many had so many tokens: as many as should be enough, and an eighth more.
fn next_page(rows: usize, tokens: usize, most: usize) -> u64 {
    let missing = most.saturating_sub(tokens).saturating_mul(rows) / tokens.max(1);
    let page = missing.saturating_add(missing / 8).saturating_add(1);
    u64::try_from(page).unwrap_or(LARGEST_PAGE).clamp(FIRST_PAGE / 2, LARGEST_PAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guess_is_right_only_if_nothing_came_between() {
        let accepted = |position| Accepted {
            conversation: ConversationId::new(),
            user_message: ItemId::new(),
            position,
        };
        assert!(Premise(Some(5)).holds(&accepted(5)));
        for position in [4, 6] {
            assert!(!Premise(Some(5)).holds(&accepted(position)), "{position}");
        }
        assert!(Premise(None).holds(&accepted(5)), "it was read afterwards");
    }

    #[test]
    fn the_second_page_holds_what_is_missing_by_what_the_first_one_held() {
        assert_eq!(
            next_page(50, 2_750, 24_000),
            435,
            "386 items of 55 tokens are missing, and 48 more are read"
        );
        assert_eq!(next_page(50, 23_000, 24_000), 25, "never just a few");
        assert_eq!(next_page(50, 250, 24_000), 512, "never too many");
        assert_eq!(next_page(50, 0, 24_000), 512);
        assert_eq!(next_page(50, 30_000, 24_000), 25, "when only the message is missing");
    }
}
