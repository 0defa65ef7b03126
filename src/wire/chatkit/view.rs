//! A stored conversation as the items of a thread: what the stream has told, under the same ids.

use serde_json::Value;

use super::{
    calls::Calls,
    key::ItemKey,
    shapes::{BodyOut, ItemOut},
};
use crate::domain::{CallId, ConversationId, Item, Recorded};

/// Shows stored items, oldest first. `changed` knows the lists that were changed after the call that brought them.
pub fn view(
    thread: ConversationId,
    stored: &[Recorded],
    changed: impl Fn(CallId) -> Option<Value>,
) -> Vec<ItemOut> {
    let mut shown = Vec::new();
    let mut calls: Option<Calls> = None;
    for recorded in stored {
        let text = match &recorded.item {
            Item::User(message) => Some(BodyOut::said(&message.text)),
            Item::Assistant(reply) => (!reply.text.is_empty()).then(|| BodyOut::answered(&reply.text)),
            Item::Tool(_) => None,
        };
        if let Some(text) = text {
            shown.extend(finished(thread, calls.take(), &changed));
            shown.push(ItemOut::new(thread, ItemKey::Message(recorded.id), text));
        }
        match &recorded.item {
            Item::User(_) => {}
            Item::Assistant(reply) => {
                for call in &reply.calls {
                    calls.get_or_insert_with(|| Calls::new(recorded.id)).begin(call);
                }
            }
            Item::Tool(result) => {
                if let Some(calls) = &mut calls {
                    calls.settle(result);
                }
            }
        }
    }
    shown.extend(finished(thread, calls, &changed));
    shown
}

fn finished(
    thread: ConversationId,
    calls: Option<Calls>,
    changed: &impl Fn(CallId) -> Option<Value>,
) -> Vec<ItemOut> {
    let Some(mut calls) = calls else { return Vec::new() };
    calls.relist(changed);
    calls.over(thread)
}
