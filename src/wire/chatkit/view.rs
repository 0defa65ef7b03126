//! A stored conversation as the items of a thread: what the stream has told, under the same ids.

use serde_json::Value;

use super::{
    calls::{Calls, Listing},
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
            let listing = calls.as_ref().and_then(|calls| calls.listing(thread));
            shown.extend(finished(thread, calls.take(), &changed));
            if !is_covered(listing.as_ref(), &recorded.item) {
                shown.push(ItemOut::new(thread, ItemKey::Message(recorded.id), text));
            }
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

/// Tells whether an answer only repeats the list before it.
fn is_covered(listing: Option<&Listing>, item: &Item) -> bool {
    match (listing, item) {
        (Some(listing), Item::Assistant(reply)) => listing.covers(&reply.text),
        (_, Item::User(_) | Item::Assistant(_) | Item::Tool(_)) => false,
    }
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
