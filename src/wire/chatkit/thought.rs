//! What a model thinks, as a workflow of its own that grows.

use super::{
    events::{EventOut, UpdateOut},
    key::ItemKey,
    shapes::{BodyOut, Indicator, ItemOut, SummaryOut, TaskOut, WorkflowOut},
};
use crate::domain::{ConversationId, ItemId};

/// How much of a thought must be new before it is told again; each time it is told whole.
const THOUGHT_STEP: usize = 64;

/// A thought.
#[derive(Debug)]
pub(super) struct Thought {
    pub(super) message: ItemId,
    pub(super) text: String,
    pub(super) told: usize,
}

impl Thought {
    /// Tells what is new, once it is enough.
    pub(super) fn grown(&mut self) -> String {
        if self.text.len() < self.told + THOUGHT_STEP.max(self.told / 4) {
            return String::new();
        }
        self.told = self.text.len();
        let task = self.task(Indicator::Loading);
        let update = UpdateOut::TaskUpdated { task_index: 0, task: &task };
        EventOut::Updated { item_id: ItemKey::Thought(self.message), update }.frame()
    }

    fn task(&self, status_indicator: Indicator) -> TaskOut {
        TaskOut::Thought { content: self.text.clone(), status_indicator }
    }

    /// Shows it.
    pub(super) fn item(&self, thread: ConversationId, indicator: Indicator) -> ItemOut {
        let is_over = indicator == Indicator::Complete;
        let summary = is_over.then(|| SummaryOut { title: "Thought".into(), icon: "lightbulb" });
        let (r#type, tasks) = ("reasoning", vec![self.task(indicator)]);
        let workflow = WorkflowOut { r#type, tasks, summary, expanded: !is_over };
        ItemOut::new(thread, ItemKey::Thought(self.message), BodyOut::Workflow { workflow })
    }
}
