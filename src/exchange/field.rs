//! One field of a credential by its name: a built-in one or an extra one.

use chrono::{DateTime, Utc};
use serde_json::Value;
use zeroize::Zeroizing;

use super::json;
use crate::credential::Credential;
use crate::error::{Error, Result};

/// The value of a field, as `get --field` prints it and a reference stands for it.
pub enum FieldValue<'a> {
    /// Any bytes.
    Bytes(&'a [u8]),
    /// Texts, one a line.
    Lines(&'a [String]),
    /// A point in time.
    Time(DateTime<Utc>),
    /// A number.
    Number(u64),
}

impl<'a> FieldValue<'a> {
    /// The field of this name: `password`, `username`, any other of
    /// [`BUILT_IN_FIELDS`](crate::BUILT_IN_FIELDS) that is one value, or an extra field.
    ///
    /// # Errors
    ///
    /// [`Error::FieldNotFound`] if it is not set.
    pub fn of(credential: &'a Credential, name: &str) -> Result<Self> {
        let metadata = &credential.metadata;
        let text =
            |text: &'a Option<String>| text.as_deref().map(|text| Self::Bytes(text.as_bytes()));
        let lines = |lines: &'a [String]| (!lines.is_empty()).then_some(Self::Lines(lines));
        let value = match name {
            "id" => Some(Self::Bytes(metadata.id.as_str().as_bytes())),
            "username" => text(&metadata.username),
            "password" => Some(Self::Bytes(credential.password.expose())),
            "url" => text(&metadata.url),
            "description" => text(&metadata.description),
            "tags" => lines(&metadata.tags),
            "field_names" => lines(&metadata.field_names),
            "created_at" => Some(Self::Time(metadata.created_at)),
            "updated_at" => Some(Self::Time(metadata.updated_at)),
            "password_changed_at" => Some(Self::Time(metadata.password_changed_at)),
            "expires_at" => metadata.expires_at.map(Self::Time),
            "version" => Some(Self::Number(metadata.version)),
            _ => credential.field(name).map(|secret| Self::Bytes(secret.expose())),
        };
        value
            .ok_or_else(|| Error::FieldNotFound { id: metadata.id.clone(), field: name.to_owned() })
    }

    /// The value as bytes.
    #[must_use]
    pub fn into_bytes(self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(match self {
            Self::Bytes(bytes) => bytes.to_vec(),
            Self::Lines(lines) => lines.join("\n").into_bytes(),
            Self::Time(time) => json::time(time).into_bytes(),
            Self::Number(number) => number.to_string().into_bytes(),
        })
    }

    /// The value under its key in JSON: `value`, or `value_base64` for bytes that are not UTF-8.
    #[must_use]
    pub fn json(self) -> (String, Value) {
        let value = match self {
            Self::Bytes(bytes) => return json::bytes_entry("value", bytes),
            Self::Lines(lines) => lines.into(),
            Self::Time(time) => json::time(time).into(),
            Self::Number(number) => number.into(),
        };
        ("value".to_owned(), value)
    }
}
