//! A group of calls as one workflow: the calls between two texts of the model. The stream and the stored thread are
//! both made of it, so that they show the same.

use serde_json::Value;

use super::{
    key::ItemKey,
    shapes::{BodyOut, Indicator, ItemOut, SummaryOut, TaskOut, WorkflowOut},
    widget::{LIST_TASKS, widget},
};
use crate::domain::{CallId, CallStatus, ConversationId, ItemId, ToolCall, ToolResult, cut_at};

/// The most of arguments and results that a step shows, in bytes.
const SHOWN: usize = 600;

/// The most kinds of steps that the line names to which a group folds.
const NAMED: usize = 3;

/// Calls that belong together.
#[derive(Clone, Debug)]
pub(super) struct Calls {
    first: ItemId,
    calls: Vec<CallId>,
    tasks: Vec<TaskOut>,
    /// What the last call listed, if it listed tasks.
    listed: Option<Listed>,
}

#[derive(Clone, Debug)]
struct Listed {
    call: CallId,
    result: Value,
    text: String,
}

/// A list of tasks as text, which is shown as a widget.
#[derive(Clone, Debug)]
pub(super) struct Listing(String);

impl Listing {
    /// Tells whether a text says nothing but what the list says, as far as it goes. It is not shown a second time.
    pub(super) fn covers(&self, text: &str) -> bool {
        self.0.trim().starts_with(text.trim())
    }
}

impl Calls {
    /// Begins a group with the reply that asks for its first call.
    pub(super) const fn new(first: ItemId) -> Self {
        Self { first, calls: Vec::new(), tasks: Vec::new(), listed: None }
    }

    pub(super) const fn key(&self) -> ItemKey {
        ItemKey::Workflow(self.first)
    }

    /// Adds a call that is about to be made; returns its place.
    pub(super) fn begin(&mut self, call: &ToolCall) -> usize {
        let arguments = Value::Object(call.arguments.clone()).to_string();
        self.listed = None;
        self.put(call.id, task(&call.name, "bolt", &arguments, Indicator::Loading))
    }

    /// Adds the answer to a call; returns its place.
    pub(super) fn settle(&mut self, result: &ToolResult) -> usize {
        let icon = if result.status.is_error() { "info" } else { "check-circle" };
        let is_list = result.name == LIST_TASKS && result.status == CallStatus::Ok;
        self.listed = is_list.then(|| Listed {
            call: result.call_id,
            result: result.result.clone(),
            text: result.text.clone(),
        });
        self.put(result.call_id, task(&result.name, icon, &result.text, Indicator::Complete))
    }

    pub(super) const fn len(&self) -> usize {
        self.tasks.len()
    }

    pub(super) fn task(&self, place: usize) -> Option<&TaskOut> {
        self.tasks.get(place)
    }

    /// Shows the group while it goes on.
    pub(super) fn open(&self, thread: ConversationId) -> ItemOut {
        let workflow =
            WorkflowOut { r#type: "custom", tasks: self.tasks.clone(), summary: None, expanded: true };
        ItemOut::new(thread, self.key(), BodyOut::Workflow { workflow })
    }

    /// Shows the group when it is over: its steps, and the list if that is what the last call brought.
    pub(super) fn over(&self, thread: ConversationId) -> Vec<ItemOut> {
        let summary = Some(SummaryOut { title: self.summary(), icon: "bolt" });
        let workflow = WorkflowOut { r#type: "custom", tasks: self.tasks.clone(), summary, expanded: false };
        let steps = ItemOut::new(thread, self.key(), BodyOut::Workflow { workflow });
        [steps].into_iter().chain(self.widget(thread)).collect()
    }

    /// Says what was done, for the line to which the group folds: `Add task × 2, List tasks`.
    fn summary(&self) -> String {
        let mut kinds: Vec<(&str, usize)> = Vec::new();
        let titles = self.tasks.iter().filter_map(|task| match task {
            TaskOut::Custom { title, .. } => Some(title),
            TaskOut::Thought { .. } => None,
        });
        for title in titles {
            match kinds.iter_mut().find(|(kind, _)| kind == title) {
                Some((_, count)) => *count += 1,
                None => kinds.push((title, 1)),
            }
        }
        let named = kinds.iter().take(NAMED).map(|(title, count)| match count {
            1 => (*title).to_owned(),
            count => format!("{title} × {count}"),
        });
        let more = if kinds.len() > NAMED { ", …" } else { "" };
        named.collect::<Vec<_>>().join(", ") + more
    }

    /// Returns what the widget says in words, if there is one.
    pub(super) fn listing(&self, thread: ConversationId) -> Option<Listing> {
        self.widget(thread)?;
        self.listed.as_ref().map(|listed| Listing(listed.text.clone()))
    }

    fn widget(&self, thread: ConversationId) -> Option<ItemOut> {
        let Listed { call, result, .. } = self.listed.as_ref()?;
        widget(thread, *call, result)
    }

    /// Shows the list as it was changed since.
    pub(super) fn relist(&mut self, changed: impl FnOnce(CallId) -> Option<Value>) {
        if let Some(listed) = &mut self.listed
            && let Some(changed) = changed(listed.call)
        {
            listed.result = changed;
        }
    }

    fn put(&mut self, call: CallId, task: TaskOut) -> usize {
        let place = self.calls.iter().position(|known| *known == call).unwrap_or(self.calls.len());
        match self.tasks.get_mut(place) {
            Some(known) => *known = task,
            None => {
                self.calls.push(call);
                self.tasks.push(task);
            }
        }
        place
    }
}

fn task(tool: &str, icon: &'static str, content: &str, status_indicator: Indicator) -> TaskOut {
    TaskOut::Custom { title: title(tool), icon, content: code(cut_at(content, SHOWN)), status_indicator }
}

/// Makes the name of a tool a title: `add_task` is `Add task`.
fn title(tool: &str) -> String {
    let words = tool.replace(['_', '-'], " ");
    let mut characters = words.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

/// Shows text of a model or a tool as what it is: no part of it may become a link or an image.
fn code(text: &str) -> String {
    let longest = text.split(|character| character != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}\n{text}\n{fence}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_tool_says_stays_in_its_fence() {
        assert_eq!(code("a"), "```\na\n```");
        assert_eq!(code("````\n![x](http://y)"), "`````\n````\n![x](http://y)\n`````");
    }

    #[test]
    fn a_group_folds_to_what_was_done() {
        let call = |name: &str| ToolCall {
            id: CallId::new(),
            provider_id: String::new(),
            server: "tasks".into(),
            name: name.into(),
            arguments: serde_json::Map::new(),
            unparsed: None,
            provider_meta: None,
        };
        let summary = |names: &[&str]| {
            let mut calls = Calls::new(ItemId::new());
            names.iter().for_each(|name| _ = calls.begin(&call(name)));
            calls.summary()
        };
        assert_eq!(summary(&["add_task"]), "Add task");
        assert_eq!(summary(&["add_task", "list_tasks", "add_task"]), "Add task × 2, List tasks");
        assert_eq!(summary(&["a", "b", "c", "d"]), "A, B, C, …");
    }

    #[test]
    fn a_tool_is_shown_by_its_name_in_words() {
        assert_eq!((title("set_priority"), title("")), ("Set priority".to_owned(), String::new()));
    }
}
