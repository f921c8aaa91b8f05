//! A configuration with references in the place of its passwords.
//!
//! Only the secrets' own characters change: order, spaces and keys nobody knows stay.

use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;
use std::path::Path;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::Import;
use super::config::{self, DATABASES, EMAIL, SECRET, SMTP_SECRET};
use crate::credential::CredentialId;
use crate::error::{Error, Result};
use crate::exchange::node::{Node, without_mark};
use crate::exchange::reference::Reference;

/// A configuration in which references stand for secrets.
#[non_exhaustive]
pub struct Rewritten {
    /// The whole text. Secrets that were left are in it.
    pub text: Zeroizing<Vec<u8>>,
    /// The ids that references stand for now, in the order of the file.
    pub replaced: Vec<CredentialId>,
    /// Where a secret was left in clear although it could be taken over, and its id.
    pub left: Vec<(String, CredentialId)>,
}

/// Whether this is a configuration of the predecessor: JSON with one of its sections of logins.
#[must_use]
pub fn is_configuration(bytes: &[u8]) -> bool {
    part::<Members<'_>>(without_mark(bytes))
        .is_ok_and(|root| root.all(EMAIL).chain(root.all(DATABASES)).next().is_some())
}

/// Puts `credb://ID` in the place of the secret of each entry of `import` whose id `is_stored` in
/// the vault. `import` is what [`read`](super::read) made of the same bytes; `path` is for
/// messages.
///
/// # Errors
///
/// [`Error::Invalid`] if the bytes are no configuration.
///
/// # Examples
///
/// ```
/// use std::path::Path;
///
/// use credb::exchange::migrate;
///
/// let path = Path::new("vya_backupbd.json");
/// let bytes = br#"{"db_config": [
///     {"id_dbms": 1, "dbms": "mysql", "user": "a", "secret": "one"},
///     {"id_dbms": 2, "dbms": "mysql", "user": "b", "secret": "two"}]}"#;
///
/// let import = migrate::read(path, bytes, "host-a")?;
/// let rewritten = migrate::rewrite(path, bytes, &import, |id| id.as_str() == "mysql-1")?;
/// assert_eq!(rewritten.left[0].0, "db_config[1]");
/// let text = String::from_utf8_lossy(&rewritten.text);
/// assert!(text.contains(r#""user": "a", "secret": "credb://mysql-1"}"#));
/// # Ok::<(), credb::Error>(())
/// ```
///
/// [`Vault::resolve`](crate::Vault::resolve) gives the full configuration again.
pub fn rewrite(
    path: &Path,
    bytes: &[u8],
    import: &Import,
    is_stored: impl Fn(&CredentialId) -> bool,
) -> Result<Rewritten> {
    let malformed = |reason: &str| Error::invalid(path.display().to_string(), reason);
    if !is_configuration(bytes) {
        return Err(malformed("is no configuration, which alone can hold references"));
    }
    let places = secrets(bytes);
    let mut taken = Vec::new();
    let mut left = Vec::new();
    for entry in &import.entries {
        let place = places.get(&entry.position).and_then(|places| places.first());
        let place = place.ok_or_else(|| malformed("is not what was read before"))?;
        if is_stored(&entry.id) {
            taken.push((place.clone(), &entry.id));
        } else {
            left.push((entry.position.clone(), entry.id.clone()));
        }
    }
    taken.sort_by_key(|(place, _)| place.start);
    let text = with_references(bytes, &taken);
    Ok(Rewritten { text, replaced: taken.into_iter().map(|(_, id)| id.clone()).collect(), left })
}

/// The text with references to these ids in these places, which are in order.
pub(super) fn with_references(
    bytes: &[u8],
    taken: &[(Range<usize>, &CredentialId)],
) -> Zeroizing<Vec<u8>> {
    let mut text = Zeroizing::new(Vec::with_capacity(bytes.len() + 1_024 * taken.len()));
    let mut done = 0;
    for (place, id) in taken {
        let reference = Reference::to_password((*id).clone()).to_bare();
        text.extend_from_slice(&bytes[done..place.start]);
        // A bare reference has no character that JSON escapes.
        text.extend_from_slice(format!("\"{reference}\"").as_bytes());
        done = place.end;
    }
    text.extend_from_slice(&bytes[done..]);
    text
}

/// The members of an object in their order, unread, repeated ones included.
#[derive(Default)]
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'a> Members<'a> {
    fn all<'m>(&'m self, key: &'m str) -> impl Iterator<Item = &'a RawValue> + use<'a, 'm> {
        self.0.iter().filter(move |(own, _)| own == key).map(|(_, value)| *value)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor(PhantomData))
    }
}

struct MembersVisitor<'a>(PhantomData<&'a ()>);

impl<'de: 'a, 'a> Visitor<'de> for MembersVisitor<'a> {
    type Value = Members<'a>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'a>, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}

/// Where secrets stand in clear, quotes included, by the positions of their entries.
pub(super) fn secrets(bytes: &[u8]) -> HashMap<String, Vec<Range<usize>>> {
    let root: Members<'_> = part(without_mark(bytes)).unwrap_or_default();
    let mut places: HashMap<_, Vec<_>> = HashMap::new();
    let mut note = |position: String, entry: &RawValue, key: &str| {
        let Ok(members) = part::<Members<'_>>(entry.get().as_bytes()) else { return };
        let is_clear = |value: &&RawValue| {
            Node::parse(value.get().as_bytes()).is_ok_and(|node| config::is_clear(&node))
        };
        for secret in members.all(key).filter(is_clear) {
            let start = secret.get().as_ptr().addr() - bytes.as_ptr().addr();
            places.entry(position.clone()).or_default().push(start..start + secret.get().len());
        }
    };
    for email in root.all(EMAIL) {
        note(EMAIL.to_owned(), email, SMTP_SECRET);
    }
    for list in root.all(DATABASES) {
        let entries: Vec<&RawValue> = part(list.get().as_bytes()).unwrap_or_default();
        for (index, entry) in entries.iter().enumerate() {
            note(format!("{DATABASES}[{index}]"), entry, SECRET);
        }
    }
    places
}

/// Reads JSON whose parts stay where they are in the text.
fn part<'a, T: Deserialize<'a>>(text: &'a [u8]) -> serde_json::Result<T> {
    serde_json::from_slice(text)
}

impl fmt::Debug for Rewritten {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Rewritten")
            .field("replaced", &self.replaced)
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::migrate;

    fn rewritten(text: &str, is_stored: impl Fn(&CredentialId) -> bool) -> Result<Rewritten> {
        let path = Path::new("c.json");
        let import = migrate::read(path, text.as_bytes(), "h")?;
        rewrite(path, text.as_bytes(), &import, is_stored)
    }

    fn all(text: &str) -> String {
        let rewritten = rewritten(text, |_| true).unwrap();
        String::from_utf8(rewritten.text.to_vec()).unwrap()
    }

    #[test]
    fn nothing_but_the_secrets_changes() {
        let text = "\u{feff} {\"x\":[1.0 , 1e2],\n\t\"email_settings\" : {\"smtp_host\":\"h\", \
                    \"smtp_user\":\"u\",\"smtp_passw\\u006frd\" :\t\"a\\\"\\u00e9\\ud83d\\udd11\" },\
                    \"db_config\":[{},{\"dbms\":\"mysql\",\"id_dbms\":7,\"user\":\"u\",\
                    \"nested\":{\"secret\":\"not this\"},\"secret\":\"same\",\"note\":\"same\"}]}\r\n";
        let expected = text
            .replace(r#""a\"\u00e9\ud83d\udd11""#, "\"credb://smtp-h\"")
            .replace(r#""secret":"same""#, r#""secret":"credb://mysql-7""#);
        assert_ne!(expected, text);
        assert_eq!(all(text), expected);
        assert_eq!(all(&expected), expected, "a second time changes nothing");
    }

    #[test]
    fn what_is_not_stored_is_left_and_named() {
        let text = r#"{"db_config":[
            {"dbms":"mysql","id_dbms":1,"user":"u","secret":"one"},
            {"dbms":"mysql","id_dbms":2,"user":"u","secret":"two"},
            {"dbms":"mysql","id_dbms":3,"user":"u","secret":"off","enabled":false}]}"#;
        let rewritten = rewritten(text, |id| id.as_str() == "mysql-2").unwrap();
        assert_eq!(rewritten.replaced, [CredentialId::new("mysql-2").unwrap()]);
        let left = ("db_config[0]".to_owned(), CredentialId::new("mysql-1").unwrap());
        assert_eq!(rewritten.left, [left]);
        assert_eq!(*rewritten.text, text.replace("\"two\"", "\"credb://mysql-2\"").into_bytes());
        assert!(!format!("{rewritten:?}").contains("one"));
    }

    #[test]
    fn references_are_bare_ones_whatever_the_id_is() {
        let text = r#"{"email_settings":{"smtp_host":"[::1] \"x\", é}}","smtp_user":"u","smtp_password":"p"}}"#;
        let value: serde_json::Value = serde_json::from_str(&all(text)).unwrap();
        let reference = value["email_settings"]["smtp_password"].as_str().unwrap();
        assert_eq!(reference, "credb://smtp-%5B::1%5D%20%22x%22%2C%20%C3%A9%7D%7D");
        let template = crate::exchange::reference::Template::parse(reference.as_bytes()).unwrap();
        let ids: Vec<_> = template.references().map(|found| found.id().as_str()).collect();
        assert_eq!(ids, ["smtp-[::1] \"x\", é}}"]);
    }

    #[test]
    fn what_is_no_configuration_is_refused() {
        let import = Import::default();
        for bytes in [&b"gAAAAA"[..], b"", b"[]", b"{"] {
            let refused = rewrite(Path::new("c.json"), bytes, &import, |_| true);
            assert!(matches!(refused, Err(Error::Invalid { .. })), "{refused:?}");
        }
    }
}
