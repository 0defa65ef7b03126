//! What is made of a list of tools once and not for each question: their names as the provider takes them, and their text
//! in its dialect.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{
    Value, json,
    value::{RawValue, to_raw_value},
};

use super::{names::Names, schema, strict};
use crate::{
    domain::{Tool, ToolSchema},
    model::providers::quirks::Dialect,
};

/// A list of tools as one provider is offered it.
#[derive(Debug, Default)]
pub(super) struct Offer {
    names: Names,
    /// What it was made of.
    tools: Vec<Tool>,
    text: Option<Box<RawValue>>,
    /// Whether arguments come with nulls that only fill a place.
    is_filled: bool,
}

/// The offers of one model. The last one is kept: lists change when a tool server starts, and hardly ever else.
#[derive(Debug)]
pub(super) struct Offers {
    dialect: Dialect,
    last: Mutex<Arc<Offer>>,
}

impl Offers {
    /// Begins with nothing to offer.
    pub(super) fn new(dialect: Dialect) -> Self {
        Self { dialect, last: Mutex::default() }
    }

    /// Returns the offer of a list.
    ///
    /// # Errors
    /// If a schema cannot be written as JSON.
    pub(super) fn of(&self, tools: &[Tool]) -> serde_json::Result<Arc<Offer>> {
        if tools.is_empty() {
            return Ok(Arc::default()); // nothing that is worth keeping
        }
        let last = Arc::clone(&self.last.lock().unwrap_or_else(PoisonError::into_inner));
        if last.is_of(tools) {
            return Ok(last);
        }
        let offer = Arc::new(Offer::of(tools, self.dialect)?);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&offer);
        Ok(offer)
    }
}

impl Offer {
    /// Makes the offer of a list.
    ///
    /// # Errors
    /// If a schema cannot be written as JSON.
    pub(super) fn of(tools: &[Tool], dialect: Dialect) -> serde_json::Result<Self> {
        let names = Names::of(tools);
        let written: Vec<Value> = tools.iter().map(|tool| written(tool, &names, dialect)).collect();
        let text = if written.is_empty() { None } else { Some(to_raw_value(&written)?) };
        Ok(Self { names, tools: tools.to_vec(), text, is_filled: dialect == Dialect::OpenAiStrict })
    }

    /// Returns the names of the tools.
    pub(super) const fn names(&self) -> &Names {
        &self.names
    }

    /// Returns the list as it stands in a request; nothing if it is empty.
    pub(super) fn text(&self) -> Option<&RawValue> {
        self.text.as_deref()
    }

    /// Returns the schema of a tool, by our name, if its arguments come with nulls that only fill a place.
    pub(super) fn filled(&self, name: &str) -> Option<&ToolSchema> {
        let mut tools = self.tools.iter().filter(|_| self.is_filled);
        tools.find(|tool| tool.name == name).map(|tool| &tool.schema)
    }

    /// Tells whether it was made of this list. The schemas that it was made of are kept, so none can stand in another's place.
    fn is_of(&self, tools: &[Tool]) -> bool {
        let is_same = |(ours, theirs): (&Tool, &Tool)| {
            ours.schema.is_same_as(&theirs.schema)
                && ours.name == theirs.name
                && ours.description == theirs.description
        };
        self.tools.len() == tools.len() && self.tools.iter().zip(tools).all(is_same)
    }
}

fn written(tool: &Tool, names: &Names, dialect: Dialect) -> Value {
    let document = tool.schema.document();
    let strict = match dialect {
        Dialect::OpenAiStrict => strict::projected(document),
        Dialect::Full | Dialect::Gemini => None,
    };
    let is_strict = strict.is_some();
    let parameters = strict.unwrap_or_else(|| schema::project(document, dialect));
    let name = names.written(&tool.name);
    let mut function = json!({"name": name, "description": tool.description, "parameters": parameters});
    if let (true, Value::Object(fields)) = (is_strict, &mut function) {
        fields.insert("strict".into(), true.into());
    }
    json!({"type": "function", "function": function})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(name: &str) -> Tool {
        let schema = json!({"type": "object", "properties": {"title": {"type": "string"}}});
        Tool {
            server: "tasks".into(),
            name: name.into(),
            description: "Does it.".into(),
            schema: ToolSchema::compile(schema).unwrap(),
            is_read_only: false,
            is_keyed: true,
        }
    }

    #[test]
    fn a_list_is_written_once_however_often_it_is_put_together() {
        let (offers, tools) = (Offers::new(Dialect::Full), [tool("a"), tool("b")]);
        let (first, again) = (offers.of(&tools).unwrap(), tools.clone());
        assert!(Arc::ptr_eq(&first, &offers.of(&again).unwrap()));
        assert!(offers.of(&[]).unwrap().text().is_none());
        assert!(Arc::ptr_eq(&first, &offers.of(&tools).unwrap()), "a question without tools forgets nothing");
    }

    #[test]
    fn a_list_in_which_anything_is_different_is_another() {
        let (offers, old) = (Offers::new(Dialect::Full), tool("a"));
        let changed = [
            vec![Tool { name: "b".into(), ..old.clone() }],
            vec![Tool { description: "Does more.".into(), ..old.clone() }],
            vec![Tool { schema: ToolSchema::compile(json!({"type": "object"})).unwrap(), ..old.clone() }],
            vec![old.clone(), tool("b")],
        ];
        for tools in changed {
            let before = offers.of(std::slice::from_ref(&old)).unwrap();
            let after = offers.of(&tools).unwrap();
            let text = |offer: &Offer| offer.text().map(|text| text.get().to_owned());
            assert_ne!(text(&before), text(&after));
            assert_eq!(text(&after), text(&Offer::of(&tools, Dialect::Full).unwrap()));
        }
    }

    #[test]
    fn only_the_strictest_dialect_fills_places() {
        let filled = |dialect, name: &str| Offer::of(&[tool("a")], dialect).unwrap().filled(name).is_some();
        assert!(filled(Dialect::OpenAiStrict, "a") && !filled(Dialect::OpenAiStrict, "b"));
        assert!(!filled(Dialect::Full, "a") && !filled(Dialect::Gemini, "a"));
    }
}
