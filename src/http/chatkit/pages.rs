//! Threads and items, page by page. Items are a view of what is stored, so a page is read until it is full.

use super::{Asking, page};
use crate::{
    domain::{CallId, ConversationId, Item, ItemId, Recorded},
    http::problem::Problem,
    store::{ConversationPage, ItemPage},
    wire::chatkit::{ItemKey, ItemOut, LIST_TASKS, PageOut, Span, ThreadOut, view},
};

/// How many stored items are read at once.
const READ: u64 = 200;

/// How many items one request may judge.
pub(super) const MOST_ITEMS: usize = 100;

/// Reads a page of threads.
pub(super) async fn threads(
    asking: &Asking<'_>,
    span: Span<ConversationId>,
) -> Result<PageOut<ThreadOut>, Problem> {
    let Span { after, limit, newest_first } = span;
    let wanted = ConversationPage { after, newest_first, limit: limit + 1 };
    let found = asking.app.store.conversations(asking.user(), wanted).await?;
    let threads = found.iter().map(ThreadOut::new).collect();
    Ok(page(threads, limit, ThreadOut::id))
}

/// Reads a page of items of a thread that is known to be theirs.
pub(super) async fn items(
    asking: &Asking<'_>,
    thread: ConversationId,
    span: Span<ItemKey>,
) -> Result<PageOut<ItemOut>, Problem> {
    let Span { after, limit, newest_first } = span;
    let mut from = None;
    if let Some(after) = after {
        let found = find_item(asking, thread, Some(after)).await?;
        let found = found.ok_or(Problem::NotFound("item"))?;
        let place = asking.app.store.find_place(asking.user(), thread, found).await?;
        let place = place.ok_or(Problem::NotFound("item"))?;
        // The stored item itself is read again: it may show as more than one.
        from = Some(if newest_first { place + 1 } else { place - 1 });
    }
    let mut stored: Vec<Recorded> = Vec::new();
    loop {
        let wanted = ItemPage { roles: Vec::new(), after: from, newest_first, limit: READ };
        let more = asking.app.store.items(asking.user(), thread, &wanted).await?;
        let is_last = (more.len() as u64) < READ;
        from = more.last().map(|last| last.position).or(from);
        stored.extend(more);
        let shown = shown(asking, thread, &stored, newest_first, is_last).await?;
        let left = behind(shown, after);
        // What is cut off by the end of what was read may still change, so it is not counted.
        if is_last || left.len() as u64 > limit + 1 {
            return Ok(page(left, limit, |item| item.key().to_string()));
        }
    }
}

/// Shows what was read, in the direction of reading.
async fn shown(
    asking: &Asking<'_>,
    thread: ConversationId,
    stored: &[Recorded],
    newest_first: bool,
    is_last: bool,
) -> Result<Vec<ItemOut>, Problem> {
    let mut stored = stored.to_vec();
    if newest_first {
        stored.reverse();
        if !is_last {
            // A turn whose beginning was not read yet would be shown wrongly.
            let begins = stored.iter().position(|recorded| matches!(recorded.item, Item::User(_)));
            stored = stored.split_off(begins.unwrap_or(stored.len()));
        }
    }
    let lists: Vec<CallId> = stored.iter().filter_map(list).collect();
    let changed = asking.app.store.changed_lists(asking.user(), &lists).await?;
    let mut shown = view(thread, &stored, |call| changed.get(&call).cloned());
    if newest_first {
        shown.reverse();
    }
    Ok(shown)
}

fn list(recorded: &Recorded) -> Option<CallId> {
    match &recorded.item {
        Item::Tool(result) if result.name == LIST_TASKS => Some(result.call_id),
        Item::User(_) | Item::Assistant(_) | Item::Tool(_) => None,
    }
}

/// Drops what the client has: everything up to and with `after`.
fn behind(mut shown: Vec<ItemOut>, after: Option<ItemKey>) -> Vec<ItemOut> {
    let seen = after.and_then(|after| shown.iter().position(|item| item.key() == after));
    shown.split_off(seen.map_or(0, |seen| seen + 1))
}

/// Finds the stored item that an item of a thread is a view of.
pub(super) async fn find_item(
    asking: &Asking<'_>,
    thread: ConversationId,
    item: Option<ItemKey>,
) -> Result<Option<ItemId>, Problem> {
    let item = match item {
        Some(ItemKey::Message(id) | ItemKey::Workflow(id) | ItemKey::Thought(id)) => id,
        Some(ItemKey::Widget(call)) => {
            let found = asking.app.store.find_call(asking.user(), thread, call).await?;
            return Ok(found.map(|call| call.message));
        }
        None => return Ok(None),
    };
    let place = asking.app.store.find_place(asking.user(), thread, item).await?;
    Ok(place.map(|_| item))
}
