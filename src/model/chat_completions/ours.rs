//! Brings what a model says back into our terms: tools by our names, arguments as their schema has them, costs in money, and
//! what the provider wants back with the name of the model that said it.

use std::sync::Arc;

use serde_json::Value;

use super::{offer::Offer, strict};
use crate::{
    domain::{ModelEvent, RequestedCall},
    model::{providers::Price, tab::priced},
};

/// What is known of a request when its reply is read.
pub(super) struct Ours {
    offer: Arc<Offer>,
    model: Arc<str>,
    price: Option<Price>,
}

impl Ours {
    /// Remembers a request with this offer.
    pub(super) const fn of(offer: Arc<Offer>, model: Arc<str>, price: Option<Price>) -> Self {
        Self { offer, model, price }
    }

    /// Brings an event back into our terms.
    pub(super) fn event(&self, event: ModelEvent) -> ModelEvent {
        match event {
            ModelEvent::Call(call) => ModelEvent::Call(self.call(call)),
            ModelEvent::Usage(usage) => ModelEvent::Usage(priced(usage, self.price)),
            ModelEvent::Replaced { .. }
            | ModelEvent::Alive
            | ModelEvent::Text(_)
            | ModelEvent::Reasoning(_)
            | ModelEvent::CallBegun
            | ModelEvent::Meta(_)
            | ModelEvent::Finished(_) => event,
        }
    }

    fn call(&self, call: RequestedCall) -> RequestedCall {
        let name = self.offer.names().read(call.name);
        let arguments = match self.offer.filled(&name) {
            Some(schema) => strict::without_fillers(&call.arguments, schema.document()),
            None => call.arguments,
        };
        let provider_meta = call.provider_meta.map(|meta| self.signed(meta));
        RequestedCall { name, arguments, provider_meta, ..call }
    }

    fn signed(&self, mut meta: Value) -> Value {
        if let Value::Object(fields) = &mut meta {
            fields.insert("model".into(), self.model.as_ref().into());
        }
        meta
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        domain::{Tool, ToolSchema},
        model::providers::quirks::Dialect,
    };

    #[test]
    fn a_call_comes_back_under_our_name_without_fillers_and_with_the_name_of_its_model() {
        let schema = json!({"type": "object", "properties": {"title": {"type": "string"}}});
        let tool = Tool {
            server: "tasks".into(),
            name: "tasks.add".into(),
            description: String::new(),
            schema: ToolSchema::compile(schema).unwrap(),
            is_read_only: false,
            is_keyed: true,
        };
        let call = |name: &str, arguments: &str, model: Option<&str>| {
            let meta = model.map(|model| json!({"provider": "x", "model": model}));
            ModelEvent::Call(RequestedCall {
                provider_id: "a".into(),
                name: name.into(),
                arguments: arguments.into(),
                provider_meta: meta.or(Some(json!({"provider": "x"}))),
            })
        };
        let told = call("tasks_add", r#"{"title":null}"#, None);
        let ours = |dialect| {
            let offer = Offer::of(std::slice::from_ref(&tool), dialect).unwrap();
            Ours::of(Arc::new(offer), "m".into(), None).event(told.clone())
        };
        assert_eq!(ours(Dialect::OpenAiStrict), call("tasks.add", "{}", Some("m")));
        assert_eq!(ours(Dialect::Full), call("tasks.add", r#"{"title":null}"#, Some("m")));
    }
}
