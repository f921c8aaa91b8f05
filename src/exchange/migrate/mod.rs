//! Takes over what the predecessor left: its configuration or its vault.
//!
//! Reading is one step and says of every entry whether it is taken, skipped or refused, and why.
//! Storing is the next, in one transaction, and changes nothing when it is done again.

mod config;
mod fields;
mod rewrite;
mod vault;
mod vault_first;

use std::collections::HashMap;
use std::path::Path;

use chrono::{DateTime, Utc};

pub use self::rewrite::{Rewritten, is_configuration, rewrite};
pub(super) use self::vault_first::vault_first;
use super::MAX_INPUT;
use super::node::without_mark;
use crate::credential::{Condition, Credential, CredentialId, Edit};
use crate::error::{Error, Result};
use crate::vault::{Snapshot, Transaction};

/// What a file of the predecessor holds.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Import {
    /// What can be taken over, in the order of the file.
    pub entries: Vec<Entry>,
    /// What is left out, since it holds no credential or is disabled.
    pub skipped: Vec<Skipped>,
    /// What holds a secret and cannot be taken.
    pub refused: Vec<Skipped>,
    /// How many secrets stand in the file in clear, whether taken or not.
    pub clear_secrets: usize,
    /// What holds them.
    in_clear: Vec<InClear>,
}

/// An entry that holds a secret in clear, whether it is taken or not.
#[derive(Debug)]
struct InClear {
    position: String,
    /// Its id, if there is no doubt about it.
    id: Option<CredentialId>,
}

/// One credential to be taken over.
#[derive(Debug)]
#[non_exhaustive]
pub struct Entry {
    /// Where it stands in the file, such as `db_config[2]`.
    pub position: String,
    /// The id it gets.
    pub id: CredentialId,
    /// Its content, and its times where the file has them.
    pub edit: Edit,
}

/// One entry that is not taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Skipped {
    /// Where it stands in the file, such as `db_config[2]`.
    pub position: String,
    /// Its id, usable or not, where it has one.
    pub id: Option<String>,
    /// Why, as the rest of a sentence about it.
    pub reason: String,
}

impl Import {
    /// Refuses the whole if anything in it holds a secret and cannot be taken.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] lists every such entry with its reason.
    pub fn refuse_incomplete(&self, path: &Path) -> Result<()> {
        let reasons: Vec<String> = self
            .refused
            .iter()
            .map(|refused| format!("{}: {}", refused.position, refused.reason))
            .collect();
        match reasons.len() {
            0 => Ok(()),
            1 => Err(Error::invalid(
                path.display().to_string(),
                format!("has an entry that cannot be taken: {}", reasons[0]),
            )),
            count => Err(Error::invalid(
                path.display().to_string(),
                format!("has {count} entries that cannot be taken: {}", reasons.join("; ")),
            )),
        }
    }
}

/// Reads `vya_backupbd.json` or `vault.json.enc`, found out from the content. `path` is for
/// messages; `hostname` is the name whose key sealed the vault.
///
/// A password that is a reference already (`credb://...`), or has one in it, is skipped.
///
/// Where an entry has them, `host`, `port`, `database`, `db_ignore`, `ssl_enabled` and `type` are
/// kept as extra fields of these names: a list of plain names joined by commas, anything else that
/// is not a text as JSON.
///
/// # Errors
///
/// [`Error::Invalid`] if it is neither; [`Error::Duplicate`] if two entries have one id;
/// [`Error::ForeignLocked`] if it is a vault that the key of `hostname` does not open;
/// [`Error::Corrupt`] if it opens and is malformed inside.
pub fn read(path: &Path, bytes: &[u8], hostname: &str) -> Result<Import> {
    if bytes.len() > MAX_INPUT {
        return Err(Error::too_large(&path.display().to_string(), bytes.len(), MAX_INPUT, "bytes"));
    }
    let text = without_mark(bytes).trim_ascii();
    match text.first() {
        None => Err(Error::invalid(path.display().to_string(), "is empty")),
        Some(b'{' | b'[') => config::read(path, text),
        Some(_) => vault::read(path, text, hostname),
    }
}

/// What to do where the vault has another credential under the id of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnConflict {
    /// Store nothing at all.
    #[default]
    Fail,
    /// Leave the stored one as it is.
    Skip,
    /// Replace what the entry names; tags and URL stay.
    Overwrite,
}

/// What became of each entry.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// Ids that are new in the vault.
    pub added: Vec<CredentialId>,
    /// Ids whose content was replaced.
    pub updated: Vec<CredentialId>,
    /// Ids that were there already with the same content.
    pub unchanged: Vec<CredentialId>,
    /// What the file's reader skipped, then what was left alone because of a conflict.
    pub skipped: Vec<Skipped>,
}

/// Stores all entries. What was refused is not looked at: see [`Import::refuse_incomplete`].
///
/// # Errors
///
/// [`Error::AlreadyExists`] names the first conflict under [`OnConflict::Fail`]; else as
/// [`Transaction::set_if`].
pub fn apply(
    transaction: &mut Transaction<'_>,
    import: &Import,
    on_conflict: OnConflict,
) -> Result<Report> {
    let mut report = Report::of(import);
    for entry in &import.entries {
        let stored = transaction.find(&entry.id)?;
        if let Some(condition) = report.settle(entry, stored.as_ref(), on_conflict)? {
            transaction.set_if(&entry.id, &entry.edit, condition)?;
        }
    }
    Ok(report)
}

/// What [`apply`] would do, without a write transaction.
///
/// # Errors
///
/// As [`apply`].
pub fn preview(
    snapshot: &Snapshot<'_>,
    import: &Import,
    on_conflict: OnConflict,
) -> Result<Report> {
    let mut report = Report::of(import);
    for entry in &import.entries {
        let stored = snapshot.find(&entry.id)?;
        report.settle(entry, stored.as_ref(), on_conflict)?;
    }
    Ok(report)
}

impl Report {
    fn of(import: &Import) -> Self {
        Self { skipped: import.skipped.clone(), ..Self::default() }
    }

    /// Notes what becomes of the entry, and gives the condition it is to be stored on, if it is.
    fn settle(
        &mut self,
        entry: &Entry,
        stored: Option<&Credential>,
        on_conflict: OnConflict,
    ) -> Result<Option<Condition>> {
        let id = entry.id.clone();
        let Some(stored) = stored else {
            self.added.push(id);
            return Ok(Some(Condition::IfAbsent));
        };
        if !entry.edit.would_change(stored)? {
            self.unchanged.push(id);
            return Ok(None);
        }
        match on_conflict {
            OnConflict::Fail => Err(Error::AlreadyExists { id, version: stored.metadata.version }),
            OnConflict::Skip => {
                self.skipped.push(Skipped {
                    position: entry.position.clone(),
                    id: Some(id.as_str().to_owned()),
                    reason: "differs from what the vault has".to_owned(),
                });
                Ok(None)
            }
            OnConflict::Overwrite => {
                self.updated.push(id);
                Ok(Some(Condition::Always))
            }
        }
    }
}

/// Gathers entries, and sees to it that what is taken can be stored.
#[derive(Default)]
struct Collector {
    import: Import,
    taken: HashMap<CredentialId, String>,
}

/// Whether an entry holds a secret: if so, it is never left out in silence.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    Secret,
    Nothing,
}

impl Collector {
    fn in_clear(&mut self, position: &str, id: Option<CredentialId>) {
        self.import.in_clear.push(InClear { position: position.to_owned(), id });
    }

    fn skip(&mut self, position: String, id: Option<String>, reason: impl Into<String>) {
        self.import.skipped.push(Skipped { position, id, reason: reason.into() });
    }

    /// Puts a faulty entry among the refused, or among the skipped if nothing is lost with it.
    fn reject(&mut self, position: String, id: Option<String>, reason: String, holds: Holds) {
        let list = match holds {
            Holds::Secret => &mut self.import.refused,
            Holds::Nothing => &mut self.import.skipped,
        };
        list.push(Skipped { position, id, reason });
    }

    /// Takes an entry that holds a secret, or refuses it if it breaks a rule.
    fn take(&mut self, position: String, text: String, edit: Edit) -> Result<()> {
        let id = match CredentialId::new(text.as_str()) {
            Ok(id) => id,
            Err(error) => {
                self.reject(position, Some(text), error.to_string(), Holds::Secret);
                return Ok(());
            }
        };
        if let Some(first) = self.taken.insert(id.clone(), position.clone()) {
            return Err(Error::Duplicate { id, first, second: position });
        }
        match edit.apply(&id, None, 0, DateTime::<Utc>::UNIX_EPOCH) {
            Ok(_) => self.import.entries.push(Entry { position, id, edit }),
            Err(error) => self.reject(position, Some(text), error.to_string(), Holds::Secret),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(edit: Edit) -> Entry {
        Entry { position: "db_config[0]".to_owned(), id: CredentialId::new("a").unwrap(), edit }
    }

    fn stored(edit: &Edit) -> Credential {
        edit.apply(&entry(Edit::new()).id, None, 6, Utc::now()).unwrap()
    }

    #[test]
    fn what_is_stored_with_the_same_content_is_left_alone() {
        let edit = Edit::new().username("u").password("p").field("host", "h");
        let same = stored(&edit.clone().tags(["mine"]));
        for on_conflict in [OnConflict::Fail, OnConflict::Skip, OnConflict::Overwrite] {
            let mut report = Report::default();
            let condition = report.settle(&entry(edit.clone()), Some(&same), on_conflict).unwrap();
            assert_eq!(condition, None);
            assert_eq!(report.unchanged.len(), 1);
        }
    }

    #[test]
    fn a_conflict_is_settled_as_asked() {
        let entry = entry(Edit::new().password("old"));
        let other = stored(&Edit::new().password("rotated"));
        let mut report = Report::default();
        let error = report.settle(&entry, Some(&other), OnConflict::default()).unwrap_err();
        assert!(matches!(error, Error::AlreadyExists { version: 7, .. }), "{error:?}");
        assert_eq!(report.settle(&entry, Some(&other), OnConflict::Skip).unwrap(), None);
        assert_eq!(report.skipped[0].reason, "differs from what the vault has");
        let condition = report.settle(&entry, Some(&other), OnConflict::Overwrite).unwrap();
        assert_eq!(condition, Some(Condition::Always));
        assert_eq!(report.updated.len(), 1);
        let condition = report.settle(&entry, None, OnConflict::Fail).unwrap();
        assert_eq!(condition, Some(Condition::IfAbsent));
        assert_eq!(report.added, [entry.id]);
    }
}
