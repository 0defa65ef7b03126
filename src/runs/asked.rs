//! What the store is asked for when a turn is to begin, and what can be known of it before the answer.

use chrono::TimeDelta;

use super::{
    Inner,
    reading::Ahead,
    turn::{NewTurn, Prompt},
};
use crate::{
    agent::instructions,
    domain::{ConversationId, ItemId, ModelIdentity, RunId, UserMessage},
    store::{Accept, Again, IdempotencyKey, NewRun, Place},
};

/// What the store is asked for.
pub(super) enum Asked {
    Turn(Accept),
    Again(Again),
}

impl Asked {
    pub(super) const fn run(&self) -> &NewRun {
        match self {
            Self::Turn(turn) => &turn.run,
            Self::Again(again) => &again.run,
        }
    }

    /// Returns what the history can be guessed from before the turn is accepted. What is taken back by another answer is
    /// not known until then.
    pub(super) fn ahead(&self) -> Option<Ahead> {
        let Self::Turn(turn) = self else { return None };
        Some(Ahead {
            message: turn.message.clone(),
            message_id: turn.message_id,
            begins: matches!(turn.conversation, Place::New(_)),
            key: turn.key.clone(),
        })
    }

    pub(super) fn key(&self) -> Option<&str> {
        let (Self::Turn(Accept { key, .. }) | Self::Again(Again { key, .. })) = self;
        key.as_ref().map(|key| key.key.as_str())
    }

    pub(super) const fn place(&self) -> (RunId, ConversationId) {
        let conversation = match self {
            Self::Turn(turn) => turn.conversation.conversation(),
            Self::Again(again) => again.conversation,
        };
        (self.run().id, conversation)
    }
}

/// Makes of a turn what the store is asked for.
pub(super) fn asked(inner: &Inner, turn: &NewTurn, model: ModelIdentity) -> Asked {
    let (user, key) = (turn.principal.user.clone(), idempotency_key(inner, turn));
    let run = NewRun {
        id: RunId::new(),
        first_message: ItemId::new(),
        model,
        tool_choice: turn.tool_choice,
        owner: inner.owner.clone(),
    };
    let (place, text) = match &turn.prompt {
        Prompt::Begin(text) => (Place::New(ConversationId::new()), text),
        Prompt::Say(conversation, text) => (Place::In(*conversation), text),
        Prompt::Again(conversation, after) => {
            return Asked::Again(Again { user, conversation: *conversation, after: *after, run, key });
        }
    };
    let context = instructions::context(inner.clock.now(), turn.timezone.as_ref(), &turn.metadata);
    let message = UserMessage { text: text.clone(), context };
    let message_id = ItemId::new();
    Asked::Turn(Accept { user, conversation: place, message, message_id, run, key })
}

/// Returns the key of a turn, with what makes two requests the same.
pub(super) fn idempotency_key(inner: &Inner, turn: &NewTurn) -> Option<IdempotencyKey> {
    let lifetime = TimeDelta::from_std(inner.settings.idempotency).unwrap_or(TimeDelta::MAX);
    turn.key.clone().map(|key| IdempotencyKey { key, body_hash: turn.digest(), lifetime })
}
