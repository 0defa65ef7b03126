//! Names of tools as providers take them, and back. A tool server names its tools as it likes; a provider refuses the whole
//! request for one name with a dot in it. Pure, and the same for the same tools.

use std::{borrow::Cow, collections::HashSet};

use crate::domain::Tool;

/// The longest name of a tool that providers take.
const LIMIT: usize = 64;

/// The tools of one request: each by our name and by the one that the provider sees. No two look the same.
#[derive(Debug, Default)]
pub(super) struct Names(Vec<(String, String)>);

impl Names {
    /// Finds names for tools. A name that providers take stays as it is.
    pub(super) fn of(tools: &[Tool]) -> Self {
        let good = tools.iter().filter(|tool| accepted(&tool.name) == tool.name);
        let mut taken: HashSet<String> = good.map(|tool| tool.name.clone()).collect();
        let names = tools.iter().map(|tool| {
            let wanted = accepted(&tool.name);
            let name = if wanted == tool.name { wanted } else { free(&wanted, &taken) };
            taken.insert(name.clone());
            (tool.name.clone(), name)
        });
        Self(names.collect())
    }

    /// Returns the name of a tool as the provider sees it. One that is not on offer, as a history may have it, is brought into
    /// the same form: one bad name in a history would otherwise have every later request refused.
    pub(super) fn written(&self, ours: &str) -> Cow<'_, str> {
        let known = self.0.iter().find(|(name, _)| name == ours);
        known.map_or_else(|| Cow::Owned(accepted(ours)), |(_, written)| Cow::Borrowed(written.as_str()))
    }

    /// Returns our name of a tool that the provider names. A name that was never given is left as it is.
    pub(super) fn read(&self, theirs: String) -> String {
        let known = self.0.iter().find(|(_, written)| *written == theirs);
        known.map_or(theirs, |(name, _)| name.clone())
    }
}

/// Brings a name into the form `^[a-zA-Z0-9_-]{1,64}$`.
fn accepted(name: &str) -> String {
    let accept = |character: char| match character {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '-' => character,
        _ => '_',
    };
    let name: String = name.chars().take(LIMIT).map(accept).collect();
    if name.is_empty() { "_".to_owned() } else { name }
}

/// Returns the name, with a number behind it if it is taken.
fn free(wanted: &str, taken: &HashSet<String>) -> String {
    let numbered = (2_usize..).map(|number| {
        let suffix = format!("_{number}");
        wanted.chars().take(LIMIT - suffix.len()).collect::<String>() + &suffix
    });
    let mut names = std::iter::once(wanted.to_owned()).chain(numbered);
    names.find(|name| !taken.contains(name)).unwrap_or_else(|| wanted.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::domain::ToolSchema;

    fn tools(names: &[&str]) -> Vec<Tool> {
        let schema = ToolSchema::compile(json!({"type": "object"})).unwrap();
        let tool = |name: &&str| Tool {
            server: "tasks".into(),
            name: (*name).to_owned(),
            description: String::new(),
            schema: schema.clone(),
            is_read_only: false,
            is_keyed: true,
        };
        names.iter().map(tool).collect()
    }

    #[test]
    fn what_looks_the_same_gets_a_number_and_what_is_accepted_keeps_its_name() {
        let tools = tools(&["add.task", "add task", "add_task", "add_task_2"]);
        let names = Names::of(&tools);
        let written: Vec<Cow<'_, str>> = tools.iter().map(|tool| names.written(&tool.name)).collect();
        assert_eq!(written, ["add_task_3", "add_task_4", "add_task", "add_task_2"]);
        assert_eq!(names.read("add_task_4".into()), "add task");
        assert_eq!(
            (names.written("no.such"), names.read("no.such".into())),
            ("no_such".into(), "no.such".into())
        );
        assert_eq!(names.written(""), "_");
    }

    proptest! {
        #[test]
        fn every_name_is_accepted_is_the_tools_alone_and_leads_back_to_it(
            ours in prop::collection::hash_set("[a-c.é_ ]{0,3}|[ab.]{63,70}", 0..30),
        ) {
            let ours: Vec<&str> = ours.iter().map(String::as_str).collect();
            let names = Names::of(&tools(&ours));
            let mut seen = HashSet::new();
            for name in ours {
                let written = names.written(name);
                let fits = |character: char| character.is_ascii_alphanumeric() || "_-".contains(character);
                prop_assert!((1..=64).contains(&written.len()) && written.chars().all(fits), "{written:?}");
                prop_assert!(seen.insert(written.clone()), "{written:?} stands for two");
                prop_assert_eq!(names.read(written.into_owned()), name);
            }
        }
    }
}
