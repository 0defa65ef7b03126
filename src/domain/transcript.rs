//! What a model has written of a history, kept beside it: the next question is about a history that begins with the same
//! items, and then they need not be written again.

use std::{
    collections::{BTreeMap, HashSet},
    mem::size_of,
    sync::Arc,
};

use super::CallId;

/// How much memory an entry of a set or a map takes beside what it holds, as a guess, in bytes.
const AROUND_AN_ENTRY: usize = 64;

/// The first items of a history as one model is sent them. It is about that history as long as those items stay the same ones:
/// whoever changes them begins an empty one.
#[derive(Debug, Default)]
pub struct Transcript {
    /// The one that wrote it, by a text that is nobody else's. No other goes on with it.
    pub by: Option<Arc<str>>,
    /// How many items it stands for.
    pub items: usize,
    /// What they are in a request.
    pub text: Vec<u8>,
    /// The calls in it.
    pub calls: HashSet<CallId>,
    /// Their ids, as written.
    pub ids: HashSet<String>,
    /// The names of the tools that were called, each as we know it and as written.
    pub names: BTreeMap<String, String>,
}

impl Transcript {
    /// Says how much memory it takes, roughly, in bytes.
    pub fn weight(&self) -> usize {
        let ids = self.ids.iter().map(|id| id.len() + AROUND_AN_ENTRY);
        let names = self.names.iter().map(|(ours, written)| ours.len() + written.len() + AROUND_AN_ENTRY);
        let calls = self.calls.len() * (size_of::<CallId>() + AROUND_AN_ENTRY);
        self.text.capacity() + calls + ids.sum::<usize>() + names.sum::<usize>()
    }
}
