//! Events of ChatKit as frames: `data:` and one line of JSON, and nothing else.

use serde::Serialize;

use super::{
    key::ItemKey,
    shapes::{EmptyOut, ItemOut, TaskOut, TextOut, ThreadOut},
};
use crate::domain::{Notice, NoticeCode};

/// An event.
#[derive(Serialize)]
#[serde(tag = "type")]
pub(super) enum EventOut<'a> {
    #[serde(rename = "thread.created")]
    ThreadCreated { thread: ThreadOut },
    #[serde(rename = "thread.updated")]
    ThreadUpdated { thread: &'a ThreadOut },
    #[serde(rename = "thread.item.added")]
    Added { item: ItemOut },
    #[serde(rename = "thread.item.updated")]
    Updated { item_id: ItemKey, update: UpdateOut<'a> },
    #[serde(rename = "thread.item.done")]
    Done { item: ItemOut },
    #[serde(rename = "thread.item.removed")]
    Removed { item_id: ItemKey },
    #[serde(rename = "thread.item.replaced")]
    Replaced { item: &'a ItemOut },
    #[serde(rename = "stream_options")]
    Options { stream_options: OptionsOut },
    #[serde(rename = "progress_update")]
    Progress { text: &'a str },
    #[serde(rename = "client_effect")]
    Effect { name: &'static str, data: EmptyOut },
    #[serde(rename = "notice")]
    Notice { level: &'static str, message: &'a str },
    #[serde(rename = "error")]
    Error { code: &'static str, message: &'a str, allow_retry: bool },
}

/// What may be done with a stream.
#[derive(Serialize)]
pub(super) struct OptionsOut {
    pub(super) allow_cancel: bool,
}

/// A change of an item.
#[derive(Serialize)]
#[serde(tag = "type")]
pub(super) enum UpdateOut<'a> {
    #[serde(rename = "assistant_message.content_part.added")]
    PartAdded { content_index: u8, content: TextOut },
    #[serde(rename = "assistant_message.content_part.text_delta")]
    TextDelta { content_index: u8, delta: &'a str },
    #[serde(rename = "assistant_message.content_part.done")]
    PartDone { content_index: u8, content: TextOut },
    #[serde(rename = "workflow.task.added")]
    TaskAdded { task_index: usize, task: &'a TaskOut },
    #[serde(rename = "workflow.task.updated")]
    TaskUpdated { task_index: usize, task: &'a TaskOut },
}

/// Why a stream ends without what was asked for, in words for the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The sentence.
    pub message: String,
    /// Whether the user is offered to try again: the component then retries the last message that is stored.
    pub allow_retry: bool,
}

impl Trouble {
    /// Writes the event.
    pub fn frame(&self) -> String {
        let (message, allow_retry) = (self.message.as_str(), self.allow_retry);
        EventOut::Error { code: "custom", message, allow_retry }.frame()
    }
}

impl EventOut<'_> {
    pub(super) fn frame(&self) -> String {
        format!("data: {}\n\n", serde_json::to_string(self).unwrap_or_default())
    }
}

/// Writes the event of an item that stands in the place of an earlier one.
pub fn replaced(item: &ItemOut) -> String {
    EventOut::Replaced { item }.frame()
}

/// Writes the effect by which a page that shows tasks reads them again.
pub fn tasks_changed() -> String {
    EventOut::Effect { name: "tasks_changed", data: EmptyOut {} }.frame()
}

/// Writes a notice. One that passes by itself, as soon as anything comes, is no notice in ChatKit.
pub(super) fn notice(notice: &Notice) -> String {
    if notice.code == NoticeCode::ModelRetrying {
        return EventOut::Progress { text: &notice.message }.frame();
    }
    let level = match notice.code {
        NoticeCode::DemoMode
        | NoticeCode::ProviderFallback
        | NoticeCode::ModelFallback
        | NoticeCode::HistoryTrimmed
        | NoticeCode::ModelRetrying => "info",
        NoticeCode::ReplyTruncated | NoticeCode::MaxTurnsReached | NoticeCode::ToolsUnavailable => "warning",
    };
    EventOut::Notice { level, message: &notice.message }.frame()
}

/// Writes what may be done with the stream.
pub fn options() -> String {
    EventOut::Options { stream_options: OptionsOut { allow_cancel: true } }.frame()
}
