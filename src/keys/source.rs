//! Where keys come from: what unlocks a vault, and what a new slot is made with.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::key_file::{self, Reading};
use super::kind::SlotKind;
use super::passphrase::{KdfCost, Passphrase};
use super::recovery::RecoveryCode;
use super::slot::NewSlot;
use crate::error::{Error, Result};

/// A key to try on a vault.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum KeySource {
    /// The machine secret in the file at this path. Opening never makes one.
    Machine(PathBuf),
    /// A host name, as the predecessor used it.
    Hostname(String),
    /// A key file: 32 bytes, raw or in base64 or hex.
    KeyFile(PathBuf),
    /// A file that holds a recovery code.
    RecoveryFile(PathBuf),
    /// A recovery code.
    Recovery(RecoveryCode),
    /// A file that holds a passphrase; one final end of line is not part of it.
    PassphraseFile(PathBuf),
    /// A passphrase.
    Passphrase(Passphrase),
}

/// A key to add to a vault or to make one with.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum NewKey {
    /// The machine secret in the file at this path, made when it is absent.
    Machine(PathBuf),
    /// This host name, as the predecessor used it.
    Hostname(String),
    /// The key file at this path, made when it is absent.
    File(PathBuf),
    /// A recovery code.
    Recovery(RecoveryCode),
    /// A passphrase, and what each guess at it is to cost.
    Passphrase(Passphrase, KdfCost),
}

/// The secret of a key source, read once and only when a slot of its kind is there.
#[derive(Default)]
pub(crate) struct Secrets(Vec<(usize, Found)>);

type Found = Result<Zeroizing<Vec<u8>>, Unusable>;

/// Why a source gives no secret, and the command that mends it.
pub(crate) type Unusable = (String, Option<String>);

impl KeySource {
    /// The kind of slot it can open.
    #[must_use]
    pub fn kind(&self) -> SlotKind {
        match self {
            Self::Machine(_) => SlotKind::Machine,
            Self::Hostname(_) => SlotKind::Hostname,
            Self::KeyFile(_) => SlotKind::File,
            Self::RecoveryFile(_) | Self::Recovery(_) => SlotKind::Recovery,
            Self::PassphraseFile(_) | Self::Passphrase(_) => SlotKind::Passphrase,
        }
    }

    /// The file that the key is read from, if it is one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Machine(path)
            | Self::KeyFile(path)
            | Self::RecoveryFile(path)
            | Self::PassphraseFile(path) => Some(path),
            Self::Hostname(_) | Self::Recovery(_) | Self::Passphrase(_) => None,
        }
    }

    /// Whether its file may be readable by others: below `$CREDENTIALS_DIRECTORY` and
    /// `/run/secrets`, where a system delivers keys and decides on their modes, and anywhere with
    /// `CREDB_ALLOW_LOOSE_KEY=1`. Elsewhere such a file is refused.
    #[must_use]
    pub fn may_be_loose(&self) -> bool {
        self.file().is_some_and(key_file::may_be_loose)
    }

    /// What it is and where, for messages.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Machine(path) => format!("machine secret {}", path.display()),
            Self::Hostname(name) => format!("host name \"{}\"", name.escape_default()),
            Self::KeyFile(path) => format!("key file {}", path.display()),
            Self::RecoveryFile(path) => format!("recovery code in {}", path.display()),
            Self::Recovery(_) => "recovery code".to_owned(),
            Self::PassphraseFile(path) => format!("passphrase in {}", path.display()),
            Self::Passphrase(_) => "passphrase".to_owned(),
        }
    }

    /// Reads the secret.
    ///
    /// # Errors
    ///
    /// [`Error::KeyUnusable`] and, for a malformed recovery code or passphrase,
    /// [`Error::Invalid`].
    pub(crate) fn secret(&self) -> Result<Zeroizing<Vec<u8>>> {
        match self {
            Self::Machine(path) => file_secret("machine secret", path, Reading::ExceptDelivered),
            Self::Hostname(name) => Ok(Zeroizing::new(name.as_bytes().to_vec())),
            Self::KeyFile(path) => file_secret("key file", path, Reading::ExceptDelivered),
            Self::RecoveryFile(path) => {
                let name = "recovery file";
                let bytes = key_file::read_bytes(name, path, Reading::ExceptDelivered)?;
                let text = std::str::from_utf8(&bytes)
                    .map_err(|_| Error::invalid("recovery code", "is not text"))?;
                Ok(Zeroizing::new(RecoveryCode::parse(text)?.secret().to_vec()))
            }
            Self::Recovery(code) => Ok(Zeroizing::new(code.secret().to_vec())),
            Self::PassphraseFile(path) => Ok(Passphrase::read(path)?.secret()),
            Self::Passphrase(passphrase) => Ok(passphrase.secret()),
        }
    }
}

impl From<&NewKey> for KeySource {
    /// The source that a slot made with this key opens with.
    fn from(key: &NewKey) -> Self {
        match key {
            NewKey::Machine(path) => Self::Machine(path.clone()),
            NewKey::Hostname(name) => Self::Hostname(name.clone()),
            NewKey::File(path) => Self::KeyFile(path.clone()),
            NewKey::Recovery(code) => Self::Recovery(code.clone()),
            NewKey::Passphrase(passphrase, _) => Self::Passphrase(passphrase.clone()),
        }
    }
}

impl NewKey {
    /// The kind of slot it makes.
    #[must_use]
    pub fn kind(&self) -> SlotKind {
        match self {
            Self::Machine(_) => SlotKind::Machine,
            Self::Hostname(_) => SlotKind::Hostname,
            Self::File(_) => SlotKind::File,
            Self::Recovery(_) => SlotKind::Recovery,
            Self::Passphrase(..) => SlotKind::Passphrase,
        }
    }

    /// A slot that opens with it. Its secret is made durable first where it is new.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] and [`Error::KeyUnusable`].
    pub(crate) fn slot(&self) -> Result<NewSlot> {
        let cost = match self {
            Self::Passphrase(_, cost) => Some(*cost),
            _ => None,
        };
        NewSlot::derive(self.kind(), cost, &self.secret()?).ok_or_else(|| Error::KeyUnusable {
            source_name: "passphrase".to_owned(),
            reason: "costs more memory than there is".to_owned(),
            remedy: None,
        })
    }

    fn secret(&self) -> Result<Zeroizing<Vec<u8>>> {
        let made = |name, path: &Path| {
            let key = key_file::create_or_read(name, path)?;
            Ok(Zeroizing::new(key.to_vec()))
        };
        match self {
            Self::Machine(path) => made("machine secret", path),
            Self::File(path) => made("key file", path),
            Self::Hostname(name) if name.is_empty() => Err(Error::invalid("host name", "is empty")),
            Self::Hostname(name) => Ok(Zeroizing::new(name.as_bytes().to_vec())),
            Self::Recovery(code) => Ok(Zeroizing::new(code.secret().to_vec())),
            Self::Passphrase(passphrase, _) => Ok(passphrase.secret()),
        }
    }
}

impl Secrets {
    /// The secret of the source at this position, or why it cannot be had.
    pub(crate) fn of(&mut self, position: usize, source: &KeySource) -> &Found {
        let known = self.0.iter().position(|(own, _)| *own == position);
        let index = known.unwrap_or_else(|| {
            let secret = source.secret().map_err(|error| match error {
                Error::KeyUnusable { reason, remedy, .. } => (reason, remedy),
                other => (other.to_string(), None),
            });
            self.0.push((position, secret));
            self.0.len() - 1
        });
        &self.0[index].1
    }
}

fn file_secret(name: &str, path: &Path, reading: Reading) -> Result<Zeroizing<Vec<u8>>> {
    Ok(Zeroizing::new(key_file::read(name, path, reading)?.to_vec()))
}
