//! Credentials as JSON, in the one shape that every command prints and that can be read back.
//!
//! A key is always there, `null` when unset; bytes that are not UTF-8 stand under `..._base64`.
//! The values that come out hold secrets in clear and are not wiped: only ask for
//! [`Secrets::Shown`] to print them.

mod read;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Datelike, SecondsFormat, Utc};
use data_encoding::BASE64;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::credential::{
    Change, Credential, CredentialId, Earlier, Lineage, Metadata, Replacement,
};

pub use self::read::{Parsed, read_credentials, read_renewal};
pub(super) use self::read::{check_keys, id_member, not, with_member};

/// Whether secret values are part of what comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrets {
    /// Neither the password nor the values of extra fields.
    Masked,
    /// `password` (or `password_base64`) and `fields` are added.
    Shown,
}

/// One credential.
///
/// # Examples
///
/// ```
/// use credb::exchange::json;
///
/// let parsed = json::read_credentials(br#"{"id":"a","username":"root","password":"P@ss"}"#)?;
/// let (id, edit) = parsed.into_iter().next().unwrap().entry?;
/// assert_eq!(id.as_str(), "a");
/// assert!(edit.has_password());
/// # Ok::<(), credb::Error>(())
/// ```
#[must_use]
pub fn credential(credential: &Credential, secrets: Secrets) -> Value {
    let mut object = members(&credential.metadata);
    if let Some(pending) = &credential.pending {
        object.insert("pending_since".to_owned(), time(pending.since).into());
    }
    if secrets == Secrets::Shown {
        object.extend([bytes_entry("password", credential.password.expose())]);
        let fields = credential.fields.iter().map(|(name, value)| {
            let value = Map::from_iter([bytes_entry("value", value.expose())]);
            (name.clone(), Value::Object(value))
        });
        object.insert("fields".to_owned(), Value::Object(fields.collect()));
    }
    Value::Object(object)
}

/// One credential without its secrets.
#[must_use]
pub fn metadata(metadata: &Metadata) -> Value {
    Value::Object(members(metadata))
}

/// An earlier version: the credential, `of_another_credential` (whether it is one that had this id
/// before the credential that has it), and `replaced_at`, `how` (`updated`, `removed` or `renamed`)
/// and `renamed_from`.
#[must_use]
pub fn earlier(earlier: &Earlier, secrets: Secrets) -> Value {
    let mut document = credential(&earlier.credential, secrets);
    let from = match &earlier.replacement {
        Replacement::Renamed { from } => Some(from.as_str()),
        _ => None,
    };
    document["of_another_credential"] = (earlier.lineage == Lineage::Other).into();
    document["replaced_at"] = time(earlier.replaced_at).into();
    document["how"] = earlier.replacement.as_str().into();
    document["renamed_from"] = from.into();
    document
}

/// What a change did.
#[must_use]
pub fn change(change: &Change) -> Value {
    json!(ChangeMembers::of(change))
}

/// The members of [`change`], for those who write many of them.
#[derive(Serialize)]
pub(super) struct ChangeMembers<'a> {
    id: &'a str,
    version: u64,
    created: bool,
    changed: bool,
    updated_at: String,
}

impl<'a> ChangeMembers<'a> {
    pub(super) fn of(change: &'a Change) -> Self {
        Self {
            id: change.id.as_str(),
            version: change.version,
            created: change.created,
            changed: change.changed,
            updated_at: time(change.updated_at),
        }
    }
}

/// What a change did that took a credential from one id to another.
#[must_use]
pub fn moved(from: &CredentialId, done: &Change) -> Value {
    let mut document = change(done);
    document["from"] = from.as_str().into();
    document
}

/// A time as `YYYY-MM-DDTHH:MM:SSZ`, without the fraction.
#[must_use]
pub fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Bytes as one member of an object: `name` with the text, or `name_base64` if they are not UTF-8.
#[must_use]
pub fn bytes_entry(name: &str, bytes: &[u8]) -> (String, Value) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (name.to_owned(), text.into()),
        Err(_) => (format!("{name}_base64"), BASE64.encode(bytes).into()),
    }
}

/// The point in time that an RFC 3339 text means, to the microsecond, if it is one that
/// [`time`] can write.
pub(super) fn instant(text: &str) -> Option<DateTime<Utc>> {
    let time = DateTime::parse_from_rfc3339(text).ok()?;
    // Through a plain number, so that a leap second is the second after it, as it is once stored.
    let time = DateTime::from_timestamp_micros(time.timestamp_micros())?;
    (0..=9_999).contains(&time.year()).then_some(time)
}

fn members(metadata: &Metadata) -> Map<String, Value> {
    let members = [
        ("id", json!(metadata.id.as_str())),
        ("username", json!(metadata.username)),
        ("url", json!(metadata.url)),
        ("description", json!(metadata.description)),
        ("tags", json!(metadata.tags)),
        ("field_names", json!(metadata.field_names)),
        ("created_at", json!(time(metadata.created_at))),
        ("updated_at", json!(time(metadata.updated_at))),
        ("password_changed_at", json!(time(metadata.password_changed_at))),
        ("expires_at", json!(metadata.expires_at.map(time))),
        ("version", json!(metadata.version)),
    ];
    members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}
