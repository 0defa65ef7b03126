//! What every setting is and where it came from, for `parlor check`. Secrets are masked before they get here.

/// Where a value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The environment of the process.
    Environment,
    /// The `.env` of the working folder.
    Dotenv,
    /// The file that `NAME_FILE` names.
    File,
    /// Nobody set it.
    Default,
}

impl Origin {
    /// Returns the words of the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Environment => "environment",
            Self::Dotenv => ".env",
            Self::File => "file",
            Self::Default => "default",
        }
    }
}

/// The value of a setting as the table shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Safe to show.
    Plain(String),
    /// A secret that is set.
    Masked,
    /// Not set, and there is no default.
    Unset,
}

/// One setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The variable.
    pub name: String,
    /// Its value or default.
    pub value: Shown,
    /// Where the value came from.
    pub origin: Origin,
}

impl Setting {
    fn shown(&self) -> String {
        match &self.value {
            Shown::Plain(text) => text.replace(char::is_control, " "),
            Shown::Masked => "********".into(),
            Shown::Unset => "-".into(),
        }
    }
}

/// All settings that were read, in the order of reading, and the names that nothing reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The settings.
    pub settings: Vec<Setting>,
    /// Names that are set, look like ours and mean nothing: a misspelling or a setting of another version.
    pub unread: Vec<String>,
}

impl Report {
    /// Prints the table: one line per setting with its name, its value and where the value came from.
    pub fn table(&self) -> String {
        let values: Vec<String> = self.settings.iter().map(Setting::shown).collect();
        let name_width = self.settings.iter().map(|setting| setting.name.len()).max().unwrap_or_default();
        let value_width = values.iter().map(|value| value.chars().count()).max().unwrap_or_default();
        let mut table = String::new();
        for (Setting { name, origin, .. }, value) in self.settings.iter().zip(&values) {
            let origin = origin.as_str();
            table.push_str(&format!("{name:name_width$}  {value:value_width$}  {origin}\n"));
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_a_line_for_each_setting_and_no_secret() {
        let setting = |name: &str, value, origin| Setting { name: name.into(), value, origin };
        let report = Report {
            settings: vec![
                setting("PORT", Shown::Plain("8000".into()), Origin::Default),
                setting("OPENAI_API_KEY", Shown::Masked, Origin::File),
                setting("LLM_MODEL", Shown::Unset, Origin::Default),
            ],
            unread: Vec::new(),
        };
        insta::assert_snapshot!(report.table(), @r"
        PORT            8000      default
        OPENAI_API_KEY  ********  file
        LLM_MODEL       -         default
        ");
    }
}
