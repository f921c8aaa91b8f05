use super::*;

const VAULT: [u8; 16] = [3; 16];

const KINDS: [SlotKind; 5] = [
    SlotKind::Machine,
    SlotKind::Hostname,
    SlotKind::File,
    SlotKind::Recovery,
    SlotKind::Passphrase,
];

fn derived(kind: SlotKind) -> NewSlot {
    let cost = (kind == SlotKind::Passphrase).then(|| KdfCost::new(8, 1).unwrap());
    NewSlot::derive(kind, cost, b"secret").unwrap()
}

fn slot(kind: SlotKind) -> (VaultKey, SlotRow) {
    let vault_key = VaultKey::generate(VAULT);
    let details = SlotDetails { label: Some("here".to_owned()), created_at: Utc::now() };
    let row = derived(kind).row(1, &vault_key, &details);
    (vault_key, row)
}

#[test]
fn a_slot_opens_with_its_secret_only() {
    for kind in KINDS {
        let (vault_key, row) = slot(kind);
        let row = SlotRow::from_bytes(&row.key(), &row.to_bytes()).unwrap();
        let (_, opened) = row.open(&VAULT, b"secret").unwrap();
        assert_eq!(opened.expose(), vault_key.expose());
        assert_eq!(row.details(&opened).unwrap().label.as_deref(), Some("here"));
        assert_eq!(row.open(&VAULT, b"other").unwrap_err(), SlotFailure::WrongKey);
    }
}

#[test]
fn a_damaged_slot_is_not_a_wrong_key() {
    let (_, row) = slot(SlotKind::Machine);
    let bytes = row.to_bytes();
    for position in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[position] ^= 1;
        assert!(SlotRow::from_bytes(&row.key(), &altered).is_err(), "byte {position}");
    }
    assert!(SlotRow::from_bytes(&[0, 0, 0, 2], &bytes).is_err(), "another number");
}

#[test]
fn a_slot_of_another_vault_is_refused() {
    let (_, row) = slot(SlotKind::Machine);
    let failure = row.open(&[4; 16], b"secret").unwrap_err();
    assert!(matches!(failure, SlotFailure::Damaged(_)), "{failure:?}");
}

#[test]
fn a_new_vault_key_is_wrapped_without_the_slots_secret_and_opens_with_it() {
    for kind in KINDS {
        let (old, row) = slot(kind);
        let (held, _) = row.open(&VAULT, b"secret").unwrap();
        let new = VaultKey::generate(VAULT);
        for held_or_not in [None, Some(&held)] {
            let row = row.rewrapped(&old, &new, held_or_not).unwrap();
            let row = SlotRow::from_bytes(&row.key(), &row.to_bytes()).unwrap();
            assert_eq!(row.open(&VAULT, b"secret").unwrap().1.expose(), new.expose());
            assert_eq!(row.unwrap_key(&VAULT, &held).unwrap().expose(), new.expose());
            assert_eq!(row.open(&VAULT, b"other").unwrap_err(), SlotFailure::WrongKey);
            assert_eq!(row.details(&new).unwrap().label.as_deref(), Some("here"));
            assert!(row.details(&old).is_err(), "the label is under the old vault key");
        }
    }
}

#[test]
fn a_key_wrapped_for_one_slot_opens_in_no_other() {
    let (old, row) = slot(SlotKind::File);
    let new = VaultKey::generate(VAULT);
    let rewrapped = row.rewrapped(&old, &new, None).unwrap();
    for moved in [SlotRow { number: 2, ..rewrapped.clone() }, {
        let mut row = rewrapped.clone();
        row.wire.kind = SlotKind::Machine.tag();
        row
    }] {
        let (held, _) = row.open(&VAULT, b"secret").unwrap();
        let failure = moved.unwrap_key(&VAULT, &held).unwrap_err();
        assert_eq!(failure, SlotFailure::Damaged("wrong key or altered"));
    }
    assert!(matches!(rewrapped.open(&[4; 16], b"secret"), Err(SlotFailure::Damaged(_))));
}

#[test]
fn nothing_is_wrapped_for_a_slot_without_a_usable_recipient_key() {
    let (old, mut row) = slot(SlotKind::File);
    let new = VaultKey::generate(VAULT);
    let (held, _) = row.open(&VAULT, b"secret").unwrap();
    for recipient in [None, Some([0; 32])] {
        row.wire.recipient = recipient;
        assert!(row.rewrapped(&old, &new, None).is_err(), "{recipient:?}");
        assert!(row.rewrapped(&old, &new, Some(&held)).is_ok(), "its key is at hand");
    }
    let other = derived(SlotKind::File).slot_key(1);
    assert!(row.rewrapped(&old, &new, Some(&other)).is_err(), "another slot's key");
}

#[test]
fn a_slot_with_an_absurd_cost_is_refused_unopened() {
    let (_, row) = slot(SlotKind::Passphrase);
    let refused = |parameters: &[u8], kind: SlotKind| {
        let mut row = row.clone();
        row.wire.parameters = parameters.to_vec();
        row.wire.kind = kind.tag();
        SlotRow::from_bytes(&row.key(), &row.to_bytes()).unwrap_err()
    };
    let mut absurd = row.wire.parameters.clone();
    absurd[1..5].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(refused(&absurd, SlotKind::Passphrase), "its cost is beyond the limits");
    refused(&[], SlotKind::Passphrase);
    refused(&row.wire.parameters, SlotKind::File);
}
