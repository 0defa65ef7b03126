//! A value that we do not take, by the name of its field. The caller is a model that tries again by what it reads.

/// An argument that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` {reason}")]
pub struct Invalid {
    field: &'static str,
    reason: String,
}

impl Invalid {
    /// Names a field and the rule that it breaks.
    pub fn new(field: &'static str, reason: impl Into<String>) -> Self {
        Self { field, reason: reason.into() }
    }
}
