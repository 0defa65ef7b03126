//! Holds `docs/providers.md` against the tables: what it shows is what the service does.

use std::fmt::Write;

use super::{Provider, overrides::Name, quirks::TABLE};

const DOCUMENT: &str = include_str!("../../../docs/providers.md");

/// Writes the quirk table, a row for each provider and model prefix and a column for each quirk.
fn quirks() -> String {
    let mut table = String::from("| provider | models |");
    let names = Name::ALL.map(Name::as_str);
    names.iter().for_each(|name| write!(table, " `{name}` |").unwrap());
    table.push_str("\n|---|---|");
    names.iter().for_each(|_| table.push_str("---|"));
    for row in &TABLE {
        let models = if row.prefix.is_empty() { "all others".into() } else { format!("`{}…`", row.prefix) };
        write!(table, "\n| {} | {models} |", row.provider.name()).unwrap();
        Name::ALL.iter().for_each(|name| write!(table, " {} |", name.shown(&row.quirks)).unwrap());
    }
    table
}

/// Writes the table of providers with their addresses and default models.
fn providers() -> String {
    let mut table = String::from("| `LLM_PROVIDER` | address | models, in their order |\n|---|---|---|");
    for provider in Provider::ALL {
        let address = provider.default_base_url().map_or("`LLM_BASE_URL`".into(), |url| format!("`{url}`"));
        let address = if provider == Provider::Demo { "none".into() } else { address };
        let models: Vec<_> = provider.default_models().iter().map(|model| format!("`{model}`")).collect();
        let models = if models.is_empty() { "`LLM_MODEL`".into() } else { models.join(", ") };
        write!(table, "\n| {} | {address} | {models} |", provider.name()).unwrap();
    }
    table
}

#[test]
fn the_document_shows_the_tables_as_they_are() {
    for table in [providers(), quirks()] {
        assert!(DOCUMENT.contains(&table), "docs/providers.md should hold:\n{table}");
    }
}
