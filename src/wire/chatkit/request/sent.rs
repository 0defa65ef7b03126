//! The parameters as they are sent.

use serde::Deserialize;
use serde_json::Value;

use crate::domain::Feedback;

#[derive(Deserialize)]
pub(super) struct InputIn {
    #[serde(default)]
    pub(super) content: Vec<PartIn>,
    #[serde(default)]
    pub(super) attachments: Vec<Value>,
    pub(super) quoted_text: Option<String>,
    #[serde(default)]
    pub(super) inference_options: OptionsIn,
}

#[derive(Deserialize)]
pub(super) struct PartIn {
    #[serde(default)]
    pub(super) text: String,
}

#[derive(Default, Deserialize)]
pub(super) struct OptionsIn {
    pub(super) model: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct CreateIn {
    pub(super) input: InputIn,
}

#[derive(Deserialize)]
pub(super) struct ThreadIn {
    pub(super) thread_id: String,
}

#[derive(Deserialize)]
pub(super) struct AddIn {
    pub(super) thread_id: String,
    pub(super) input: InputIn,
}

#[derive(Deserialize)]
pub(super) struct RetryIn {
    pub(super) thread_id: String,
    pub(super) item_id: String,
}

#[derive(Deserialize)]
pub(super) struct ActIn {
    pub(super) thread_id: String,
    pub(super) item_id: Option<String>,
    pub(super) action: ActionIn,
}

#[derive(Deserialize)]
pub(super) struct ActionIn {
    pub(super) r#type: String,
    #[serde(default)]
    pub(super) payload: Value,
}

#[derive(Deserialize)]
pub(super) struct SpanIn {
    pub(super) limit: Option<i64>,
    pub(super) order: Option<OrderIn>,
    pub(super) after: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct ItemsIn {
    pub(super) thread_id: String,
    #[serde(flatten)]
    pub(super) span: SpanIn,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum OrderIn {
    Asc,
    Desc,
}

#[derive(Deserialize)]
pub(super) struct RenameIn {
    pub(super) thread_id: String,
    pub(super) title: String,
}

#[derive(Deserialize)]
pub(super) struct FeedbackIn {
    pub(super) thread_id: String,
    pub(super) item_ids: Vec<String>,
    pub(super) kind: Feedback,
}
