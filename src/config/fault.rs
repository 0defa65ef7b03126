//! What is wrong with the configuration, as one list, so that an operator mends everything at once.

use std::fmt;

/// The longest part of a wrong value that is shown.
const SHOWN: usize = 60;

/// One thing that is wrong. It never holds the value of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A value is not of the kind that its variable takes.
    Value {
        /// The variable.
        name: String,
        /// What it takes.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// A variable cannot be used, for a reason that leaves its value out.
    Unusable {
        /// The variable.
        name: String,
        /// Why.
        reason: String,
    },
    /// A variable is missing that another setting calls for.
    Missing {
        /// The variable.
        name: String,
        /// The setting that calls for it.
        when: String,
    },
}

impl Fault {
    /// Makes the fault of a value that is not of the expected kind.
    pub(super) fn value(name: &str, expected: impl Into<String>, found: &str) -> Self {
        Self::Value { name: name.into(), expected: expected.into(), found: found.into() }
    }

    /// Makes the fault of a variable that cannot be used.
    pub(super) fn unusable(name: &str, reason: impl fmt::Display) -> Self {
        Self::Unusable { name: name.into(), reason: reason.to_string() }
    }

    /// Makes the fault of a variable that is missing.
    pub(super) fn missing(name: &str, when: impl Into<String>) -> Self {
        Self::Missing { name: name.into(), when: when.into() }
    }

    /// Makes the fault of a setting that this version does not have yet.
    pub(super) fn not_available(name: &str) -> Self {
        Self::unusable(name, "is not available in this version; leave it unset")
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value { name, expected, found } => {
                let shown: String = found.chars().take(SHOWN).collect();
                let cut = if shown.len() < found.len() { "…" } else { "" };
                write!(f, "{name}: must be {expected}, not \"{}{cut}\"", shown.escape_debug())
            }
            Self::Unusable { name, reason } => write!(f, "{name}: {reason}"),
            Self::Missing { name, when } => write!(f, "{name} required when {when}"),
        }
    }
}

/// Everything that is wrong; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// Makes the list, in the order in which the faults were found; none if nothing is wrong.
    pub(super) fn of(faults: Vec<Fault>) -> Option<Self> {
        (!faults.is_empty()).then_some(Self(faults))
    }

    /// Makes the list of a fault after which nothing else can be looked at.
    pub(super) fn one(fault: Fault) -> Self {
        Self(vec![fault])
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration cannot be used:")?;
        for fault in &self.0 {
            write!(f, "\n  {fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_wrong_value_is_cut_and_stays_on_one_line() {
        let fault = Fault::value("PORT", "a number", &format!("a\nb{}", "x".repeat(100)));
        let shown = format!("PORT: must be a number, not \"a\\nb{}…\"", "x".repeat(57));
        assert_eq!(fault.to_string(), shown);
    }
}
