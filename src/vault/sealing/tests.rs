//! Large transactions, whose rows are sealed by two threads.

use crate::credential::{Condition, CredentialId, Edit};
use crate::error::{Error, Result};
use crate::vault::tests::vault;
use crate::vault::{Overwrite, Query, Transaction, Vault};

/// Many groups of those that the second thread takes (64), so that it is at work meanwhile.
const MANY: usize = 20 * 64 + 7;

fn id(number: usize) -> CredentialId {
    CredentialId::new(format!("id{number:05}")).unwrap()
}

fn add(transaction: &mut Transaction<'_>, numbers: std::ops::Range<usize>) -> Result<()> {
    for number in numbers {
        let edit = Edit::new().password(format!("password {number}"));
        transaction.set_if(&id(number), &edit, Condition::IfAbsent)?;
    }
    Ok(())
}

fn assert_sound(vault: &Vault) {
    let found = vault.verify(&|_, _| {}).unwrap();
    assert!(found.is_ok(), "{found:?}");
}

/// Fails if a row is stored with another's bytes, is not counted, or is not summed up.
#[test]
fn all_rows_of_a_large_transaction_are_stored_and_summed_up() {
    let (_dir, vault) = vault();
    vault.write(|transaction| add(transaction, 0..MANY)).unwrap();
    assert_sound(&vault);
    assert_eq!(vault.list(&Query::all()).unwrap().len(), MANY);
    for number in 0..MANY {
        let found = vault.get(&id(number)).unwrap();
        assert_eq!(found.password.expose(), format!("password {number}").as_bytes());
    }
}

/// Fails if the transaction does not see a row that is not sealed yet, or if what replaces such a
/// row leaves it in the sums.
#[test]
fn rows_that_are_not_sealed_yet_are_read_and_changed() {
    let (_dir, vault) = vault();
    vault
        .write(|transaction| {
            for number in 0..MANY {
                add(transaction, number..number + 1)?;
                match number % 4 {
                    0 => {
                        let second = Edit::new().password("second");
                        let change = transaction.set_if(&id(number), &second, Condition::Always)?;
                        assert_eq!(change.version, 2);
                    }
                    1 => transaction.remove_if(&id(number), Condition::IfVersion(1))?,
                    2 => {
                        let to = id(number + MANY);
                        let always = Condition::Always;
                        transaction.rename(&id(number), &to, Overwrite::Never, always)?;
                    }
                    _ => {
                        let found = transaction.get(&id(number))?;
                        let password = format!("password {number}");
                        assert_eq!(found.password.expose(), password.as_bytes());
                    }
                }
                if number % 300 == 299 {
                    let removed = (0..=number).filter(|number| number % 4 == 1).count();
                    let listed = transaction.list(&Query::all())?.len();
                    assert_eq!(listed, number + 1 - removed);
                }
            }
            Ok(())
        })
        .unwrap();
    assert_sound(&vault);
    assert_eq!(vault.get(&id(0)).unwrap().password.expose(), b"second");
    assert!(!vault.exists(&id(1)).unwrap() && !vault.exists(&id(2)).unwrap());
    assert!(vault.exists(&id(2 + MANY)).unwrap() && vault.exists(&id(3)).unwrap());
}

/// Fails if the helper outlives a transaction that is given up, or leaves anything of it.
#[test]
fn a_large_transaction_that_is_given_up_leaves_nothing() {
    let (_dir, vault) = vault();
    vault.write(|transaction| add(transaction, 0..10)).unwrap();
    let given_up = vault.write(|transaction| {
        add(transaction, 10..MANY)?;
        add(transaction, 0..1)
    });
    assert!(matches!(given_up, Err(Error::AlreadyExists { .. })), "{given_up:?}");
    assert_sound(&vault);
    assert_eq!(vault.list(&Query::all()).unwrap().len(), 10);
    vault.write(|transaction| add(transaction, 10..MANY)).unwrap();
    assert_sound(&vault);
}
