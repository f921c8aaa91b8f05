//! Changes to a credential as data: which fields to keep, set or clear, and on what condition.
//!
//! Checks every value when it is applied to what is stored; writes nothing itself.

use std::collections::BTreeMap;

use chrono::{DateTime, SubsecRound, Utc};

use super::{BUILT_IN_FIELDS, Credential, CredentialId, Metadata, limits, within};
use crate::error::{Error, Result};
use crate::secret::Secret;

/// What to do with one field.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Patch<T> {
    /// Leave it as it is stored.
    #[default]
    Keep,
    /// Unset it.
    Clear,
    /// Set it to this.
    Set(T),
}

impl<T> Patch<T> {
    /// `Set` for a value, `Clear` for none.
    pub fn from_option(value: Option<T>) -> Self {
        value.map_or(Self::Clear, Self::Set)
    }

    fn apply(&self, stored: Option<T>) -> Option<T>
    where
        T: Clone,
    {
        match self {
            Self::Keep => stored,
            Self::Clear => None,
            Self::Set(value) => Some(value.clone()),
        }
    }
}

/// On what condition a change happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Condition {
    /// Whatever is there.
    #[default]
    Always,
    /// Only if there is no such credential.
    IfAbsent,
    /// Only if the credential is at this version; 0 means that it must not exist.
    IfVersion(u64),
}

impl Condition {
    /// Checks the condition against the version found, 0 for none.
    ///
    /// # Errors
    ///
    /// [`Error::AlreadyExists`] and [`Error::VersionMismatch`].
    pub(crate) fn check(self, id: &CredentialId, actual: u64) -> Result<()> {
        match self {
            Self::IfAbsent if actual > 0 => {
                Err(Error::AlreadyExists { id: id.clone(), version: actual })
            }
            Self::IfVersion(expected) if expected != actual => {
                Err(Error::VersionMismatch { id: id.clone(), expected, actual })
            }
            _ => Ok(()),
        }
    }
}

/// A change to one credential: every field is kept unless it is named here.
///
/// # Examples
///
/// ```
/// use credb::Edit;
///
/// let edit = Edit::new().username("root").password("P@ss").tags(["prod"]);
/// # let _ = edit;
/// ```
#[derive(Debug, Clone, Default)]
pub struct Edit {
    username: Patch<String>,
    password: Patch<Secret>,
    url: Patch<String>,
    description: Patch<String>,
    tags: Patch<Vec<String>>,
    expires_at: Patch<DateTime<Utc>>,
    /// `None` unsets the field.
    fields: BTreeMap<String, Option<Secret>>,
    clear_fields: bool,
    allow_empty: bool,
    recorded: Option<(DateTime<Utc>, DateTime<Utc>)>,
}

impl Edit {
    /// A change that keeps everything.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What makes a new credential of the same content.
    pub(crate) fn of(credential: &Credential) -> Self {
        let metadata = &credential.metadata;
        let fields = credential.fields.iter().map(|(name, value)| (name.clone(), value.clone()));
        Self {
            username: Patch::from_option(metadata.username.clone()),
            password: Patch::Set(credential.password.clone()),
            url: Patch::from_option(metadata.url.clone()),
            description: Patch::from_option(metadata.description.clone()),
            tags: Patch::Set(metadata.tags.clone()),
            expires_at: Patch::from_option(metadata.expires_at),
            fields: fields.map(|(name, value)| (name, Some(value))).collect(),
            clear_fields: true,
            allow_empty: true,
            recorded: None,
        }
    }

    /// Sets the user name; an empty one is unset.
    #[must_use]
    pub fn username(mut self, username: impl Into<String>) -> Self {
        self.username = Patch::Set(username.into());
        self
    }

    /// Sets the password, which may not be empty unless [`Self::allow_empty`].
    #[must_use]
    pub fn password(mut self, password: impl Into<Secret>) -> Self {
        self.password = Patch::Set(password.into());
        self
    }

    /// Sets, clears or keeps the user name.
    #[must_use]
    pub fn patch_username(mut self, patch: Patch<String>) -> Self {
        self.username = patch;
        self
    }

    /// Sets, clears or keeps the URL.
    #[must_use]
    pub fn url(mut self, patch: Patch<String>) -> Self {
        self.url = patch;
        self
    }

    /// Sets, clears or keeps the description.
    #[must_use]
    pub fn description(mut self, patch: Patch<String>) -> Self {
        self.description = patch;
        self
    }

    /// Replaces the set of tags; repeated ones are taken once.
    #[must_use]
    pub fn tags(mut self, tags: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let mut unique: Vec<String> = Vec::new();
        for tag in tags {
            let tag = tag.into();
            if !unique.contains(&tag) {
                unique.push(tag);
            }
        }
        self.tags = Patch::Set(unique);
        self
    }

    /// Sets, clears or keeps the expiry, to the second.
    #[must_use]
    pub fn expires_at(mut self, patch: Patch<DateTime<Utc>>) -> Self {
        self.expires_at = patch;
        self
    }

    /// Sets one extra field.
    #[must_use]
    pub fn field(mut self, name: impl Into<String>, value: impl Into<Secret>) -> Self {
        self.fields.insert(name.into(), Some(value.into()));
        self
    }

    /// Unsets one extra field.
    #[must_use]
    pub fn unset_field(mut self, name: impl Into<String>) -> Self {
        self.fields.insert(name.into(), None);
        self
    }

    /// Drops all stored extra fields that are not set here.
    #[must_use]
    pub fn clear_fields(mut self) -> Self {
        self.clear_fields = true;
        self
    }

    /// Lets the password be empty.
    #[must_use]
    pub fn allow_empty(mut self) -> Self {
        self.allow_empty = true;
        self
    }

    /// For a credential that comes from elsewhere: when it was created and last changed there.
    /// Counts only where the credential is new here.
    #[must_use]
    pub fn recorded(mut self, created_at: DateTime<Utc>, updated_at: DateTime<Utc>) -> Self {
        self.recorded = Some((created_at, updated_at));
        self
    }

    /// Whether this edit names a password.
    #[must_use]
    pub fn has_password(&self) -> bool {
        matches!(self.password, Patch::Set(_))
    }

    /// Whether this edit sets an expiry that is not after `now`.
    #[must_use]
    pub fn sets_expiry_before(&self, now: DateTime<Utc>) -> bool {
        matches!(self.expires_at, Patch::Set(expiry) if expiry <= now)
    }

    /// Whether this edit changes nothing at all, whatever is stored.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.has_password()
            && self.username == Patch::Keep
            && self.url == Patch::Keep
            && self.description == Patch::Keep
            && self.tags == Patch::Keep
            && self.expires_at == Patch::Keep
            && self.fields.is_empty()
            && !self.clear_fields
    }

    /// The credential after this change at `now`, its version following `last_version` (0 if the
    /// id was never used). Equal to `stored` in all but times and version if nothing changes.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] names the rule that a value breaks.
    pub(crate) fn apply(
        &self,
        id: &CredentialId,
        stored: Option<&Credential>,
        last_version: u64,
        now: DateTime<Utc>,
    ) -> Result<Credential> {
        let now = now.trunc_subsecs(6);
        let (created_at, updated_at) = match (stored, self.recorded) {
            (Some(stored), _) => (stored.metadata.created_at, now),
            (None, Some((created, updated))) => {
                (created.trunc_subsecs(6), updated.trunc_subsecs(6))
            }
            (None, None) => (now, now),
        };
        let old = stored.map(|credential| &credential.metadata);
        let password = self.new_password(stored)?;
        let password_changed_at = match stored {
            Some(stored) if stored.password == password => stored.metadata.password_changed_at,
            _ => updated_at,
        };
        let fields = self.new_fields(stored)?;
        let metadata = Metadata {
            id: id.clone(),
            username: new_text("username", &self.username, old.and_then(|m| m.username.clone()))?,
            url: new_text("url", &self.url, old.and_then(|m| m.url.clone()))?,
            description: new_text(
                "description",
                &self.description,
                old.and_then(|m| m.description.clone()),
            )?,
            tags: self.new_tags(old)?,
            field_names: fields.iter().map(|(name, _)| name.clone()).collect(),
            created_at,
            updated_at,
            password_changed_at,
            expires_at: self
                .expires_at
                .apply(old.and_then(|m| m.expires_at))
                .map(|expiry| expiry.trunc_subsecs(0)),
            version: last_version
                .checked_add(1)
                .ok_or_else(|| Error::invalid("version", "cannot rise any further"))?,
        };
        let pending = stored.and_then(|stored| stored.pending.clone());
        Ok(Credential { metadata, password, fields, pending })
    }

    /// Whether this edit would change more than times and version of what is stored.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] as for [`Self::apply`].
    pub(crate) fn would_change(&self, stored: &Credential) -> Result<bool> {
        let old = &stored.metadata;
        // The version plays no part, and one at its limit can be compared too.
        let after = self.apply(&old.id, Some(stored), 0, old.updated_at)?;
        Ok(!same_content(&after, stored))
    }

    fn new_password(&self, stored: Option<&Credential>) -> Result<Secret> {
        let stored = stored.map(|credential| credential.password.clone());
        let password = self
            .password
            .apply(stored)
            .ok_or_else(|| Error::invalid("password", "is missing for a new credential"))?;
        if password.is_empty() && self.has_password() && !self.allow_empty {
            return Err(Error::invalid("password", "is empty"));
        }
        within("password", password.len(), limits::PASSWORD)?;
        Ok(password)
    }

    fn new_tags(&self, old: Option<&Metadata>) -> Result<Vec<String>> {
        let tags = self.tags.apply(old.map(|metadata| metadata.tags.clone())).unwrap_or_default();
        if tags.len() > limits::TAGS {
            return Err(Error::too_large("tags", tags.len(), limits::TAGS, "entries"));
        }
        for tag in &tags {
            if tag.is_empty() {
                return Err(Error::invalid("tag", "is empty"));
            }
            within("tag", tag.len(), limits::TAG)?;
        }
        Ok(tags)
    }

    fn new_fields(&self, stored: Option<&Credential>) -> Result<Vec<(String, Secret)>> {
        let mut fields: BTreeMap<String, Secret> = match stored {
            Some(stored) if !self.clear_fields => stored.fields.iter().cloned().collect(),
            _ => BTreeMap::new(),
        };
        for (name, value) in &self.fields {
            check_field_name(name)?;
            match value {
                None => drop(fields.remove(name)),
                Some(value) => {
                    within("field", value.len(), limits::FIELD)?;
                    fields.insert(name.clone(), value.clone());
                }
            }
        }
        if fields.len() > limits::FIELDS {
            return Err(Error::too_large("fields", fields.len(), limits::FIELDS, "entries"));
        }
        let total = fields.values().map(Secret::len).sum();
        within("fields together", total, limits::FIELDS_TOTAL)?;
        Ok(fields.into_iter().collect())
    }
}

fn new_text(
    what: &'static str,
    patch: &Patch<String>,
    old: Option<String>,
) -> Result<Option<String>> {
    let text = patch.apply(old).filter(|text| !text.is_empty());
    let limit = match what {
        "username" => limits::USERNAME,
        "url" => limits::URL,
        _ => limits::DESCRIPTION,
    };
    within(what, text.as_ref().map_or(0, String::len), limit)?;
    Ok(text)
}

fn check_field_name(name: &str) -> Result<()> {
    if name.is_empty() {
        return Err(Error::invalid("field name", "is empty"));
    }
    within("field name", name.len(), limits::FIELD_NAME)?;
    if name.chars().any(char::is_control) {
        return Err(Error::invalid("field name", "has a control character"));
    }
    if BUILT_IN_FIELDS.contains(&name) {
        return Err(Error::invalid(
            format!("field name \"{name}\""),
            "is that of a built-in field",
        ));
    }
    Ok(())
}

/// Whether two credentials differ in nothing but times and version.
pub(crate) fn same_content(left: &Credential, right: &Credential) -> bool {
    let (a, b) = (&left.metadata, &right.metadata);
    left.password == right.password
        && left.fields == right.fields
        && a.username == b.username
        && a.url == b.url
        && a.description == b.description
        && a.tags == b.tags
        && a.expires_at == b.expires_at
}

#[cfg(test)]
mod tests;
