//! References to secrets, `credb://ID[#FIELD]`, and templates that hold them.
//!
//! Inside of an id `#`, `?`, `%` and white space are percent-encoded; no field means the password.
//! Nothing here opens a vault, and no message repeats what was read.

mod find;
mod strings;
mod template;

use std::fmt;
use std::str::FromStr;

use data_encoding::{HEXUPPER, HEXUPPER_PERMISSIVE};

pub(super) use self::find::holds_any;
pub use self::template::{Filled, Part, Template};
use crate::credential::CredentialId;
use crate::error::{Error, Result};

/// What every reference begins with.
pub const SCHEME: &str = "credb://";

/// The field that is meant if none is named.
const PASSWORD: &str = "password";

/// One field of one credential.
///
/// # Examples
///
/// ```
/// use credb::exchange::reference::Reference;
///
/// let reference: Reference = "credb://db/mysql%20prod#username".parse()?;
/// assert_eq!(reference.id().as_str(), "db/mysql prod");
/// assert_eq!(reference.field(), "username");
/// assert_eq!(reference.to_string(), "credb://db/mysql%20prod#username");
/// # Ok::<(), credb::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    id: CredentialId,
    field: Option<String>,
}

impl Reference {
    /// A reference to the password of a credential.
    #[must_use]
    pub fn to_password(id: CredentialId) -> Self {
        Self { id, field: None }
    }

    /// A reference to a field of a credential, by any name that `get --field` takes.
    #[must_use]
    pub fn to_field(id: CredentialId, field: impl Into<String>) -> Self {
        Self { id, field: Some(field.into()) }
    }

    /// The credential.
    #[must_use]
    pub fn id(&self) -> &CredentialId {
        &self.id
    }

    /// The reference as a text that is whole wherever it stands, with everything percent-encoded
    /// that would end a bare one in a [`Template`], or that other programs write differently when
    /// they save a file: it is ASCII.
    #[must_use]
    pub fn to_bare(&self) -> String {
        let encoded = self.to_string();
        let mut bare = String::with_capacity(encoded.len());
        for byte in encoded.bytes() {
            if byte.is_ascii() && find::is_bare(byte) {
                bare.push(char::from(byte));
            } else {
                bare.push('%');
                bare.push_str(&HEXUPPER.encode(&[byte]));
            }
        }
        bare
    }

    /// The field, `password` if none was named.
    #[must_use]
    pub fn field(&self) -> &str {
        self.field.as_deref().unwrap_or(PASSWORD)
    }
}

impl FromStr for Reference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let invalid = |reason: String| Error::invalid("reference", reason);
        let rest = text
            .strip_prefix(SCHEME)
            .ok_or_else(|| invalid(format!("does not begin with {SCHEME}")))?;
        if rest.contains(char::is_whitespace) {
            return Err(invalid("has white space: write a space as %20".to_owned()));
        }
        let (id, field) = match rest.split_once('#') {
            Some((id, field)) => (id, Some(field)),
            None => (rest, None),
        };
        if id.contains('?') {
            return Err(invalid("has a question mark: write it as %3F".to_owned()));
        }
        if field.is_some_and(str::is_empty) {
            return Err(invalid("names no field after #".to_owned()));
        }
        let id = CredentialId::new(decode(id)?).map_err(|error| match error {
            Error::Invalid { what, reason } => invalid(format!("is wrong: its {what} {reason}")),
            other => other,
        })?;
        Ok(Self { id, field: field.map(decode).transpose()? })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(SCHEME)?;
        encode(self.id.as_str(), formatter)?;
        match &self.field {
            Some(field) => {
                formatter.write_str("#")?;
                encode(field, formatter)
            }
            None => Ok(()),
        }
    }
}

fn decode(text: &str) -> Result<String> {
    let invalid = |reason| Error::invalid("reference", reason);
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let digits =
            part.as_bytes().get(..2).and_then(|pair| HEXUPPER_PERMISSIVE.decode(pair).ok());
        let digits =
            digits.ok_or_else(|| invalid("has a % that is not followed by two hex digits"))?;
        bytes.extend(digits);
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).map_err(|_| invalid("is not UTF-8"))
}

fn encode(text: &str, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
    for character in text.chars() {
        if matches!(character, '#' | '?' | '%') || character.is_whitespace() {
            for byte in character.encode_utf8(&mut [0; 4]).bytes() {
                write!(formatter, "%{byte:02X}")?;
            }
        } else {
            write!(formatter, "{character}")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
