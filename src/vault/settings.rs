//! The row of `settings`: what holds for the vault as a whole.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::codec::{self, Binding, from_micros, micros};
use crate::error::{Error, Result};
use crate::keys::VaultKey;
use crate::seal::random;
use crate::store::{ReadRows, Table};

/// The row's key in the table.
pub(super) const KEY: &[u8] = b"settings";

/// The entry that says what a rotation has still to do, and its only value.
const ROTATION_SCRUB: &str = "rotation.scrub";
const PENDING: &str = "pending";

/// The entry that says when the last rotation began: Unix time in seconds, in decimal.
const ROTATION_BEGUN: &str = "rotation.begun";

/// Vault-wide settings.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Settings {
    /// Random, renewed whenever a vault is restored: tells copies of one vault apart.
    incarnation: [u8; 16],
    created_at: i64,
    /// Names and values, sorted by name.
    entries: Vec<(String, String)>,
}

/// Whether something is still to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pending {
    Yes,
    No,
}

impl Settings {
    pub(super) fn new(created_at: DateTime<Utc>) -> Self {
        Self { incarnation: *random(), created_at: micros(created_at), entries: Vec::new() }
    }

    pub(super) fn seal(&self, key: &VaultKey) -> Vec<u8> {
        key.settings().seal(&codec::encode(key.vault(), Binding::Settings, self))
    }

    /// Reads the row.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`].
    pub(super) fn read(rows: &dyn ReadRows, key: &VaultKey) -> Result<Self> {
        let token = rows.row(Table::Settings, KEY)?;
        Self::open(&token.ok_or_else(|| Error::corrupt("the settings row", "it is missing"))?, key)
    }

    /// Opens the row's stored bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`].
    pub(super) fn open(token: &[u8], key: &VaultKey) -> Result<Self> {
        let damaged = |reason| Error::corrupt("the settings row", reason);
        let plaintext =
            key.settings().open(token).ok_or_else(|| damaged("wrong key or altered"))?;
        codec::decode(key.vault(), Binding::Settings, &plaintext).map_err(damaged)
    }

    /// Random, renewed whenever a vault is restored.
    pub(super) fn incarnation(&self) -> &[u8; 16] {
        &self.incarnation
    }

    /// The same settings for a vault that begins a new life, in a new file.
    pub(super) fn reincarnated(mut self) -> Self {
        self.incarnation = *random();
        self.set_scrub_pending(Pending::No);
        self
    }

    /// The entry of this name.
    pub(super) fn entry(&self, name: &str) -> Option<&str> {
        let found = self.entries.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Puts an entry in its place, or drops it.
    pub(super) fn enter(&mut self, name: &str, value: Option<String>) {
        self.entries.retain(|(own, _)| own != name);
        if let Some(value) = value {
            self.entries.push((name.to_owned(), value));
            self.entries.sort_unstable();
        }
    }

    /// Whether the file may still hold rows of an epoch that is no more.
    pub(super) fn scrub_pending(&self) -> Pending {
        if self.entry(ROTATION_SCRUB).is_some() { Pending::Yes } else { Pending::No }
    }

    /// Notes whether the file may still hold rows of an epoch that is no more.
    pub(super) fn set_scrub_pending(&mut self, pending: Pending) {
        self.enter(ROTATION_SCRUB, (pending == Pending::Yes).then(|| PENDING.to_owned()));
    }

    /// When the last rotation began, if there was one.
    pub(super) fn rotated_at(&self) -> Result<Option<DateTime<Utc>>> {
        let Some(text) = self.entry(ROTATION_BEGUN) else { return Ok(None) };
        let time = text.parse().ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        let malformed = || {
            let reason = format!("its {ROTATION_BEGUN} is malformed");
            Error::corrupt("the settings row", reason)
        };
        time.map(Some).ok_or_else(malformed)
    }

    /// Notes that a rotation begins.
    pub(super) fn set_rotated_at(&mut self, now: DateTime<Utc>) {
        self.enter(ROTATION_BEGUN, Some(now.timestamp().to_string()));
    }

    pub(super) fn created_at(&self) -> Result<DateTime<Utc>> {
        from_micros(self.created_at).map_err(|reason| Error::corrupt("the settings row", reason))
    }
}
