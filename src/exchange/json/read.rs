//! Reads many credentials from JSON: an array, or one object.
//!
//! An absent key keeps what is stored and `null` clears it. Each entry is judged on its own, so
//! that the caller can keep the good ones. Sizes are checked when an edit is applied.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use data_encoding::BASE64;

use super::instant;
use crate::credential::{CredentialId, Edit, Patch};
use crate::error::{Error, Result};
use crate::exchange::node::{Node, Object, quoted};
use crate::secret::Secret;

/// One entry of the input.
#[derive(Debug)]
#[non_exhaustive]
pub struct Parsed {
    /// Its place in the array, from 0.
    pub index: usize,
    /// Its id as it was written, if it has one.
    pub id: Option<String>,
    /// What it says, or why it cannot be taken.
    pub entry: Result<(CredentialId, Edit)>,
}

/// Reads an array of credentials, or a single one, in the shape that
/// [`credential`](super::credential) gives.
///
/// - `fields` changes only the fields it names: `{"NAME":{"value":"text"}}`,
///   `{"NAME":{"value_base64":"..."}}` or `{"NAME":"text"}` sets one, `{"NAME":null}` unsets one,
///   and `"fields":null` unsets all.
/// - `field_names`, `version`, `pending_since` and all times but `expires_at` are accepted and ignored.
/// - An empty `password` is taken as it is written; `null` is refused.
///
/// # Errors
///
/// [`Error::Invalid`] if the whole is no such JSON or has more than
/// [`MAX_INPUT`](crate::exchange::MAX_INPUT) bytes. In an entry: [`Error::Invalid`] names what is
/// wrong there, such as an unknown key, a key given twice or the id of an earlier entry. No
/// message holds a value of the input other than ids.
pub fn read_credentials(text: &[u8]) -> Result<Vec<Parsed>> {
    let entries = match Node::parse(text).map_err(|reason| Error::invalid("input", reason))? {
        Node::List(entries) => entries,
        object @ Node::Object(_) => vec![object],
        other => {
            let reason = format!("is {}, not an array of credentials or one of them", other.kind());
            return Err(Error::invalid("input", reason));
        }
    };
    let mut seen = HashMap::new();
    let parsed = entries.into_iter().enumerate().map(|(index, node)| Parsed {
        index,
        id: written_id(&node).map(str::to_owned),
        entry: entry(index, &node, &mut seen),
    });
    Ok(parsed.collect())
}

/// Reads what a command prints that renewed a credential: one object with a `password` (or
/// `password_base64`) that is not empty, and `username`, `fields` and `expires_at` as
/// [`read_credentials`] takes them. Without `expires_at` the new password has no expiry.
///
/// # Errors
///
/// [`Error::Invalid`] names what is wrong, and holds no value of the input.
pub fn read_renewal(text: &[u8]) -> Result<Edit> {
    let node = Node::parse(text).map_err(|reason| Error::invalid("the output", reason))?;
    let object = node.object().ok_or_else(|| not("the output", &node, "an object"))?;
    check_keys(object)?;
    let mut edit = Edit::new().expires_at(Patch::Clear);
    for (key, value) in object.iter() {
        if !RENEWED.contains(&key) {
            return Err(Error::invalid(format!("key {}", quoted(key)), "is unknown"));
        }
        edit = with_member(edit, key, value)?;
    }
    let is_empty = |key| object.get(key).is_some_and(Node::is_blank);
    if is_empty("password") || is_empty("password_base64") {
        return Err(Error::invalid("password", "is empty"));
    }
    if edit.has_password() { Ok(edit) } else { Err(Error::invalid("password", "is missing")) }
}

/// What a command that renews a credential may say.
const RENEWED: [&str; 5] = ["password", "password_base64", "username", "fields", "expires_at"];

fn written_id(node: &Node) -> Option<&str> {
    node.object()?.get("id")?.text()
}

/// `seen` holds the ids of earlier entries, also of those that were refused.
fn entry(
    index: usize,
    node: &Node,
    seen: &mut HashMap<CredentialId, usize>,
) -> Result<(CredentialId, Edit)> {
    let object = node.object().ok_or_else(|| not("entry", node, "an object"))?;
    check_keys(object)?;
    let id = id_member(object, "id")?;
    let first = *seen.entry(id.clone()).or_insert(index);
    if first != index {
        let reason = format!("is that of entry {first} and of entry {index}");
        return Err(Error::invalid(format!("id \"{id}\""), reason));
    }
    let edit =
        object.iter().try_fold(Edit::new(), |edit, (key, value)| with_member(edit, key, value))?;
    Ok((id, edit))
}

/// The id that a member holds.
pub(in crate::exchange) fn id_member(object: &Object, key: &str) -> Result<CredentialId> {
    match object.get(key) {
        None => Err(Error::invalid(key, "is missing")),
        Some(Node::Text(id)) => CredentialId::new(id.as_str()),
        Some(other) => Err(not(key, other, "a string")),
    }
}

/// Refuses a key that stands there twice.
pub(in crate::exchange) fn check_keys(object: &Object) -> Result<()> {
    match object.repeated() {
        Some(key) => Err(Error::invalid(format!("key {}", quoted(key)), "stands there twice")),
        None => Ok(()),
    }
}

/// The edit with what one member of a credential says.
pub(in crate::exchange) fn with_member(edit: Edit, key: &str, value: &Node) -> Result<Edit> {
    Ok(match key {
        "username" => edit.patch_username(text_patch(key, value)?),
        "url" => edit.url(text_patch(key, value)?),
        "description" => edit.description(text_patch(key, value)?),
        "password" | "password_base64" if edit.has_password() => {
            return Err(Error::invalid("password", "is given twice"));
        }
        "password" => edit.password(secret_text(key, value)?).allow_empty(),
        "password_base64" => edit.password(secret_base64(key, value)?).allow_empty(),
        "tags" => edit.tags(tags(value)?),
        "fields" => with_fields(edit, value)?,
        "expires_at" => edit.expires_at(expiry(value)?),
        "id"
        | "field_names"
        | "created_at"
        | "updated_at"
        | "password_changed_at"
        | "version"
        | "pending_since" => edit,
        unknown => return Err(Error::invalid(format!("key {}", quoted(unknown)), "is unknown")),
    })
}

fn text_patch(key: &str, value: &Node) -> Result<Patch<String>> {
    match value {
        Node::Null => Ok(Patch::Clear),
        Node::Text(text) => Ok(Patch::Set(text.as_str().to_owned())),
        other => Err(not(key, other, "a string or null")),
    }
}

fn secret_text(key: &str, value: &Node) -> Result<Secret> {
    value.text().map(Secret::from).ok_or_else(|| not(key, value, "a string"))
}

fn secret_base64(key: &str, value: &Node) -> Result<Secret> {
    let text = value.text().ok_or_else(|| not(key, value, "a string"))?;
    let bytes = BASE64.decode(text.as_bytes());
    bytes.map(Secret::new).map_err(|_| Error::invalid(key, "is not base64 with padding"))
}

fn tags(value: &Node) -> Result<Vec<&str>> {
    match value {
        Node::Null => Ok(Vec::new()),
        Node::List(list) => {
            list.iter().map(|tag| tag.text().ok_or_else(|| not("tag", tag, "a string"))).collect()
        }
        other => Err(not("tags", other, "an array or null")),
    }
}

fn expiry(value: &Node) -> Result<Patch<DateTime<Utc>>> {
    match value {
        Node::Null => Ok(Patch::Clear),
        Node::Text(text) => instant(text)
            .map(Patch::Set)
            .ok_or_else(|| Error::invalid("expires_at", "is not a time as RFC 3339 writes it")),
        other => Err(not("expires_at", other, "a string or null")),
    }
}

fn with_fields(edit: Edit, value: &Node) -> Result<Edit> {
    let fields = match value {
        Node::Null => return Ok(edit.clear_fields()),
        Node::Object(fields) => fields,
        other => return Err(not("fields", other, "an object or null")),
    };
    check_keys(fields)?;
    fields.iter().try_fold(edit, |edit, (name, value)| {
        Ok(match value {
            Node::Null => edit.unset_field(name),
            Node::Text(text) => edit.field(name, text.as_str()),
            Node::Object(value) => edit.field(name, field_value(name, value)?),
            other => {
                return Err(not(&field(name), other, "a string, null or {\"value\": ...}"));
            }
        })
    })
}

fn field_value(name: &str, value: &Object) -> Result<Secret> {
    let mut members = value.iter();
    match (members.next(), members.next()) {
        (Some(("value", text)), None) => secret_text(&field(name), text),
        (Some(("value_base64", text)), None) => secret_base64(&field(name), text),
        _ => Err(Error::invalid(field(name), "must have either value or value_base64 alone")),
    }
}

fn field(name: &str) -> String {
    format!("field {}", quoted(name))
}

/// The error of a value of the wrong kind.
pub(in crate::exchange) fn not(what: &str, found: &Node, wanted: &str) -> Error {
    Error::invalid(what, format!("is {}, not {wanted}", found.kind()))
}
