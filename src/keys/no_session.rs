//! Where there is no Linux kernel, nothing is held between commands.

use chrono::{DateTime, Utc};

use super::slot::SlotKey;
use crate::error::{Error, Result};

/// A slot key that the kernel holds, and until when.
pub(crate) struct Held {
    pub(crate) slot_key: SlotKey,
    pub(crate) until: DateTime<Utc>,
}

/// # Errors
///
/// [`Error::KeyUnusable`], always.
pub(crate) fn hold(_: &[u8; 16], slot_key: &SlotKey, _: u32) -> Result<DateTime<Utc>> {
    let _ = slot_key.expose();
    Err(Error::KeyUnusable {
        source_name: "the kernel's keyring".to_owned(),
        reason: "is not to be had on this system; use a key file instead".to_owned(),
        remedy: Some("credb key add file:PATH".to_owned()),
    })
}

/// None.
pub(crate) fn held(_: &[u8; 16]) -> Option<Held> {
    None
}

/// # Errors
///
/// None.
pub(crate) fn forget(_: &[u8; 16]) -> Result<bool> {
    Ok(false)
}
