//! Credentials as the user knows them: ids, fields, times, versions and their limits.
//!
//! Everything is checked once, here, when it comes in, so that what is inside cannot be wrong.

mod earlier;
mod edit;

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};

use crate::error::{Error, Result};
use crate::secret::Secret;

pub use self::earlier::{Earlier, Lineage, Replacement};
pub(crate) use self::edit::same_content;
pub use self::edit::{Condition, Edit, Patch};

/// How far clocks are set back without anybody noticing.
const CLOCK_STEP: TimeDelta = TimeDelta::minutes(1);

/// Limits of a credential's parts, in bytes unless said otherwise.
pub mod limits {
    /// An id has 1 to 255 bytes.
    pub const ID: usize = 255;
    /// A user name.
    pub const USERNAME: usize = 1_024;
    /// A password.
    pub const PASSWORD: usize = 65_536;
    /// A description.
    pub const DESCRIPTION: usize = 4_096;
    /// A URL.
    pub const URL: usize = 2_048;
    /// The number of tags.
    pub const TAGS: usize = 32;
    /// One tag.
    pub const TAG: usize = 64;
    /// The number of extra fields.
    pub const FIELDS: usize = 64;
    /// The name of an extra field.
    pub const FIELD_NAME: usize = 64;
    /// The value of an extra field.
    pub const FIELD: usize = 65_536;
    /// All values of extra fields together.
    pub const FIELDS_TOTAL: usize = 1_048_576;
}

/// Names that an extra field may not have, since they are built in.
pub const BUILT_IN_FIELDS: &[&str] = &[
    "id",
    "username",
    "password",
    "password_base64",
    "url",
    "description",
    "tags",
    "fields",
    "field_names",
    "created_at",
    "updated_at",
    "password_changed_at",
    "expires_at",
    "version",
];

/// The id of a credential: 1 to 255 bytes of UTF-8 without control characters and without white
/// space at either end. Ids are compared byte by byte; `/` groups them for the eye only.
///
/// # Examples
///
/// ```
/// use credb::CredentialId;
///
/// let id = CredentialId::new("db/mysql-prod")?;
/// assert_eq!(id.as_str(), "db/mysql-prod");
/// assert!(CredentialId::new(" padded ").is_err());
/// # Ok::<(), credb::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CredentialId(String);

impl CredentialId {
    /// Checks the rules and keeps the text as it is.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] names the rule that was broken, never the text.
    pub fn new(text: impl Into<String>) -> Result<Self> {
        let text = text.into();
        if text.is_empty() {
            return Err(Error::invalid("id", "is empty"));
        }
        within("id", text.len(), limits::ID)?;
        if text.chars().any(char::is_control) {
            return Err(Error::invalid("id", "has a control character"));
        }
        if text.starts_with(char::is_whitespace) || text.ends_with(char::is_whitespace) {
            return Err(Error::invalid("id", "has white space at its beginning or end"));
        }
        Ok(Self(text))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CredentialId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::str::FromStr for CredentialId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::new(text)
    }
}

/// All of a credential that is not secret: what a listing shows.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metadata {
    /// The id.
    pub id: CredentialId,
    /// The user name, never empty.
    pub username: Option<String>,
    /// Where it is used, never empty.
    pub url: Option<String>,
    /// Free text, never empty.
    pub description: Option<String>,
    /// Tags, in the order given.
    pub tags: Vec<String>,
    /// The names of the extra fields, sorted.
    pub field_names: Vec<String>,
    /// When this credential was added, to the microsecond.
    pub created_at: DateTime<Utc>,
    /// When anything of it last changed.
    pub updated_at: DateTime<Utc>,
    /// When the password last changed.
    pub password_changed_at: DateTime<Utc>,
    /// When it expires; an expired credential is still given out.
    pub expires_at: Option<DateTime<Utc>>,
    /// 1 for the first version; rises by 1 with each change, also across a removal.
    pub version: u64,
}

impl Metadata {
    /// Whether it has expired at `now`.
    #[must_use]
    pub fn is_expired(&self, now: DateTime<Utc>) -> bool {
        self.expires_at.is_some_and(|expiry| expiry <= now)
    }

    /// Whether the password is at most `oldest` old at `now`, and neither has expired nor will
    /// within `left`. One from the future (the clock was set back by more than a minute) is not:
    /// nobody knows how old it is.
    #[must_use]
    pub fn is_fresh(&self, now: DateTime<Utc>, oldest: TimeDelta, left: TimeDelta) -> bool {
        let age = now - self.password_changed_at;
        let lasts = self.expires_at.is_none_or(|expiry| expiry > now && expiry - now > left);
        lasts && age <= oldest && age >= -CLOCK_STEP
    }
}

/// One credential with its secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Credential {
    /// All that is not secret.
    pub metadata: Metadata,
    /// The password: any bytes.
    pub password: Secret,
    /// Extra fields by name, sorted by name.
    pub fields: Vec<(String, Secret)>,
    /// The password that is to take the place of the present one.
    pub pending: Option<Pending>,
}

/// A new password that is stored before it is made known elsewhere, so that it cannot be lost.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pending {
    /// The new password.
    pub password: Secret,
    /// When it was stored.
    pub since: DateTime<Utc>,
}

impl Credential {
    /// The extra field of this name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Secret> {
        let position = self.fields.binary_search_by(|(own, _)| own.as_str().cmp(name)).ok()?;
        Some(&self.fields[position].1)
    }
}

/// What a change did to one credential.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// The id.
    pub id: CredentialId,
    /// The version after the change.
    pub version: u64,
    /// Whether the credential was not there before.
    pub created: bool,
    /// Whether anything changed; if not, nothing was written.
    pub changed: bool,
    /// When it last changed, which is before this call if nothing changed.
    pub updated_at: DateTime<Utc>,
}

/// Refuses a size beyond its limit, both in bytes.
pub(crate) fn within(what: &str, actual: usize, limit: usize) -> Result<()> {
    if actual > limit {
        return Err(Error::too_large(what, actual, limit, "bytes"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_keep_to_their_rules() {
        for good in ["a", "db/mysql-prod", "../x", "-leading", "a b", "\u{1f511}", "smtp-h.example"]
        {
            assert_eq!(CredentialId::new(good).unwrap().as_str(), good);
        }
        for bad in ["", " a", "a ", "a\nb", "a\u{7f}", "\u{85}x", "\u{2003}x"] {
            assert!(CredentialId::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn fresh_is_young_and_not_about_to_expire() {
        let now = DateTime::from_timestamp_nanos(0);
        let minutes = TimeDelta::minutes;
        let fresh = |age: i64, expiry: Option<i64>, oldest: i64, left: i64| {
            let id = CredentialId::new("a").unwrap();
            let edit = Edit::new().password("p");
            let mut metadata = edit.apply(&id, None, 0, now - minutes(age)).unwrap().metadata;
            metadata.expires_at = expiry.map(|left| now + minutes(left));
            metadata.is_fresh(now, minutes(oldest), minutes(left))
        };
        assert!(fresh(50, None, 51, 0) && !fresh(50, None, 49, 0));
        assert!(fresh(1, Some(6), 50, 5) && !fresh(1, Some(5), 50, 5));
        assert!(!fresh(0, Some(0), 50, 0) && !fresh(0, Some(-1), 50, 0));
        assert!(fresh(0, None, 0, 0) && fresh(-1, None, 50, 0) && !fresh(-2, None, 50, 0));
    }

    #[test]
    fn an_id_has_at_most_255_bytes() {
        assert!(CredentialId::new("x".repeat(255)).is_ok());
        let error = CredentialId::new("x".repeat(256)).unwrap_err();
        assert_eq!(error.to_string(), "id has 256 bytes, and at most 255 are allowed");
    }
}
