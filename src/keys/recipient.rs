//! X25519 (RFC 7748): wraps a new vault key for a slot whose secret is elsewhere.
//!
//! The slot's private key comes from its slot key, so nothing has to be kept for it; the public
//! one stands in the slot, in clear. Nothing here says whose it is: the manifest does, and who
//! wraps for a public key must have checked that first (see docs/format.md).

use x25519_dalek::{PublicKey, StaticSecret};

use super::derive::derive;
use crate::seal::{Key, random};

/// A public key.
pub(super) type Public = [u8; 32];

/// The private key of a slot and its public one.
pub(super) struct Recipient(StaticSecret);

impl Recipient {
    /// The recipient that goes with a slot key.
    pub(super) fn of(slot_key: &Key, salt: &[u8]) -> Self {
        Self(StaticSecret::from(*derive(slot_key.as_slice(), salt, "credb/1 slot recipient")))
    }

    /// The key that others wrap for.
    pub(super) fn public(&self) -> Public {
        PublicKey::from(&self.0).to_bytes()
    }

    /// The key agreed on with the sender of this ephemeral public key, for the slot of this
    /// `identity`; `None` if that key makes every agreement the same.
    pub(super) fn agree(&self, ephemeral: &Public, identity: &[u8]) -> Option<Key> {
        agreed(&self.0, ephemeral, (ephemeral, &self.public()), identity)
    }
}

/// A key agreed on with the holder of a slot's key, and the ephemeral public key that tells them.
/// `None` if the slot's public key makes every agreement the same.
pub(super) fn agree_with(recipient: &Public, identity: &[u8]) -> Option<(Public, Key)> {
    let secret = StaticSecret::from(*random());
    let ephemeral = PublicKey::from(&secret).to_bytes();
    let key = agreed(&secret, recipient, (&ephemeral, recipient), identity)?;
    Some((ephemeral, key))
}

fn agreed(
    secret: &StaticSecret,
    other: &Public,
    (ephemeral, recipient): (&Public, &Public),
    identity: &[u8],
) -> Option<Key> {
    let shared = secret.diffie_hellman(&PublicKey::from(*other));
    if !shared.was_contributory() {
        return None;
    }
    let salt = [ephemeral.as_slice(), recipient, identity].concat();
    Some(derive(shared.as_bytes(), &salt, "credb/1 slot rewrap"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_agree_on_one_key_for_one_slot_only() {
        let recipient = Recipient::of(&[7; 32].into(), b"salt");
        let (ephemeral, key) = agree_with(&recipient.public(), b"slot 1").unwrap();
        assert_eq!(recipient.agree(&ephemeral, b"slot 1").unwrap(), key);
        assert_ne!(recipient.agree(&ephemeral, b"slot 2").unwrap(), key);
        let other = Recipient::of(&[7; 32].into(), b"another");
        assert_ne!(other.agree(&ephemeral, b"slot 1").unwrap(), key);
    }

    #[test]
    fn a_public_key_of_low_order_is_refused() {
        assert!(agree_with(&[0; 32], b"slot 1").is_none());
        assert!(Recipient::of(&[7; 32].into(), b"salt").agree(&[0; 32], b"slot 1").is_none());
    }
}
