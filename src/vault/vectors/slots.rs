//! The vectors of slots and of the secrets that open them.

use std::ops::Range;

use x25519_dalek::{PublicKey, StaticSecret};

use super::*;
use crate::keys::{KdfCost, NewSlot, RecoveryCode, SlotDetails, SlotFailure, SlotKind, SlotRow};

/// Kind, name of its vectors, secret.
pub(super) const SLOTS: [(SlotKind, &str, &[u8]); 5] = [
    (SlotKind::Machine, "machine", &[0x61; 32]),
    (SlotKind::Hostname, "hostname", b"host-a"),
    (SlotKind::File, "file", &[0x62; 32]),
    (SlotKind::Recovery, "recovery", &[0x63; 20]),
    (SlotKind::Passphrase, "passphrase", "p\u{e1}ss phrase".as_bytes()),
];

/// Where the parts of a slot row without parameters are that wraps its key directly.
const SALT: Range<usize> = 10..26;
const PUBLIC: Range<usize> = 35..67;
const WRAPPED: Range<usize> = 79..408;
pub(super) const DETAILS: Range<usize> = 416..745;

/// Where the parts of such a row are that wraps its key through its recipient key.
const EPHEMERAL: Range<usize> = 71..103;
const AGREED: Range<usize> = 111..440;

/// A part of a slot's row, behind its parameters.
fn part(row: &[u8], range: Range<usize>) -> &[u8] {
    let parameters = usize::from(row[2]);
    &row[range.start + parameters..range.end + parameters]
}

#[test]
fn a_stored_slot_of_each_kind_opens_as_in_the_document() {
    let vectors = Vectors::of_document();
    let vault = vectors.array("vault.id");
    for (number, (kind, name, secret)) in (1_u32..).zip(SLOTS) {
        let of = |part: &str| format!("slot.{name}.{part}");
        assert_eq!(vectors.bytes(&of("secret")), secret);
        let stored = vectors.bytes(&of("row"));
        let row = SlotRow::from_bytes(&number.to_be_bytes(), &stored).expect("a slot");
        assert_eq!((row.number, row.kind), (number, kind));
        let opened = row.open(&vault, secret).expect("the vault key").1;
        assert_eq!(*opened.state(), *vectors.vault_key().state());
        assert_eq!(row.open(&vault, b"other").unwrap_err(), SlotFailure::WrongKey);
        let details = row.details(&opened).expect("details");
        assert_eq!(details.label.as_deref(), (number == 1).then_some("here"));
        assert_eq!(details.created_at, time("2025-01-02T03:04:05Z"));
        let key: [u8; 32] = vectors.array(&of("key"));
        let private = hkdf(&key, part(&stored, SALT), "credb/1 slot recipient");
        assert_eq!(PublicKey::from(&StaticSecret::from(private)).as_bytes(), part(&stored, PUBLIC));
        let wrapped = Sealer::new(&key).open(part(&stored, WRAPPED));
        assert_eq!(wrapped.unwrap().to_vec(), framed(&vectors.bytes(&of("body"))));
    }
    let details = Sealer::new(&vectors.array("key.slot_details"));
    let opened = details.open(&vectors.bytes("slot.machine.row")[DETAILS]).unwrap();
    assert_eq!(opened.to_vec(), framed(&vectors.bytes("slot.machine.details")));
}

#[test]
fn the_key_of_a_host_name_is_the_predecessors() {
    let vectors = Vectors::of_document();
    let key: [u8; 32] = vectors.array("slot.hostname.key");
    assert_eq!(BASE64URL.encode(&key), vectors.text("hostname.key"));
    assert_eq!(vectors.text("hostname.key"), "wVHjkspS1XP0W53oSvTloX9wH8Unch9YZOLuVqgFza0=");
}

#[test]
fn a_slot_rewrapped_through_its_recipient_key_opens_as_in_the_document() {
    let vectors = Vectors::of_document();
    let stored = vectors.bytes("slot.file.rewrapped.row");
    let row = SlotRow::from_bytes(&[0, 0, 0, 3], &stored).expect("a slot");
    let opened = row.open(&vectors.array("vault.id"), SLOTS[2].2).expect("the vault key").1;
    assert_eq!(*opened.state(), *vectors.vault_key().state());
    let private = vectors.array("slot.file.recipient.private");
    let agreed = agreed(&private, &stored, &vectors.array("vault.id"));
    assert_eq!(agreed, vectors.array("slot.file.rewrapped.key"));
    let body = Sealer::new(&agreed).open(part(&stored, AGREED)).expect("the wrapped key");
    assert_eq!(body.to_vec(), framed(&vectors.bytes("slot.file.body")));
}

/// The key that wraps the vault key in a rewrapped slot, written a second time from the document.
fn agreed(private: &[u8; 32], row: &[u8], vault: &[u8; 16]) -> [u8; 32] {
    let ephemeral: [u8; 32] = part(row, EPHEMERAL).try_into().unwrap();
    let private = StaticSecret::from(*private);
    let shared = private.diffie_hellman(&PublicKey::from(ephemeral));
    let salt = [part(row, EPHEMERAL), part(row, PUBLIC), vault, &[0, 0, 0, 3], &[3]].concat();
    hkdf(shared.as_bytes(), &salt, "credb/1 slot rewrap")
}

#[test]
fn the_recovery_code_of_known_bits_is_that_of_the_document() {
    let vectors = Vectors::of_document();
    let code = RecoveryCode::parse(vectors.text("recovery.code")).unwrap();
    assert_eq!(code.expose().as_str(), vectors.text("recovery.code"));
    // A slot made from the bits opens with the code: it stands for these bits.
    let (key, bits) = (vectors.vault_key(), vectors.bytes("recovery.bits"));
    let details = SlotDetails { label: None, created_at: Utc::now() };
    let from_bits =
        NewSlot::derive(SlotKind::Recovery, None, &bits).unwrap().row(1, &key, &details);
    let secret = crate::keys::KeySource::Recovery(code).secret().unwrap();
    assert!(from_bits.open(key.vault(), &secret).is_ok());
}

/// The slots, numbered from 1 on.
pub(super) fn fresh_slots(fresh: &mut Fresh, rows: &mut Rows, key: &VaultKey) {
    for (number, (kind, name, secret)) in (1_u32..).zip(SLOTS) {
        let cost = (kind == SlotKind::Passphrase).then(|| KdfCost::new(8, 2).unwrap());
        let label = (number == 1).then(|| "here".to_owned());
        let details = SlotDetails { label, created_at: time("2025-01-02T03:04:05Z") };
        let slot = NewSlot::derive(kind, cost, secret).unwrap().row(number, key, &details);
        let row = slot.to_bytes();
        let derived = match kind {
            SlotKind::Hostname => Sha256::digest(secret).into(),
            SlotKind::Passphrase => argon2id(secret, part(&row, SALT)),
            _ => hkdf(secret, part(&row, SALT), &format!("credb/1 slot {name}")),
        };
        fresh.bytes(format!("slot.{name}.secret"), secret);
        fresh.bytes(format!("slot.{name}.key"), &derived);
        let body = Sealer::new(&derived).open(part(&row, WRAPPED)).unwrap();
        fresh.bytes(format!("slot.{name}.body"), unframed(&body));
        if number == 1 {
            let details = hkdf(&numbers::<32>(0x20), key.vault(), "credb/1 slot details");
            let body = Sealer::new(&details).open(part(&row, DETAILS)).unwrap();
            fresh.bytes("slot.machine.details", unframed(&body));
        }
        if kind == SlotKind::File {
            let private = hkdf(&derived, part(&row, SALT), "credb/1 slot recipient");
            fresh.bytes("slot.file.recipient.private", &private);
            let rewrapped = slot.rewrapped(key, key, None).unwrap().to_bytes();
            let agreed = agreed(&private, &rewrapped, key.vault());
            fresh.bytes("slot.file.rewrapped.key", &agreed);
            fresh.bytes("slot.file.rewrapped.row", &rewrapped);
        }
        let row = fresh.noted(&format!("slot.{name}.row"), row);
        rows.put(Table::Slots, &number.to_be_bytes(), &row).unwrap();
    }
}

/// The slot key of a passphrase, at the cost of the vectors.
fn argon2id(secret: &[u8], salt: &[u8]) -> [u8; 32] {
    let params = argon2::Params::new(8_192, 2, 1, None).unwrap();
    let argon2 = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
    let mut memory = vec![argon2::Block::new(); 8_192];
    let mut key = [0; 32];
    argon2.hash_password_into_with_memory(secret, salt, &mut key, &mut memory).unwrap();
    key
}

/// Recovery codes and host names.
pub(super) fn fresh_secrets(fresh: &mut Fresh) {
    fresh.bytes("recovery.bits", &numbers::<20>(0x80));
    fresh.text("recovery.code", recovery_text(&numbers::<20>(0x80)));
    fresh.text("hostname.key", BASE64URL.encode(&Sha256::digest("host-a")));
}

/// The code of these bits, written a second time from the document.
fn recovery_text(bits: &[u8; 20]) -> String {
    let check = Sha256::digest([b"credb recovery code".as_slice(), bits].concat());
    let bytes = bits.iter().chain(&check[..3]);
    let bits: Vec<u8> = bytes.flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1)).collect();
    let digits = bits.chunks(5).take(36).map(|digit| {
        let value = digit.iter().fold(0, |value, bit| value << 1 | usize::from(*bit));
        char::from(b"0123456789ABCDEFGHJKMNPQRSTVWXYZ"[value])
    });
    let digits: Vec<char> = digits.collect();
    digits.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join("-")
}
