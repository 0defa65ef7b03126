//! What a client asks for, read leniently: the protocol is not ours, so fields that we do not know are passed over.

mod sent;

use sent::{
    ActIn, AddIn, CreateIn, FeedbackIn, InputIn, ItemsIn, OrderIn, RenameIn, RetryIn, SpanIn, ThreadIn,
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::key::{ItemKey, read_thread};
use crate::domain::{ConversationId, Feedback};

/// The operations, all that are known.
pub const OPERATIONS: [&str; 16] = [
    "threads.create",
    "threads.add_user_message",
    "threads.add_client_tool_output",
    "threads.add_structured_input",
    "threads.retry_after_item",
    "threads.custom_action",
    "threads.sync_custom_action",
    "threads.get_by_id",
    "threads.list",
    "threads.update",
    "threads.delete",
    "items.list",
    "items.feedback",
    "attachments.create",
    "attachments.delete",
    "input.transcribe",
];

/// How many elements a page has where nobody says.
const USUAL_PAGE: u64 = 20;

/// How many it has at most: the component asks for 9999.
const LONGEST_PAGE: u64 = 100;

/// One operation.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// A message that begins a thread.
    Create(Input),
    /// A message in a thread.
    Add(ConversationId, Input),
    /// What a tool of the page has answered.
    ClientToolOutput(ConversationId),
    /// Answers to a form.
    StructuredInput(ConversationId),
    /// Another answer to the message, or to the last one before the item. None is an id that is none of ours.
    Retry(ConversationId, Option<ItemKey>),
    /// A button was pressed; events follow.
    Act(Action),
    /// A button was pressed; one answer follows.
    ActAtOnce(Action),
    /// A thread with its first items.
    Thread(ConversationId),
    /// A page of threads.
    Threads(Span<ConversationId>),
    /// A new title.
    Rename(ConversationId, String),
    /// A thread is to go.
    Delete(ConversationId),
    /// A page of items.
    Items(ConversationId, Span<ItemKey>),
    /// What the user thinks of items.
    Feedback(ConversationId, Vec<ItemKey>, Feedback),
    /// Something that is known and not offered.
    Unsupported(&'static str),
}

/// What the user says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// The text, what is quoted before it.
    pub text: String,
    /// Whether files come with it.
    pub has_attachments: bool,
    /// The model that was picked.
    pub model: Option<String>,
}

/// What a button does.
#[derive(Clone, Debug, PartialEq)]
pub struct Action {
    /// The thread.
    pub thread: ConversationId,
    /// The item that holds the button.
    pub item: Option<ItemKey>,
    /// What is to be done.
    pub kind: String,
    /// With what.
    pub payload: Value,
}

/// Which part of a list is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span<T> {
    /// Behind this element, in the direction of reading.
    pub after: Option<T>,
    /// How many.
    pub limit: u64,
    /// From the newest.
    pub newest_first: bool,
}

/// Why a request is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// There is no such operation.
    NoSuchOperation,
    /// The parameters do not fit.
    Wrong(String),
    /// The id is none that a thread could have.
    NoSuchThread,
    /// The id is none that an item could have.
    NoSuchItem,
}

impl Request {
    /// Reads a body.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(mut body: Map<String, Value>) -> Result<Self, Fault> {
        let params = body.remove("params").unwrap_or_else(|| Value::Object(Map::new()));
        if holds_nul(&params) {
            return Err(Fault::Wrong("must not hold NUL".into()));
        }
        match body.get("type").and_then(Value::as_str).unwrap_or_default() {
            "threads.create" => read::<CreateIn>(params).map(|sent| Self::Create(sent.input.into())),
            "threads.add_user_message" => {
                let AddIn { thread_id, input } = read(params)?;
                Ok(Self::Add(thread(&thread_id)?, input.into()))
            }
            "threads.add_client_tool_output" => in_thread(params, Self::ClientToolOutput),
            "threads.add_structured_input" => in_thread(params, Self::StructuredInput),
            "threads.retry_after_item" => {
                let RetryIn { thread_id, item_id } = read(params)?;
                Ok(Self::Retry(thread(&thread_id)?, item_id.parse().ok()))
            }
            "threads.custom_action" => action(params).map(Self::Act),
            "threads.sync_custom_action" => action(params).map(Self::ActAtOnce),
            "threads.get_by_id" => in_thread(params, Self::Thread),
            "threads.list" => Ok(Self::Threads(read::<SpanIn>(params)?.span(thread)?)),
            "threads.update" => {
                let RenameIn { thread_id, title } = read(params)?;
                Ok(Self::Rename(thread(&thread_id)?, title))
            }
            "threads.delete" => in_thread(params, Self::Delete),
            "items.list" => {
                let ItemsIn { thread_id, span } = read(params)?;
                Ok(Self::Items(thread(&thread_id)?, span.span(item)?))
            }
            "items.feedback" => {
                let FeedbackIn { thread_id, item_ids, kind } = read(params)?;
                let items = item_ids.iter().map(|id| item(id)).collect::<Result<_, _>>()?;
                Ok(Self::Feedback(thread(&thread_id)?, items, kind))
            }
            "attachments.create" | "attachments.delete" => {
                Ok(Self::Unsupported("attachments are not supported"))
            }
            "input.transcribe" => Ok(Self::Unsupported("dictation is not supported")),
            _ => Err(Fault::NoSuchOperation),
        }
    }
}

impl From<InputIn> for Input {
    fn from(sent: InputIn) -> Self {
        let said: String = sent.content.into_iter().map(|part| part.text).collect();
        let quoted = sent.quoted_text.filter(|text| !text.trim().is_empty());
        let quoted = quoted.map(|text| format!("> {}\n\n", text.trim().replace('\n', "\n> ")));
        Self {
            text: quoted.unwrap_or_default() + &said,
            has_attachments: !sent.attachments.is_empty(),
            model: sent.inference_options.model,
        }
    }
}

impl SpanIn {
    fn span<T>(self, id: impl Fn(&str) -> Result<T, Fault>) -> Result<Span<T>, Fault> {
        let limit = self.limit.and_then(|limit| u64::try_from(limit).ok()).unwrap_or(USUAL_PAGE);
        Ok(Span {
            after: self.after.as_deref().map(id).transpose()?,
            limit: limit.clamp(1, LONGEST_PAGE),
            newest_first: matches!(self.order, Some(OrderIn::Desc) | None),
        })
    }
}

impl<T> Span<T> {
    /// Returns the part that a thread is opened with: the oldest items, as the component pages on from there.
    pub const fn first() -> Self {
        Self { after: None, limit: LONGEST_PAGE, newest_first: false }
    }
}

fn read<T: DeserializeOwned>(params: Value) -> Result<T, Fault> {
    serde_json::from_value(params).map_err(|error| Fault::Wrong(error.to_string()))
}

fn thread(id: &str) -> Result<ConversationId, Fault> {
    read_thread(id).map_err(|_| Fault::NoSuchThread)
}

fn item(id: &str) -> Result<ItemKey, Fault> {
    id.parse().map_err(|_| Fault::NoSuchItem)
}

fn in_thread(params: Value, request: impl FnOnce(ConversationId) -> Request) -> Result<Request, Fault> {
    let ThreadIn { thread_id } = read(params)?;
    thread(&thread_id).map(request)
}

fn action(params: Value) -> Result<Action, Fault> {
    let ActIn { thread_id, item_id, action } = read(params)?;
    let item = item_id.as_deref().map(item).transpose()?;
    Ok(Action { thread: thread(&thread_id)?, item, kind: action.r#type, payload: action.payload })
}

fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(holds_nul),
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || holds_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(body: &Value) -> Result<Request, Fault> {
        Request::read(body.as_object().unwrap().clone())
    }

    #[test]
    fn every_operation_is_known_by_its_name_and_no_other() {
        for name in OPERATIONS {
            assert_ne!(read(&json!({"type": name})), Err(Fault::NoSuchOperation), "{name}");
        }
        for body in [json!({"type": "threads.stop"}), json!({"type": 5}), json!({})] {
            assert_eq!(read(&body), Err(Fault::NoSuchOperation));
        }
    }

    #[test]
    fn what_may_be_missing_may_be_null_and_what_is_new_is_passed_over() {
        let bare = json!({"type": "threads.create", "params": {"input": {}}});
        let full = json!({"type": "threads.create", "metadata": {"a": 1}, "params": {"b": 2, "input": {
            "content": [], "attachments": [], "quoted_text": null, "inference_options": {"model": null, "c": 3}, "d": 4,
        }}});
        let nothing = Input { text: String::new(), has_attachments: false, model: None };
        assert_eq!(
            (read(&bare), read(&full)),
            (Ok(Request::Create(nothing.clone())), Ok(Request::Create(nothing)))
        );
    }

    #[test]
    fn a_page_is_never_empty_and_never_too_long() {
        for (sent, limit) in
            [(json!(9999), 100), (json!(0), 1), (json!(-5), 20), (json!(null), 20), (json!(7), 7)]
        {
            let read = read(&json!({"type": "threads.list", "params": {"limit": sent, "order": "asc"}}));
            assert_eq!(read, Ok(Request::Threads(Span { after: None, limit, newest_first: false })));
        }
    }
}
