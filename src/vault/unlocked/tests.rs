use std::path::Path;

use crate::error::Error;
use crate::keys::{EpochRow, SlotRow, VaultKey};
use crate::store::{Table, Verdict};
use crate::vault::locked::slot_rows;
use crate::vault::manifest::Manifest;
use crate::vault::settings::{self, Settings};
use crate::vault::{Options, Vault};
use crate::{CredentialId, Edit, KeySource, NewKey, Query};

/// The slots that a rotation keeps.
type Keep = fn(&SlotRow) -> bool;

fn vault(directory: &Path) -> Vault {
    let key = NewKey::Hostname("host-a".to_owned());
    let vault = Vault::create(&directory.join("v.redb"), &Options::new(), &key).unwrap();
    vault.add_slot(&NewKey::File(directory.join("k")), Some("key file")).unwrap();
    vault
}

/// Gives the vault another vault key, in one transaction, with nothing at hand but the old one.
fn rotate(vault: &Vault, keep: Keep) {
    let now = chrono::Utc::now();
    let rotated = vault.store.write(|rows| {
        let keys = vault.keys.at(rows)?;
        let old = keys.vault_key();
        let mut manifest = Manifest::read(rows, old)?;
        manifest.check_fixed(rows, old)?;
        let new = VaultKey::generate(*old.vault());
        for (number, slot) in slot_rows(rows)? {
            let slot = slot.unwrap();
            if keep(&slot) {
                let slot = slot.rewrapped(old, &new, None).unwrap();
                rows.put(Table::Slots, &slot.key(), &slot.to_bytes())?;
            } else {
                rows.delete(Table::Slots, &number.to_be_bytes())?;
            }
        }
        let (key, stored) = rows.last_row(Table::Epochs)?.unwrap();
        let epoch = EpochRow::open(old, &key, &stored).unwrap();
        rows.put(Table::Epochs, &key, &epoch.seal(&new))?;
        let settings = Settings::read(rows, old)?;
        rows.put(Table::Settings, settings::KEY, &settings.seal(&new))?;
        manifest.renew_fixed(rows, &new)?;
        manifest.write(rows, &new, now)?;
        Ok(Verdict::Commit(()))
    });
    rotated.unwrap();
}

#[test]
fn handles_of_every_slot_go_on_after_the_vault_key_was_rotated() {
    let directory = tempfile::tempdir().unwrap();
    let by_name = vault(directory.path());
    let keys = [KeySource::KeyFile(directory.path().join("k"))];
    let by_file = Vault::open(by_name.path(), &Options::new(), &keys).unwrap();
    let id = CredentialId::new("a").unwrap();
    by_file.set(&id, &Edit::new().password("one")).unwrap();
    for round in 0..2 {
        rotate(&by_name, |_| true);
        assert_eq!(by_file.get(&id).unwrap().password.expose(), b"one", "round {round}");
        by_file.set(&id, &Edit::new().password("one").username(format!("{round}"))).unwrap();
        assert_eq!(by_name.list(&Query::all()).unwrap().len(), 1);
        assert_eq!(by_name.slots().unwrap()[1].label.as_deref(), Some("key file"));
        for vault in [&by_name, &by_file] {
            assert_eq!(vault.verify(&|_, _| {}).unwrap().damaged, []);
        }
        Vault::open(by_name.path(), &Options::new(), &keys).unwrap();
    }
}

#[test]
fn a_handle_whose_slot_did_not_survive_is_locked_out_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let by_name = vault(directory.path());
    let keys = [KeySource::KeyFile(directory.path().join("k"))];
    let by_file = Vault::open(by_name.path(), &Options::new(), &keys).unwrap();
    rotate(&by_name, |slot| slot.number == 1);
    let id = CredentialId::new("a").unwrap();
    let failures = [
        by_file.get(&id).map(drop),
        by_file.set(&id, &Edit::new().password("p")).map(drop),
        by_file.slots().map(drop),
        by_file.verify(&|_, _| {}).map(drop),
    ];
    for failure in failures {
        let Err(Error::Locked { attempts, .. }) = failure else { panic!("{failure:?}") };
        assert!(attempts[0].reason.ends_with("the slot was removed"), "{attempts:?}");
    }
    by_name.set(&id, &Edit::new().password("p")).unwrap();

    // A slot made anew under the same number is another slot.
    by_name.add_slot(&NewKey::File(directory.path().join("k")), None).unwrap();
    let failure = by_file.get(&id).unwrap_err();
    let Error::Locked { attempts, .. } = failure else { panic!("{failure:?}") };
    assert!(attempts[0].reason.ends_with("the slot has another key now"), "{attempts:?}");
}

#[test]
fn a_damaged_epoch_is_damage_and_not_a_lost_key() {
    let directory = tempfile::tempdir().unwrap();
    let vault = vault(directory.path());
    let damaged = vault.store.write(|rows| {
        let (key, mut stored) = rows.last_row(Table::Epochs)?.unwrap();
        stored[20] ^= 1;
        rows.put(Table::Epochs, &key, &stored)?;
        Ok(Verdict::Commit(()))
    });
    damaged.unwrap();
    let failure = vault.get(&CredentialId::new("a").unwrap()).unwrap_err();
    assert!(matches!(failure, Error::Corrupt { .. }), "{failure:?}");
    assert!(!vault.verify(&|_, _| {}).unwrap().is_ok());
}

#[test]
fn a_slot_that_somebody_without_a_key_put_there_is_never_vouched_for() {
    let directory = tempfile::tempdir().unwrap();
    let vault = vault(directory.path());
    let planted = vault.store.write(|rows| {
        let (key, stored) = rows.last_row(Table::Slots)?.unwrap();
        // Another recipient key, with the digest that anybody can compute.
        let planted = SlotRow::from_bytes(&key, &stored).unwrap().with_recipient([9; 32]);
        rows.put(Table::Slots, &key, &planted.to_bytes())?;
        Ok(Verdict::Commit(()))
    });
    planted.unwrap();
    let added = vault.add_slot(&NewKey::Hostname("host-b".to_owned()), None);
    let removed = vault.remove_slot(1);
    for failure in [added.map(drop), removed] {
        assert!(matches!(failure, Err(Error::Corrupt { .. })), "{failure:?}");
    }
    assert_eq!(vault.slots().unwrap().len(), 2);
}
