//! The body of a turn: read field by field, and described beside the reading.

use std::collections::BTreeMap;

use serde_json::Value;
use tokio_util::sync::CancellationToken;
use utoipa::{
    ToSchema,
    openapi::{Object, ObjectBuilder, Type, schema::SchemaType},
};

use crate::{
    domain::{ConversationId, Principal, Timezone, ToolChoice},
    http::{fields::Fields, problem::Problem},
    runs::{NewTurn, Prompt},
};

/// The most characters of a message.
pub(in crate::http) const LONGEST_MESSAGE: usize = 32_000;
/// The most entries of `metadata`, and the most characters of a name and of a value.
const METADATA_LIMITS: (usize, usize, usize) = (16, 64, 512);

/// A turn that a client asks for.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewTurn)]
pub(super) struct ChatIn {
    /// What the user says; not blank, without NUL.
    #[schema(
        min_length = 1,
        max_length = 32000,
        pattern = r"^[^\u0000]*[^\u0000\u0009-\u000d\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000][^\u0000]*$"
    )]
    message: String,
    /// The conversation that goes on; without it a new one begins.
    #[schema(rename = "conversation_id", nullable = true)]
    conversation: Option<ConversationId>,
    /// `true`: events. `false`: one JSON object at the end. It stands over `Accept`.
    stream: Option<bool>,
    /// A provider that is on the list of allowed ones.
    #[schema(pattern = r"^[^\u0000]*$")]
    provider: Option<String>,
    /// A model that is on the list of allowed ones.
    #[schema(pattern = r"^[^\u0000]*$")]
    model: Option<String>,
    /// Whether the first answer of the model may, must or must not ask for tools.
    #[schema(value_type = Option<ToolChoiceIn>)]
    tool_choice: ToolChoice,
    /// The user's time zone, by its IANA name.
    #[schema(value_type = Option<String>, pattern = "^[A-Za-z0-9_+/-]+$", examples("Europe/Paris"))]
    timezone: Option<Timezone>,
    /// What the client wants to have stored with the message.
    #[schema(schema_with = describe_metadata, required = false)]
    metadata: BTreeMap<String, String>,
}

/// Whether the model may, must or must not ask for tools.
#[derive(ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ToolChoice)]
#[expect(dead_code, reason = "it only describes; the words are read by hand")]
enum ToolChoiceIn {
    Auto,
    Required,
    None,
}

impl ChatIn {
    /// Reads the body.
    pub(super) fn parse(mut fields: Fields) -> Result<Self, Problem> {
        if !fields.has("message") {
            fields.fault("message", "is required");
        }
        let body = Self {
            message: fields.words("message", LONGEST_MESSAGE).unwrap_or_default(),
            conversation: fields.parsed("conversation_id", "a UUID, lower case with hyphens"),
            stream: fields.truth("stream"),
            provider: fields.text("provider"),
            model: fields.text("model"),
            tool_choice: match fields.choice("tool_choice", &["auto", "required", "none"]) {
                Some("required") => ToolChoice::Required,
                Some("none") => ToolChoice::None,
                Some(_) | None => ToolChoice::Auto,
            },
            timezone: fields.parsed("timezone", "an IANA time zone such as Europe/Paris"),
            metadata: read_metadata(&mut fields),
        };
        fields.finish()?;
        Ok(body)
    }

    /// Says whether the client wants events or one object, if it says so here.
    pub(super) const fn stream(&self) -> Option<bool> {
        self.stream
    }

    /// Makes it the turn of a user.
    pub(super) fn into_turn(self, principal: Principal, key: Option<String>) -> NewTurn {
        let prompt = match self.conversation {
            None => Prompt::Begin(self.message),
            Some(conversation) => Prompt::Say(conversation, self.message),
        };
        NewTurn {
            principal,
            prompt,
            provider: self.provider,
            model: self.model,
            timezone: self.timezone,
            metadata: self.metadata,
            tool_choice: self.tool_choice,
            key,
            cancel: CancellationToken::new(),
        }
    }
}

fn read_metadata(fields: &mut Fields) -> BTreeMap<String, String> {
    let (most, longest_name, longest_value) = METADATA_LIMITS;
    let entries = match fields.value("metadata") {
        None => return BTreeMap::new(),
        Some(Value::Object(entries)) => entries,
        Some(_) => {
            fields.fault("metadata", "must be an object of strings");
            return BTreeMap::new();
        }
    };
    if entries.len() > most {
        fields.fault("metadata", format!("must have at most {most} entries"));
    }
    let mut metadata = BTreeMap::new();
    for (name, value) in entries.into_iter().take(most) {
        let field = format!("metadata.{}", name.chars().take(longest_name).collect::<String>());
        match value {
            Value::String(value)
                if name.chars().count() <= longest_name
                    && value.chars().count() <= longest_value
                    && !name.contains('\0')
                    && !value.contains('\0') =>
            {
                metadata.insert(name, value);
            }
            Value::String(_) => fields.fault(
                &field,
                format!("must be at most {longest_name} characters, its value at most {longest_value}, without NUL"),
            ),
            _ => fields.fault(&field, "must be a string"),
        }
    }
    metadata
}

fn describe_metadata() -> Object {
    let (most, longest_name, longest_value) = METADATA_LIMITS;
    let text = |longest| {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .max_length(Some(longest))
            .pattern(Some(r"^[^\u0000]*$"))
    };
    let metadata = ObjectBuilder::new().schema_type(SchemaType::from_iter([Type::Object, Type::Null]));
    let metadata = metadata.description(Some("What the client wants to have stored with the message."));
    let metadata = metadata.max_properties(Some(most)).property_names(Some(text(longest_name)));
    metadata.additional_properties(Some(text(longest_value))).build()
}
