//! Listing: which credentials, out of the index alone.

use chrono::{DateTime, Utc};
use glob::Pattern;

use super::manifest::Manifest;
use super::snapshot::open_index;
use super::unlocked::StateKeys;
use crate::credential::Metadata;
use crate::error::{Error, Result};
use crate::store::{ReadRows, Table};

/// The longest pattern or text to search for, in bytes.
const LONGEST_PATTERN: usize = 1_024;

/// Which credentials to list; all conditions must hold.
///
/// # Examples
///
/// ```
/// use credb::Query;
///
/// let query = Query::all().pattern("mysql-*")?.tag("prod");
/// # let _ = query;
/// # Ok::<(), credb::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Query {
    pattern: Option<Match>,
    search: Option<String>,
    tag: Option<String>,
    expires_before: Option<DateTime<Utc>>,
    password_changed_before: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone)]
enum Match {
    Glob(Pattern),
    Substring(String),
}

impl Query {
    /// All credentials.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// Those whose id matches: with `*`, `?` or `[` a glob on the whole id, in which `*` crosses
    /// `/`, else a substring; case-sensitive.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for a malformed glob.
    pub fn pattern(mut self, pattern: &str) -> Result<Self> {
        if pattern.len() > LONGEST_PATTERN {
            return Err(Error::too_large("pattern", pattern.len(), LONGEST_PATTERN, "bytes"));
        }
        self.pattern = Some(if pattern.contains(['*', '?', '[']) {
            Match::Glob(Pattern::new(pattern).map_err(|error| {
                Error::invalid("pattern", format!("is malformed: {}", error.msg.to_lowercase()))
            })?)
        } else {
            Match::Substring(pattern.to_owned())
        });
        Ok(self)
    }

    /// Those with this text in their id, user name, description or URL, in upper or lower case.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for a text of more than 1,024 bytes.
    pub fn search(mut self, text: &str) -> Result<Self> {
        if text.len() > LONGEST_PATTERN {
            return Err(Error::too_large("search", text.len(), LONGEST_PATTERN, "bytes"));
        }
        self.search = Some(text.to_lowercase());
        Ok(self)
    }

    /// Those with this tag.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tag = Some(tag.into());
        self
    }

    /// Those that expire at this time or before.
    #[must_use]
    pub fn expires_before(mut self, when: DateTime<Utc>) -> Self {
        self.expires_before = Some(when);
        self
    }

    /// Those whose password was last changed before this time.
    #[must_use]
    pub fn password_changed_before(mut self, when: DateTime<Utc>) -> Self {
        self.password_changed_before = Some(when);
        self
    }

    fn matches(&self, metadata: &Metadata) -> bool {
        let id = metadata.id.as_str();
        let id_matches = match &self.pattern {
            None => true,
            Some(Match::Glob(pattern)) => pattern.matches(id),
            Some(Match::Substring(text)) => id.contains(text.as_str()),
        };
        id_matches
            && self.search.as_ref().is_none_or(|text| mentions(metadata, text))
            && self.tag.as_ref().is_none_or(|tag| metadata.tags.contains(tag))
            && self.expires_before.is_none_or(|when| metadata.is_expired(when))
            && self.password_changed_before.is_none_or(|when| metadata.password_changed_at < when)
    }
}

/// Whether a text in lower case stands in what names or explains the credential.
fn mentions(metadata: &Metadata, text: &str) -> bool {
    let optional = [&metadata.username, &metadata.description, &metadata.url];
    let texts = optional.into_iter().flatten().map(String::as_str);
    std::iter::once(metadata.id.as_str()).chain(texts).any(|own| own.to_lowercase().contains(text))
}

/// The matching rows of the index, sorted by id. A missing or damaged row fails the whole.
pub(super) fn list(
    rows: &dyn ReadRows,
    keys: &StateKeys,
    manifest: &Manifest,
    query: &Query,
) -> Result<Vec<Metadata>> {
    let (vault, epochs) = (keys.vault_key().vault(), keys.epochs());
    epochs.check(manifest)?;
    let mut found = Vec::new();
    for epoch in epochs.all() {
        let mut count = 0;
        rows.rows(Table::Index, &epoch.prefix(), &mut |key, stored| {
            let row = open_index(vault, epoch, key, stored)?;
            count += 1;
            if query.matches(&row.metadata) {
                found.push(row.metadata);
            }
            Ok(())
        })?;
        let expected = manifest.total(epoch.epoch(), Table::Index).rows;
        if count != expected {
            let reason = format!("it has {count} rows, and there should be {expected}");
            return Err(Error::corrupt("the index", reason));
        }
    }
    found.sort_unstable_by(|left, right| left.id.cmp(&right.id));
    // A page out of order can hide a row from who changes it, and then there are two. Nor may
    // one be in two epochs.
    if let Some(twice) = found.windows(2).find(|pair| pair[0].id == pair[1].id) {
        let reason = format!("it has two rows for \"{}\"", twice[0].id);
        return Err(Error::corrupt("the index", reason));
    }
    Ok(found)
}
