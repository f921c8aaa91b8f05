//! The rows of the tables `records` and `index` as values: what is written of a credential.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use zeroize::Zeroizing;

use super::{Binding, Malformed};
use crate::credential::{Credential, CredentialId, Metadata, Pending};
use crate::secret::Secret;

/// A row of `records`: a credential, or what is left of a removed one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RecordRow {
    pub(crate) id: CredentialId,
    /// Random, from the first version on, through renames.
    pub(crate) uid: [u8; 16],
    pub(crate) version: u64,
    pub(crate) state: RecordState,
}

/// Whether the credential is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RecordState {
    Live(Box<Credential>),
    /// A tombstone: keeps the version rising when the id is added again.
    Removed {
        at: DateTime<Utc>,
    },
}

/// A row of `index`: all that listing and searching show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IndexRow {
    pub(crate) uid: [u8; 16],
    pub(crate) metadata: Metadata,
}

#[derive(Serialize, Deserialize)]
struct RecordWire<'a> {
    id: Cow<'a, str>,
    uid: [u8; 16],
    version: u64,
    state: StateWire<'a>,
}

#[derive(Serialize, Deserialize)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time, on the stack")]
enum StateWire<'a> {
    Live(CredentialWire<'a>),
    Removed(i64),
}

/// Metadata, password, fields by name, and the pending password with its time.
#[derive(Serialize, Deserialize)]
pub(super) struct CredentialWire<'a>(
    MetadataWire<'a>,
    SecretWire<'a>,
    Vec<(Cow<'a, str>, SecretWire<'a>)>,
    Option<(SecretWire<'a>, i64)>,
);

#[derive(Serialize, Deserialize)]
struct SecretWire<'a>(
    #[serde(serialize_with = "serde_bytes::serialize", deserialize_with = "owned_bytes")]
    Cow<'a, [u8]>,
);

#[derive(Serialize, Deserialize)]
struct IndexWire<'a> {
    id: Cow<'a, str>,
    uid: [u8; 16],
    version: u64,
    metadata: MetadataWire<'a>,
    field_names: Vec<Cow<'a, str>>,
}

#[derive(Serialize, Deserialize)]
struct MetadataWire<'a> {
    username: Option<Cow<'a, str>>,
    url: Option<Cow<'a, str>>,
    description: Option<Cow<'a, str>>,
    tags: Vec<Cow<'a, str>>,
    created_at: i64,
    updated_at: i64,
    password_changed_at: i64,
    expires_at: Option<i64>,
}

impl RecordRow {
    /// Whether it is a credential and no tombstone.
    pub(crate) fn is_live(&self) -> bool {
        matches!(self.state, RecordState::Live(_))
    }

    /// Bytes to seal.
    pub(crate) fn encode(&self, vault: &[u8; 16]) -> Zeroizing<Vec<u8>> {
        let state = match &self.state {
            RecordState::Live(credential) => StateWire::Live(CredentialWire::of(credential)),
            RecordState::Removed { at } => StateWire::Removed(micros(*at)),
        };
        let id = Cow::Borrowed(self.id.as_str());
        let wire = RecordWire { id, uid: self.uid, version: self.version, state };
        super::encode(vault, Binding::Records, &wire)
    }

    /// Those of the row of a credential that is there.
    pub(crate) fn encode_live(
        vault: &[u8; 16],
        uid: [u8; 16],
        credential: &Credential,
    ) -> Zeroizing<Vec<u8>> {
        let Metadata { id, version, .. } = &credential.metadata;
        let state = StateWire::Live(CredentialWire::of(credential));
        let wire = RecordWire { id: Cow::Borrowed(id.as_str()), uid, version: *version, state };
        super::encode(vault, Binding::Records, &wire)
    }

    /// The row of an opened plaintext.
    ///
    /// # Errors
    ///
    /// A reason, if the bytes are not exactly a row of this vault's `records`.
    pub(crate) fn decode(vault: &[u8; 16], plaintext: &[u8]) -> Result<Self, Malformed> {
        let wire: RecordWire<'_> = super::decode(vault, Binding::Records, plaintext)?;
        let id = parse_id(wire.id)?;
        let state = match wire.state {
            StateWire::Removed(at) => RecordState::Removed { at: from_micros(at)? },
            StateWire::Live(credential) => {
                RecordState::Live(Box::new(credential.into_credential(id.clone(), wire.version)?))
            }
        };
        Ok(Self { id, uid: wire.uid, version: wire.version, state })
    }
}

impl IndexRow {
    /// Bytes to seal.
    pub(crate) fn encode(&self, vault: &[u8; 16]) -> Zeroizing<Vec<u8>> {
        Self::encode_of(vault, self.uid, &self.metadata)
    }

    /// Those of the row that has these parts.
    pub(crate) fn encode_of(
        vault: &[u8; 16],
        uid: [u8; 16],
        metadata: &Metadata,
    ) -> Zeroizing<Vec<u8>> {
        let wire = IndexWire {
            id: Cow::Borrowed(metadata.id.as_str()),
            uid,
            version: metadata.version,
            metadata: MetadataWire::of(metadata),
            field_names: borrowed(&metadata.field_names),
        };
        super::encode(vault, Binding::Index, &wire)
    }

    /// The row of an opened plaintext.
    ///
    /// # Errors
    ///
    /// A reason, if the bytes are not exactly a row of this vault's `index`.
    pub(crate) fn decode(vault: &[u8; 16], plaintext: &[u8]) -> Result<Self, Malformed> {
        let wire: IndexWire<'_> = super::decode(vault, Binding::Index, plaintext)?;
        let names = wire.field_names.into_iter().map(Cow::into_owned).collect();
        let metadata = wire.metadata.into_metadata(parse_id(wire.id)?, wire.version, names)?;
        Ok(Self { uid: wire.uid, metadata })
    }
}

impl<'a> CredentialWire<'a> {
    pub(super) fn of(credential: &'a Credential) -> Self {
        let fields = credential.fields.iter().map(|(name, value)| {
            (Cow::Borrowed(name.as_str()), SecretWire(Cow::Borrowed(value.expose())))
        });
        Self(
            MetadataWire::of(&credential.metadata),
            SecretWire(Cow::Borrowed(credential.password.expose())),
            fields.collect(),
            credential.pending.as_ref().map(|pending| {
                let password = SecretWire(Cow::Borrowed(pending.password.expose()));
                (password, micros(pending.since))
            }),
        )
    }

    pub(super) fn into_credential(
        self,
        id: CredentialId,
        version: u64,
    ) -> Result<Credential, Malformed> {
        let Self(metadata, password, fields, pending) = self;
        let fields: Vec<(String, Secret)> = fields
            .into_iter()
            .map(|(name, value)| (name.into_owned(), Secret::new(value.0.into_owned())))
            .collect();
        let names = fields.iter().map(|(name, _)| name.clone()).collect();
        let metadata = metadata.into_metadata(id, version, names)?;
        let pending = match pending {
            None => None,
            Some((password, since)) => Some(Pending {
                password: Secret::new(password.0.into_owned()),
                since: from_micros(since)?,
            }),
        };
        let password = Secret::new(password.0.into_owned());
        Ok(Credential { metadata, password, fields, pending })
    }
}

impl<'a> MetadataWire<'a> {
    fn of(metadata: &'a Metadata) -> Self {
        Self {
            username: metadata.username.as_deref().map(Cow::Borrowed),
            url: metadata.url.as_deref().map(Cow::Borrowed),
            description: metadata.description.as_deref().map(Cow::Borrowed),
            tags: borrowed(&metadata.tags),
            created_at: micros(metadata.created_at),
            updated_at: micros(metadata.updated_at),
            password_changed_at: micros(metadata.password_changed_at),
            expires_at: metadata.expires_at.map(micros),
        }
    }

    fn into_metadata(
        self,
        id: CredentialId,
        version: u64,
        field_names: Vec<String>,
    ) -> Result<Metadata, Malformed> {
        Ok(Metadata {
            id,
            username: self.username.map(Cow::into_owned),
            url: self.url.map(Cow::into_owned),
            description: self.description.map(Cow::into_owned),
            tags: self.tags.into_iter().map(Cow::into_owned).collect(),
            field_names,
            created_at: from_micros(self.created_at)?,
            updated_at: from_micros(self.updated_at)?,
            password_changed_at: from_micros(self.password_changed_at)?,
            expires_at: self.expires_at.map(from_micros).transpose()?,
            version,
        })
    }
}

/// Bytes of their own, whatever they are read from.
fn owned_bytes<'de, 'a, D>(deserializer: D) -> Result<Cow<'a, [u8]>, D::Error>
where
    D: serde::Deserializer<'de>,
{
    Ok(Cow::Owned(serde_bytes::ByteBuf::deserialize(deserializer)?.into_vec()))
}

/// Microseconds since 1970, as times stand in rows.
pub(crate) fn micros(time: DateTime<Utc>) -> i64 {
    time.timestamp_micros()
}

/// The time of [`micros`].
///
/// # Errors
///
/// A reason, if no calendar has that time.
pub(crate) fn from_micros(micros: i64) -> Result<DateTime<Utc>, Malformed> {
    DateTime::from_timestamp_micros(micros).ok_or("a time in it is out of range")
}

fn borrowed(texts: &[String]) -> Vec<Cow<'_, str>> {
    texts.iter().map(|text| Cow::Borrowed(text.as_str())).collect()
}

pub(super) fn parse_id(text: Cow<'_, str>) -> Result<CredentialId, Malformed> {
    CredentialId::new(text).map_err(|_| "its id breaks the rules for ids")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::Edit;

    const VAULT: [u8; 16] = [9; 16];

    fn credential() -> Credential {
        let id = CredentialId::new("db/mysql").unwrap();
        let edit = Edit::new().username("root").password("p").tags(["a", "b"]).field("k", "v");
        edit.apply(&id, None, 4, Utc::now()).unwrap()
    }

    #[test]
    fn rows_come_back_as_they_were() {
        let credential = credential();
        let metadata = credential.metadata.clone();
        let id = metadata.id.clone();
        let mut rotating = credential.clone();
        rotating.pending = Some(Pending { password: "n".into(), since: metadata.updated_at });
        let live = RecordState::Live(Box::new(credential));
        let rotating = RecordState::Live(Box::new(rotating));
        let removed = RecordState::Removed { at: metadata.updated_at };
        for state in [live, rotating, removed] {
            let row = RecordRow { id: id.clone(), uid: [1; 16], version: 5, state };
            assert_eq!(RecordRow::decode(&VAULT, &row.encode(&VAULT)), Ok(row));
        }
        let row = IndexRow { uid: [1; 16], metadata };
        assert_eq!(IndexRow::decode(&VAULT, &row.encode(&VAULT)), Ok(row));
    }

    #[test]
    fn a_record_is_no_index_row() {
        let metadata = credential().metadata;
        let row = IndexRow { uid: [1; 16], metadata };
        assert!(RecordRow::decode(&VAULT, &row.encode(&VAULT)).is_err());
    }
}
