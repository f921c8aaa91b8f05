//! The rows of the table `history` as values: a credential as it was before a change.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::row::{CredentialWire, parse_id};
use super::{Binding, Malformed, from_micros, micros};
use crate::credential::{Credential, CredentialId, Replacement};

/// A row of `history`; id and version are those of the credential in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HistoryRow {
    pub(crate) uid: [u8; 16],
    pub(crate) credential: Credential,
    /// What took its place, and when.
    pub(crate) replacement: Replacement,
    pub(crate) at: DateTime<Utc>,
}

#[derive(Serialize, Deserialize)]
struct HistoryWire<'a> {
    id: Cow<'a, str>,
    uid: [u8; 16],
    version: u64,
    credential: CredentialWire<'a>,
    replacement: ReplacementWire<'a>,
    at: i64,
}

#[derive(Serialize, Deserialize)]
enum ReplacementWire<'a> {
    Updated,
    Removed,
    Renamed(Cow<'a, str>),
}

impl HistoryRow {
    pub(crate) fn id(&self) -> &CredentialId {
        &self.credential.metadata.id
    }

    pub(crate) fn version(&self) -> u64 {
        self.credential.metadata.version
    }

    /// Bytes to seal.
    pub(crate) fn encode(&self, vault: &[u8; 16]) -> zeroize::Zeroizing<Vec<u8>> {
        let replacement = match &self.replacement {
            Replacement::Updated => ReplacementWire::Updated,
            Replacement::Removed => ReplacementWire::Removed,
            Replacement::Renamed { from } => ReplacementWire::Renamed(Cow::Borrowed(from.as_str())),
        };
        let wire = HistoryWire {
            id: Cow::Borrowed(self.id().as_str()),
            uid: self.uid,
            version: self.version(),
            credential: CredentialWire::of(&self.credential),
            replacement,
            at: micros(self.at),
        };
        super::encode(vault, Binding::History, &wire)
    }

    /// The row of an opened plaintext.
    ///
    /// # Errors
    ///
    /// A reason, if the bytes are not exactly a row of this vault's `history`.
    pub(crate) fn decode(vault: &[u8; 16], plaintext: &[u8]) -> Result<Self, Malformed> {
        let wire: HistoryWire<'_> = super::decode(vault, Binding::History, plaintext)?;
        let replacement = match wire.replacement {
            ReplacementWire::Updated => Replacement::Updated,
            ReplacementWire::Removed => Replacement::Removed,
            ReplacementWire::Renamed(from) => Replacement::Renamed { from: parse_id(from)? },
        };
        let credential = wire.credential.into_credential(parse_id(wire.id)?, wire.version)?;
        Ok(Self { uid: wire.uid, credential, replacement, at: from_micros(wire.at)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::Edit;

    #[test]
    fn earlier_versions_come_back_as_they_were() {
        let id = CredentialId::new("db/mysql").unwrap();
        let edit = Edit::new().username("root").password("p").tags(["a"]).field("k", "v");
        let at = from_micros(1_735_787_045_000_006).unwrap();
        let credential = edit.apply(&id, None, 4, at).unwrap();
        for replacement in [
            Replacement::Updated,
            Replacement::Removed,
            Replacement::Renamed { from: CredentialId::new("old").unwrap() },
        ] {
            let credential = credential.clone();
            let row = HistoryRow { uid: [3; 16], credential, replacement, at };
            let plaintext = row.encode(&[9; 16]);
            assert_eq!(HistoryRow::decode(&[9; 16], &plaintext), Ok(row));
            assert!(HistoryRow::decode(&[8; 16], &plaintext).is_err());
            assert!(super::super::RecordRow::decode(&[9; 16], &plaintext).is_err());
        }
    }
}
