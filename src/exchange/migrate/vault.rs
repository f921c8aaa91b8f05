//! `vault.json.enc`: the predecessor's vault, a Fernet token over JSON with tokens in it.
//!
//! Whether the file is no token, does not open, or opens and is malformed are three answers and
//! never the fourth, an empty vault.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::Path;

use chrono::{DateTime, Utc};
use data_encoding::BASE64URL;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::fields::text_of;
use super::{Collector, Import};
use crate::credential::{CredentialId, Edit, Patch};
use crate::error::{Error, Result};
use crate::exchange::json::instant;
use crate::exchange::node::{Node, Object, quoted};
use crate::seal;
use crate::secret::Secret;

/// Reads the vault that the key of `hostname` sealed; `path` is for messages.
pub(super) fn read(path: &Path, text: &[u8], hostname: &str) -> Result<Import> {
    let Some(token) = std::str::from_utf8(text).ok().filter(|text| is_token(text)) else {
        let reason = "is neither a configuration (JSON) nor a vault (a Fernet token)";
        return Err(Error::invalid(path.display().to_string(), reason));
    };
    let vault = Opened { path, key: key_of(hostname) };
    let plaintext = seal::open_foreign(&vault.key, token).ok_or_else(|| Error::ForeignLocked {
        path: path.to_owned(),
        hostname: hostname.to_owned(),
    })?;
    let root = Node::parse(&plaintext)
        .map_err(|reason| Error::corrupt(path.display().to_string(), format!("it {reason}")))?;
    vault.import(&root)
}

/// The key of a host name: nothing but its SHA-256.
fn key_of(hostname: &str) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(Sha256::digest(hostname.as_bytes()).into())
}

/// Whether the text has the outer form of a token: version, time, IV, whole blocks, HMAC. See
/// <https://github.com/fernet/spec/blob/master/Spec.md>.
fn is_token(text: &str) -> bool {
    BASE64URL.decode(text.as_bytes()).is_ok_and(|bytes| {
        bytes.first() == Some(&0x80) && bytes.len() >= 73 && (bytes.len() - 57) % 16 == 0
    })
}

/// A vault whose outer token was opened.
struct Opened<'a> {
    path: &'a Path,
    key: Zeroizing<[u8; 32]>,
}

impl Opened<'_> {
    fn import(&self, root: &Node) -> Result<Import> {
        let root = self.object("its content", root)?;
        match root.get("version").and_then(Node::text) {
            Some(version) if version.split('.').next() == Some("1") => {}
            _ => return Err(self.corrupt("version", "is not 1.x")),
        }
        let credentials =
            root.get("credentials").ok_or_else(|| self.corrupt("credentials", "is missing"))?;
        let credentials = self.members("credentials", credentials)?;
        unique_ids(credentials)?;
        let mut collector = Collector::default();
        for (id, node) in credentials.iter() {
            self.entry(&mut collector, id, node)?;
        }
        Ok(collector.import)
    }

    fn entry(&self, collector: &mut Collector, id: &str, node: &Node) -> Result<()> {
        let position = position(id);
        let entry = self.object(&position, node)?;
        let username = self.inner(&position, entry, "username")?;
        let password = self.inner(&position, entry, "password")?.unwrap_or_default();
        let edit = Edit::new().patch_username(Patch::from_option(
            username.map(|name| self.username(&position, &name)).transpose()?,
        ));
        let edit = self.with_metadata(edit, &position, entry)?;
        let edit = entry
            .iter()
            .filter(|(key, _)| !["username", "password", "metadata"].contains(key))
            .fold(edit, |edit, (key, node)| with_field(edit, key, node));
        if password.is_empty() {
            collector.skip(position, Some(id.to_owned()), "has no password");
            return Ok(());
        }
        collector.take(position, id.to_owned(), edit.password(password))
    }

    /// A member that is a token of its own; `None` if it is missing or blank.
    fn inner(&self, position: &str, entry: &Object, key: &str) -> Result<Option<Secret>> {
        let corrupt = |reason: &str| self.corrupt(&format!("{position}.{key}"), reason);
        match entry.get(key) {
            Some(node) if !node.is_blank() => {
                let token = node.text().ok_or_else(|| corrupt("is not a string"))?;
                let mut plaintext = seal::open_foreign(&self.key, token)
                    .ok_or_else(|| corrupt("does not open with the key of the whole"))?;
                Ok(Some(Secret::new(std::mem::take(&mut *plaintext))))
            }
            _ => Ok(None),
        }
    }

    fn username(&self, position: &str, name: &Secret) -> Result<String> {
        let name = name.expose_str().map(str::to_owned);
        name.ok_or_else(|| self.corrupt(&format!("{position}.username"), "is not UTF-8"))
    }

    fn with_metadata(&self, edit: Edit, position: &str, entry: &Object) -> Result<Edit> {
        let Some(node) = entry.get("metadata") else { return Ok(edit) };
        let position = format!("{position}.metadata");
        let metadata = self.object(&position, node)?;
        let edit = match metadata.get("description") {
            None => edit,
            Some(Node::Text(text)) => edit.description(Patch::Set(text.as_str().to_owned())),
            Some(_) => {
                return Err(self.corrupt(&format!("{position}.description"), "is not a string"));
            }
        };
        let created_at = self.time(&position, metadata, "created_at")?;
        let updated_at = self.time(&position, metadata, "updated_at")?;
        let edit = match (created_at.or(updated_at), updated_at.or(created_at)) {
            (Some(created_at), Some(updated_at)) => edit.recorded(created_at, updated_at),
            _ => edit,
        };
        let known = ["description", "created_at", "updated_at"];
        let others = metadata.iter().filter(|(key, _)| !known.contains(key));
        Ok(others
            .fold(edit, |edit, (key, node)| with_field(edit, &format!("metadata.{key}"), node)))
    }

    /// A time; `None` if it is missing or blank.
    fn time(&self, position: &str, metadata: &Object, key: &str) -> Result<Option<DateTime<Utc>>> {
        match metadata.get(key) {
            Some(node) if !node.is_blank() => {
                node.text().and_then(instant).map(Some).ok_or_else(|| {
                    self.corrupt(
                        &format!("{position}.{key}"),
                        "is not a time as ISO 8601 writes it",
                    )
                })
            }
            _ => Ok(None),
        }
    }

    /// The object at a position where no key may stand twice.
    fn object<'n>(&self, position: &str, node: &'n Node) -> Result<&'n Object> {
        let object = self.members(position, node)?;
        match object.repeated() {
            Some(key) => Err(self.corrupt(position, &format!("has {} twice", quoted(key)))),
            None => Ok(object),
        }
    }

    fn members<'n>(&self, position: &str, node: &'n Node) -> Result<&'n Object> {
        let kind = node.kind();
        node.object().ok_or_else(|| self.corrupt(position, &format!("is {kind}, not an object")))
    }

    fn corrupt(&self, position: &str, reason: &str) -> Error {
        Error::corrupt(self.path.display().to_string(), format!("{position} {reason}"))
    }
}

/// Refuses the whole if an id stands there twice. Unusable ids are judged one by one later.
fn unique_ids(credentials: &Object) -> Result<()> {
    let mut seen = HashMap::new();
    for (index, (text, _)) in credentials.iter().enumerate() {
        let Ok(id) = CredentialId::new(text) else { continue };
        if let Some(first) = seen.insert(id.clone(), index) {
            let place = |index| format!("{} as entry {index}", position(text));
            return Err(Error::Duplicate { id, first: place(first), second: place(index) });
        }
    }
    Ok(())
}

fn position(id: &str) -> String {
    format!("credentials[{}]", quoted(id))
}

fn with_field(edit: Edit, name: &str, node: &Node) -> Edit {
    match text_of(node) {
        Some(value) => edit.field(name, value),
        None => edit,
    }
}
