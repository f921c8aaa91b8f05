//! Slot keys in the kernel's keyring of this user, for a while, so that a passphrase is asked for
//! once. Nothing is written to a disk.
//!
//! A key is made whole in the keyring of this process, with its timeout and its permissions, and
//! then linked: updating one in place would clear the timeout. Other sessions of the user do not
//! possess the user's keyring (so under systemd), and need permissions as its owner. See
//! keyrings(7).

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use linux_keyutils::{
    Key as KernelKey, KeyError, KeyPermissionsBuilder, KeyRing, KeyRingIdentifier, Permission,
};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::slot::SlotKey;
use crate::codec::{self, from_micros, micros};
use crate::error::{Error, Result};
use crate::seal::take_key;

/// The bytes of a payload.
const LENGTH: usize = 1 + 4 + 32 + 8;

/// A slot key that the kernel holds, and until when.
pub(crate) struct Held {
    pub(crate) slot_key: SlotKey,
    pub(crate) until: DateTime<Utc>,
}

#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
struct Payload {
    number: u32,
    key: [u8; 32],
    until: i64,
}

/// Has the kernel hold a slot key of this vault for so many seconds, in the place of one that it
/// holds; until when.
///
/// # Errors
///
/// [`Error::KeyUnusable`] if the kernel does not.
pub(crate) fn hold(vault: &[u8; 16], slot_key: &SlotKey, seconds: u32) -> Result<DateTime<Utc>> {
    let until = Utc::now().trunc_subsecs(0) + TimeDelta::seconds(i64::from(seconds));
    let payload =
        Payload { number: slot_key.number(), key: *slot_key.expose(), until: micros(until) };
    let payload = codec::encode_plain(&payload);
    let permissions = KeyPermissionsBuilder::builder()
        .posessor(Permission::ALL)
        .user(Permission::VIEW | Permission::READ | Permission::SEARCH | Permission::LINK)
        .build();
    let hold = || {
        let own = KeyRing::from_special_id(KeyRingIdentifier::Process, true)?;
        let key = own.add_key(&description(vault), payload.as_slice())?;
        key.set_timeout(seconds as usize)?;
        key.set_perms(permissions)?;
        user_keyring()?.link_key(key)
    };
    hold().map_err(refused)?;
    Ok(until)
}

/// The slot key of this vault that the kernel holds, if it does.
pub(crate) fn held(vault: &[u8; 16]) -> Option<Held> {
    let mut bytes = Zeroizing::new([0; LENGTH]);
    let length = find(vault)?.read(&mut *bytes).ok()?;
    let mut payload: Payload = codec::decode_plain(bytes.get(..length)?).ok()?;
    let until = from_micros(payload.until).ok()?;
    Some(Held { slot_key: SlotKey::new(payload.number, take_key(&mut payload.key)), until })
}

/// Has the kernel forget the slot key of this vault; whether it held one.
///
/// # Errors
///
/// [`Error::KeyUnusable`] if the kernel does not.
pub(crate) fn forget(vault: &[u8; 16]) -> Result<bool> {
    let Some(key) = find(vault) else { return Ok(false) };
    key.invalidate().map_err(refused)?;
    Ok(true)
}

fn find(vault: &[u8; 16]) -> Option<KernelKey> {
    user_keyring().ok()?.search(&description(vault)).ok()
}

fn user_keyring() -> std::result::Result<KeyRing, KeyError> {
    KeyRing::from_special_id(KeyRingIdentifier::User, true)
}

fn description(vault: &[u8; 16]) -> String {
    format!("credb:{}", data_encoding::HEXLOWER.encode(vault))
}

fn refused(error: KeyError) -> Error {
    let reason = match error {
        KeyError::OperationNotSupported | KeyError::PermissionDenied | KeyError::AccessDenied => {
            "is not to be had here, as in many containers; use a key file instead".to_owned()
        }
        KeyError::QuotaExceeded => "is full (see /proc/key-users)".to_owned(),
        error => format!("cannot be used: {error}"),
    };
    let source_name = "the kernel's keyring".to_owned();
    let remedy = Some("credb key add file:PATH".to_owned());
    Error::KeyUnusable { source_name, reason, remedy }
}
