//! A configuration with references in the place of its passwords.
//!
//! Only the secrets' own characters change: order, spaces and keys nobody knows stay.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::path::Path;

use serde::Deserialize;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::Import;
use super::config::{DATABASES, EMAIL, SECRET, SMTP_SECRET};
use crate::credential::CredentialId;
use crate::error::{Error, Result};
use crate::exchange::node::without_mark;
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
        .is_ok_and(|root| root.contains_key(EMAIL) || root.contains_key(DATABASES))
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
/// The full configuration again: from the vault first, and else as it stands in the file.
///
/// ```
/// use std::path::Path;
///
/// use credb::exchange::migrate;
/// use credb::exchange::reference::Template;
/// # use credb::{CredentialId, Edit, NewKey, Options, Vault};
/// # fn main() -> credb::Result<()> {
/// # let dir = tempfile::tempdir().unwrap();
/// # let key = NewKey::Hostname("host-a".into());
/// # let vault = Vault::create(&dir.path().join("v.redb"), &Options::new(), &key)?;
/// # vault.set(&CredentialId::new("mysql-1")?, &Edit::new().password("a \"new\" one"))?;
/// let path = Path::new("vya_backupbd.json");
/// let bytes = br#"{"db_config": [
///     {"id_dbms": 1, "dbms": "mysql", "user": "a", "secret": "old"},
///     {"id_dbms": 2, "dbms": "mysql", "user": "b", "secret": "plain"}]}"#;
///
/// let import = migrate::read(path, bytes, "host-a")?;
/// let stored = vault.list(&credb::Query::all())?;
/// let is_stored = |id: &CredentialId| stored.iter().any(|found| found.id == *id);
/// let rewritten = migrate::rewrite(path, bytes, &import, is_stored)?;
/// assert_eq!(rewritten.left[0].0, "db_config[1]");
/// let full = Template::parse(&rewritten.text)?.fill(|reference| {
///     let password = vault.get(reference.id())?.password;
///     Ok::<_, credb::Error>(password.expose().to_vec().into())
/// })?;
/// assert!(String::from_utf8_lossy(&full).contains(r#""user": "a", "secret": "a \"new\" one"}"#));
/// # Ok(())
/// # }
/// ```
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
    let mut replaced = Vec::new();
    let mut left = Vec::new();
    let mut text = Zeroizing::new(Vec::with_capacity(bytes.len() + 1_024 * import.entries.len()));
    let mut done = 0;
    let mut entries: Vec<_> = import.entries.iter().collect();
    entries.sort_by_key(|entry| places.get(&entry.position).map(|place| place.start));
    for entry in entries {
        let place = places.get(&entry.position).cloned();
        let place = place.ok_or_else(|| malformed("is not what was read before"))?;
        if !is_stored(&entry.id) {
            left.push((entry.position.clone(), entry.id.clone()));
            continue;
        }
        let reference = Reference::to_password(entry.id.clone()).to_bare();
        text.extend_from_slice(&bytes[done..place.start]);
        // A bare reference has no character that JSON escapes.
        text.extend_from_slice(format!("\"{reference}\"").as_bytes());
        done = place.end;
        replaced.push(entry.id.clone());
    }
    text.extend_from_slice(&bytes[done..]);
    Ok(Rewritten { text, replaced, left })
}

/// The members of an object, unread.
type Members<'a> = HashMap<String, &'a RawValue>;

/// Where the secrets stand, quotes included, by the positions of their entries. Entries with a
/// repeated key are none that [`Import`] has.
fn secrets(bytes: &[u8]) -> HashMap<String, Range<usize>> {
    let root: Members<'_> = part(without_mark(bytes)).unwrap_or_default();
    let mut places = HashMap::new();
    let mut note = |position: String, entry: &RawValue, key: &str| {
        let Ok(members) = part::<Members<'_>>(entry.get().as_bytes()) else { return };
        if let Some(secret) = members.get(key) {
            let start = secret.get().as_ptr().addr() - bytes.as_ptr().addr();
            places.insert(position, start..start + secret.get().len());
        }
    };
    if let Some(email) = root.get(EMAIL) {
        note(EMAIL.to_owned(), email, SMTP_SECRET);
    }
    let databases = root.get(DATABASES).map(|list| part::<Vec<&RawValue>>(list.get().as_bytes()));
    for (index, entry) in databases.and_then(Result::ok).unwrap_or_default().iter().enumerate() {
        note(format!("{DATABASES}[{index}]"), entry, SECRET);
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
