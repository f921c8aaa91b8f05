//! Earlier versions of a credential, and what took their place.

use std::fmt;

use chrono::{DateTime, Utc};

use super::{Credential, CredentialId};

/// What took the place of an earlier version.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Replacement {
    /// Another version under the same id.
    Updated,
    /// Nothing: the credential was removed.
    Removed,
    /// The same credential under its present id.
    Renamed {
        /// The id it had.
        from: CredentialId,
    },
}

impl Replacement {
    /// One word: `updated`, `removed` or `renamed`.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Updated => "updated",
            Self::Removed => "removed",
            Self::Renamed { .. } => "renamed",
        }
    }
}

impl fmt::Display for Replacement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Whose an earlier version is: an id can have been that of several credentials, one after the
/// other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lineage {
    /// Of the credential that has this id, or had it last.
    Own,
    /// Of another one, which had this id before that.
    Other,
}

/// A credential as it was before a change.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Earlier {
    /// All of it, under the id it is kept under.
    pub credential: Credential,
    /// Whose it is.
    pub lineage: Lineage,
    /// What took its place.
    pub replacement: Replacement,
    /// When that was.
    pub replaced_at: DateTime<Utc>,
}
