//! Writes of a long history only what was not written before. A next question begins with all of the one before it, so what
//! was settled by then is copied as it stands.
//!
//! Settled is what nothing that follows can change: it ends before a message of the user that is a message of its own, and all of
//! its calls are answered in it. Whatever the history holds, the bytes are those of a history that is written anew.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::messages::{Manner, Writer};
use crate::domain::{CallId, Item, ModelRequest, Reply, Transcript};

/// How long a history is at least of which something is kept, in bytes. A shorter one is written as quickly as it is copied.
const LEAST: usize = 16 * 1024;

/// How much room is left for what comes, in bytes: text that outgrows its room is copied.
const SPARE: usize = 8 * 1024;

/// Writes the history of a request, which is about so long, with a comma before each message.
pub(super) fn write_history(
    manner: &Manner<'_>,
    request: &ModelRequest<'_>,
    length: usize,
    text: &mut Vec<u8>,
) -> serde_json::Result<()> {
    let Some(place) = request.transcript.filter(|_| length >= LEAST) else {
        return Writer::behind(&HashSet::new(), *manner).write(request.history, text);
    };
    // Where something fails, nothing is put back.
    let mut transcript = std::mem::take(&mut *locked(place));
    let rest = go_on(&mut transcript, manner, request.history)?;
    text.extend_from_slice(&transcript.text);
    Writer::behind(&transcript.ids, *manner).write(rest, text)?;
    *locked(place) = transcript;
    Ok(())
}

/// Adds what was settled since the last question, and returns what is not.
fn go_on<'a>(
    transcript: &mut Transcript,
    manner: &Manner<'_>,
    history: &'a [Item],
) -> serde_json::Result<&'a [Item]> {
    let rest = history.get(transcript.items..).filter(|rest| is_beginning_of(transcript, manner, rest));
    let rest = match rest {
        Some(rest) => rest,
        None => {
            *transcript = Transcript { by: Some(Arc::clone(manner.model)), ..Transcript::default() };
            history
        }
    };
    let (settled, open) = rest.split_at(settled(rest));
    let calls = calls_of_whole(settled).filter(|calls| is_free_of(open, calls));
    let Some(calls) = calls else { return Ok(rest) };
    add(transcript, manner, settled)?;
    transcript.calls.extend(calls);
    Ok(open)
}

/// Tells whether a transcript is how this model is told what stands before the rest.
fn is_beginning_of(transcript: &Transcript, manner: &Manner<'_>, rest: &[Item]) -> bool {
    let is_own = transcript.by.as_ref().is_some_and(|by| Arc::ptr_eq(by, manner.model));
    let mut names = transcript.names.iter();
    is_own
        && names.all(|(ours, written)| manner.names.written(ours) == *written)
        && is_free_of(rest, &transcript.calls)
}

/// Adds items to a transcript.
fn add(transcript: &mut Transcript, manner: &Manner<'_>, items: &[Item]) -> serde_json::Result<()> {
    let (text, more) = (&mut transcript.text, super::guessed_length(items));
    if text.capacity() - text.len() < more {
        text.reserve_exact(more + SPARE);
    }
    let mut writer = Writer::behind(&transcript.ids, *manner);
    writer.write(items, text)?;
    transcript.ids.extend(writer.into_ids());
    for reply in items.iter().filter_map(reply_of) {
        for call in &reply.calls {
            if !transcript.names.contains_key(&call.name) {
                transcript.names.insert(call.name.clone(), manner.names.written(&call.name).into_owned());
            }
        }
    }
    transcript.items += items.len();
    Ok(())
}

/// Finds how many of the first items are settled, as far as their order shows: up to the last message of the user that has
/// something of the model before it.
fn settled(items: &[Item]) -> usize {
    let (mut end, mut may_be) = (0, false);
    for (place, item) in items.iter().enumerate() {
        match item {
            Item::User(_) => {
                if may_be {
                    end = place;
                }
                may_be = false;
            }
            Item::Assistant(reply) => may_be |= !reply.text.is_empty() || !reply.calls.is_empty(),
            Item::Tool(_) => {}
        }
    }
    end
}

/// Returns the calls in these items, if each is there once and they and the answers belong together.
fn calls_of_whole(items: &[Item]) -> Option<HashSet<CallId>> {
    let mut calls = HashSet::new();
    let is_new = calls_in(items).all(|call| calls.insert(call));
    let answered: HashSet<CallId> = items.iter().filter_map(Item::answers).collect();
    (is_new && answered == calls).then_some(calls)
}

/// Tells whether none of these calls is made in the items once more: it would be answered by what stands before.
fn is_free_of(items: &[Item], calls: &HashSet<CallId>) -> bool {
    calls_in(items).all(|call| !calls.contains(&call))
}

fn calls_in(items: &[Item]) -> impl Iterator<Item = CallId> {
    items.iter().filter_map(reply_of).flat_map(|reply| reply.calls.iter().map(|call| call.id))
}

const fn reply_of(item: &Item) -> Option<&Reply> {
    match item {
        Item::Assistant(reply) => Some(reply),
        Item::User(_) | Item::Tool(_) => None,
    }
}

fn locked(place: &Mutex<Transcript>) -> MutexGuard<'_, Transcript> {
    place.lock().unwrap_or_else(PoisonError::into_inner)
}
