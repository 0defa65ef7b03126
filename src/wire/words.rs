//! How the words of the domain stand in the API's description: ids and the closed lists of words, by name.
//!
//! Each list is the domain's own, so that a word that is added there is described here.

use std::borrow::Cow;

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, SchemaFormat, Type},
};

use crate::domain::{
    CallId, CallStatus, ConversationId, Feedback, ItemId, NoticeCode, Role, RunFailure, RunId, RunStatus,
};

/// The form of an id: a UUID, in lower case and with hyphens.
const ID: &str = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$";

/// Describes an id.
fn id(description: &str, example: &str) -> RefOr<Schema> {
    let format = SchemaFormat::Custom("uuid".into());
    let id = ObjectBuilder::new().schema_type(Type::String).format(Some(format)).pattern(Some(ID));
    id.description(Some(description)).examples([example]).into()
}

/// Describes a text that is one of a few words.
fn one_of<const N: usize>(description: &str, words: [&str; N]) -> RefOr<Schema> {
    let list = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words));
    list.description(Some(description)).into()
}

macro_rules! described {
    ($($type:ty as $name:literal: $schema:expr;)*) => {$(
        impl PartialSchema for $type {
            fn schema() -> RefOr<Schema> {
                $schema
            }
        }

        impl ToSchema for $type {
            fn name() -> Cow<'static, str> {
                $name.into()
            }
        }
    )*};
}

described! {
    ConversationId as "ConversationId": id("A conversation.", "01a1f7f2-045c-7a10-8c55-3f2b1f6d9e01");
    RunId as "RunId": id("A run: one turn of the agent.", "01a1f7f2-045b-7d31-9a7e-5b0c2d4e6f12");
    ItemId as "MessageId": id("A message.", "01a1f7f2-046e-7c44-b6d2-7e9f1a2b3c23");
    CallId as "CallId": id("A call of a tool.", "01a1f7f2-045f-7b22-8e1d-4a6b8c0d2e34");
    Role as "Role": one_of("Who a message is from.", Role::ALL.map(Role::as_str));
    RunStatus as "RunStatus": one_of(
        "Where a run stands. All but `running` are final.",
        RunStatus::ALL.map(RunStatus::as_str),
    );
    CallStatus as "CallStatus": one_of(
        "How a call ended. `invalid` and `denied` were not made, `not_run` was never reached; whether one that \
         is `unknown` took effect is not known.",
        CallStatus::ALL.map(CallStatus::as_str),
    );
    RunFailure as "RunErrorCode": one_of("Why a run failed.", RunFailure::ALL.map(RunFailure::as_str));
    Feedback as "Feedback": one_of("What the user thinks of an answer.", Feedback::ALL.map(Feedback::as_str));
    NoticeCode as "NoticeCode": one_of("What a notice is about.", NoticeCode::ALL.map(NoticeCode::as_str));
}
