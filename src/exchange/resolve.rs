//! What references stand for, out of one committed state: that of a whole text, or of references
//! one by one. Nothing comes back if one of them fails.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::Utc;
use zeroize::Zeroizing;

use super::field::FieldValue;
use super::migrate;
use super::reference::{Filled, Part, Reference, Template};
use crate::credential::{Credential, CredentialId};
use crate::error::{Error, Result};
use crate::vault::{Snapshot, Vault};

/// A text with what its references stand for.
#[derive(Debug)]
pub struct Resolved {
    filled: Filled,
    warnings: Vec<Warning>,
}

/// What to know about a text that was resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// A secret of the predecessor's configuration did not come from the vault: it is used as it
    /// stands there, in clear.
    InClear {
        /// Where it stands, such as `db_config[2]`.
        position: String,
        /// Why, as the rest of a sentence about it.
        reason: String,
    },
    /// A secret comes from a credential that has expired.
    Expired {
        /// The credential.
        id: CredentialId,
    },
}

impl Resolved {
    /// The text itself, if there is nothing in it that needs a vault.
    ///
    /// # Errors
    ///
    /// As for [`Template::parse`].
    pub fn of_plain(text: &[u8]) -> Result<Option<Self>> {
        let template = Template::parse(text)?;
        if template.references().next().is_some() || migrate::is_configuration(text) {
            return Ok(None);
        }
        Ok(Some(Self { filled: template.filled(|_| Err(Error::Poisoned))?, warnings: Vec::new() }))
    }

    /// All of it.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        self.filled.text()
    }

    /// All of it.
    #[must_use]
    pub fn into_text(self) -> Zeroizing<Vec<u8>> {
        self.filled.into_text()
    }

    /// All of it in its order.
    pub fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        self.filled.parts()
    }

    /// How many values came from the vault.
    #[must_use]
    pub fn references(&self) -> usize {
        self.filled.references()
    }

    /// What to know about it.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }
}

/// Puts in the place of each reference in a text, bare or in braces, what it stands for: see
/// [`Template`] for what is one, in JSON too.
///
/// In the predecessor's configuration (JSON with `email_settings` or `db_config`) a password in
/// clear counts as the reference to the id that [`migrate::read`] gives it, if the vault has that
/// one. If not, it stays, with a [`Warning::InClear`]: vault first, the plain value as fallback.
///
/// [`Vault::resolve`] does this on a state of its own.
///
/// # Errors
///
/// [`Error::NotFound`] names all ids that are missing, [`Error::FieldNotFound`] the first field
/// that is not set; [`Error::Invalid`] is for a malformed reference or configuration, or a value
/// that is not UTF-8 in JSON, [`Error::Duplicate`] for two passwords of one id; else as for
/// [`Snapshot::find`].
pub fn resolve(snapshot: &Snapshot<'_>, text: &[u8]) -> Result<Resolved> {
    if !migrate::is_configuration(text) {
        return fill(snapshot, text, Vec::new());
    }
    let (text, left) = migrate::vault_first(text, |id| snapshot.exists(id))?;
    let left = left.into_iter();
    let warnings = left.map(|(position, reason)| Warning::InClear { position, reason });
    fill(snapshot, &text, warnings.collect())
}

fn fill(snapshot: &Snapshot<'_>, text: &[u8], mut warnings: Vec<Warning>) -> Result<Resolved> {
    let template = Template::parse(text)?;
    let secrets = Secrets::read(snapshot, template.references())?;
    let filled = template.filled(|reference| secrets.get(reference))?;
    warnings.extend(secrets.expired().iter().map(|id| Warning::Expired { id: id.clone() }));
    Ok(Resolved { filled, warnings })
}

impl Vault {
    /// A text with all that its references stand for, out of one committed state; for the
    /// predecessor's configuration the full one, vault first. See
    /// [`exchange::resolve`](resolve()).
    ///
    /// # Errors
    ///
    /// As for [`exchange::resolve::resolve`](resolve()) and [`Self::read`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use credb::{CredentialId, Edit, NewKey, Options, Vault};
    /// # fn main() -> credb::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let key = NewKey::Hostname("host-a".into());
    /// # let vault = Vault::create(&dir.path().join("v.redb"), &Options::new(), &key)?;
    /// vault.set(&CredentialId::new("mysql-1")?, &Edit::new().password("a \"new\" one"))?;
    /// let url = vault.resolve(b"mysql://app:{{ credb://mysql-1 }}@localhost")?;
    /// assert_eq!(url.text(), b"mysql://app:a \"new\" one@localhost");
    ///
    /// let full = vault.resolve(br#"{"db_config": [
    ///     {"id_dbms": 1, "dbms": "mysql", "user": "a", "secret": "credb://mysql-1"},
    ///     {"id_dbms": 2, "dbms": "mysql", "user": "b", "secret": "plain"}]}"#)?;
    /// let text = String::from_utf8_lossy(full.text());
    /// assert!(text.contains(r#""user": "a", "secret": "a \"new\" one"}"#));
    /// assert!(text.contains(r#""user": "b", "secret": "plain"}"#));
    /// assert_eq!(
    ///     full.warnings()[0].to_string(),
    ///     "db_config[1]: the vault has no \"mysql-2\": the secret in clear is used"
    /// );
    /// # Ok(())
    /// # }
    /// ```
    pub fn resolve(&self, text: &[u8]) -> Result<Resolved> {
        self.read(|snapshot| resolve(snapshot, text))
    }
}

/// What references stand for.
#[derive(Default)]
pub struct Secrets {
    values: BTreeMap<Reference, Zeroizing<Vec<u8>>>,
    expired: Vec<CredentialId>,
}

impl Secrets {
    /// All that these references stand for.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] names all ids that are missing, [`Error::FieldNotFound`] the first field
    /// that is not set; else as for [`Snapshot::find`].
    pub fn read<'r>(
        snapshot: &Snapshot<'_>,
        references: impl IntoIterator<Item = &'r Reference>,
    ) -> Result<Self> {
        let references: BTreeSet<&Reference> = references.into_iter().collect();
        let credentials = find_all(snapshot, references.iter().map(|reference| reference.id()))?;
        let mut values = BTreeMap::new();
        for reference in references {
            if let Some(credential) = credentials.get(reference.id()) {
                let value = FieldValue::of(credential, reference.field())?.into_bytes();
                values.insert(reference.clone(), value);
            }
        }
        let now = Utc::now();
        let expired = credentials.into_values().filter(|found| found.metadata.is_expired(now));
        Ok(Self { values, expired: expired.map(|found| found.metadata.id).collect() })
    }

    /// What this one stands for.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] if it is none of those that were read.
    pub fn get(&self, reference: &Reference) -> Result<Zeroizing<Vec<u8>>> {
        let missing = || Error::NotFound { ids: vec![reference.id().clone()] };
        self.values.get(reference).cloned().ok_or_else(missing)
    }

    /// Which of the credentials have expired, sorted by id.
    #[must_use]
    pub fn expired(&self) -> &[CredentialId] {
        &self.expired
    }
}

fn find_all<'r>(
    snapshot: &Snapshot<'_>,
    ids: impl Iterator<Item = &'r CredentialId>,
) -> Result<BTreeMap<&'r CredentialId, Credential>> {
    let mut found = BTreeMap::new();
    let mut missing = Vec::new();
    for id in ids.collect::<BTreeSet<_>>() {
        match snapshot.find(id)? {
            Some(credential) => {
                found.insert(id, credential);
            }
            None => missing.push(id.clone()),
        }
    }
    if missing.is_empty() { Ok(found) } else { Err(Error::NotFound { ids: missing }) }
}

impl fmt::Display for Warning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InClear { position, reason } => {
                write!(formatter, "{position}: {reason}: the secret in clear is used")
            }
            Self::Expired { id } => write!(formatter, "{id} has expired"),
        }
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let references: Vec<_> = self.values.keys().collect();
        formatter.debug_struct("Secrets").field("references", &references).finish_non_exhaustive()
    }
}
