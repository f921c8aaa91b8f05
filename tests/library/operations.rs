//! Random sequences of operations, on two handles and across reopening, against a map.

mod model;
mod pending;
mod rotation;

use credb::{Condition, Edit, Error, Overwrite, Purge, Query, Vault};
use proptest::prelude::*;

use self::model::{Model, Old};
use self::pending::Step;
use self::rotation::Part;
use crate::{Fixture, id};

/// The ids in play: few, so that operations meet.
const IDS: [&str; 4] = ["a", "a/b", "b", "\u{e9}"];

#[derive(Debug, Clone)]
enum Operation {
    Set { id: usize, password: u8 },
    SetIfAbsent { id: usize, password: u8 },
    SetIfVersion { id: usize, password: u8, version: u64 },
    Username { id: usize, username: u8 },
    Remove { id: usize },
    Get { id: usize },
    List,
    Rename { id: usize, to: usize, overwrite: bool },
    Copy { id: usize, to: usize, overwrite: bool },
    Undo { id: usize },
    UndoTo { id: usize, version: u64 },
    Purge { id: usize },
    PurgeHistory { id: usize },
    Pending { id: usize, step: Step },
    Failing { id: usize },
    Rotate(Part),
    Reopen,
    SwitchHandle,
}

fn operation() -> impl Strategy<Value = Operation> {
    let which = 0..IDS.len();
    let value = 0..3_u8;
    prop_oneof![
        4 => (which.clone(), value.clone())
            .prop_map(|(id, password)| Operation::Set { id, password }),
        2 => (which.clone(), value.clone())
            .prop_map(|(id, password)| Operation::SetIfAbsent { id, password }),
        2 => (which.clone(), value.clone(), 0..6_u64).prop_map(
            |(id, password, version)| Operation::SetIfVersion { id, password, version }
        ),
        2 => (which.clone(), value)
            .prop_map(|(id, username)| Operation::Username { id, username }),
        3 => which.clone().prop_map(|id| Operation::Remove { id }),
        3 => which.clone().prop_map(|id| Operation::Get { id }),
        2 => (which.clone(), which.clone(), any::<bool>())
            .prop_map(|(id, to, overwrite)| Operation::Rename { id, to, overwrite }),
        2 => (which.clone(), which.clone(), any::<bool>())
            .prop_map(|(id, to, overwrite)| Operation::Copy { id, to, overwrite }),
        3 => which.clone().prop_map(|id| Operation::Undo { id }),
        1 => (which.clone(), 0..8_u64)
            .prop_map(|(id, version)| Operation::UndoTo { id, version }),
        1 => which.clone().prop_map(|id| Operation::Purge { id }),
        1 => which.clone().prop_map(|id| Operation::PurgeHistory { id }),
        1 => Just(Operation::List),
        // On two of the ids, so that one step meets another.
        9 => (0..2_usize, pending::step_strategy())
            .prop_map(|(id, step)| Operation::Pending { id, step }),
        1 => which.prop_map(|id| Operation::Failing { id }),
        3 => rotation::part().prop_map(Operation::Rotate),
        1 => Just(Operation::Reopen),
        2 => Just(Operation::SwitchHandle),
    ]
}

/// Applies one operation to both and compares.
fn step(vault: &Vault, model: &mut Model, operation: &Operation) -> Result<(), TestCaseError> {
    match *operation {
        Operation::Set { id, password } => {
            set(vault, model, id, &Edit::new(), Some(password), Condition::Always)
        }
        Operation::SetIfAbsent { id, password } => {
            set(vault, model, id, &Edit::new(), Some(password), Condition::IfAbsent)
        }
        Operation::SetIfVersion { id, password, version } => {
            let condition = Condition::IfVersion(version);
            set(vault, model, id, &Edit::new(), Some(password), condition)
        }
        Operation::Username { id, username } => set_username(vault, model, id, username),
        Operation::Remove { id } => remove(vault, model, id),
        Operation::Get { id } => compare(vault, model, id),
        Operation::List => list(vault, model),
        Operation::Rename { id, to, overwrite } => {
            move_to(vault, model, (id, to), allowed(overwrite), Old::Removed)
        }
        Operation::Copy { id, to, overwrite } => {
            move_to(vault, model, (id, to), allowed(overwrite), Old::Kept)
        }
        Operation::Undo { id } => undo(vault, model, id, None),
        Operation::UndoTo { id, version } => undo(vault, model, id, Some(version)),
        Operation::Purge { id } => purge(vault, model, id, Purge::All),
        Operation::PurgeHistory { id } => purge(vault, model, id, Purge::History),
        Operation::Pending { id, step } => pending::step(vault, model, id, step),
        Operation::Failing { id: which } => {
            let failed = vault.write(|transaction| -> credb::Result<()> {
                let edit = Edit::new().password("of a change that fails");
                transaction.set_if(&id(IDS[which]), &edit, Condition::Always)?;
                Err(Error::Poisoned)
            });
            prop_assert!(failed.is_err());
            compare(vault, model, which)
        }
        Operation::Rotate(part) => {
            rotation::step(vault, part)?;
            (0..IDS.len()).try_for_each(|id| compare(vault, model, id))
        }
        Operation::Reopen | Operation::SwitchHandle => Ok(()),
    }
}

fn set(
    vault: &Vault,
    model: &mut Model,
    which: usize,
    edit: &Edit,
    password: Option<u8>,
    condition: Condition,
) -> Result<(), TestCaseError> {
    let password = password.map(|number| format!("password {number}"));
    let edit = password.as_deref().map_or_else(|| edit.clone(), |own| edit.clone().password(own));
    let result = vault.set_if(&id(IDS[which]), &edit, condition);
    if !model.holds(which, condition) {
        let conflict =
            matches!(result, Err(Error::AlreadyExists { .. } | Error::VersionMismatch { .. }));
        prop_assert!(conflict, "{result:?}");
        return compare(vault, model, which);
    }
    let expected = model.set(which, password.as_deref(), None);
    let change = result.map_err(|error| TestCaseError::fail(format!("{error:?}")))?;
    prop_assert_eq!((change.created, change.changed), expected);
    prop_assert_eq!(change.version, model.version(which));
    compare(vault, model, which)
}

/// Sets the user name alone, which a credential that is not there cannot do.
fn set_username(
    vault: &Vault,
    model: &mut Model,
    which: usize,
    username: u8,
) -> Result<(), TestCaseError> {
    let username = format!("user {username}");
    let result = vault.set(&id(IDS[which]), &Edit::new().username(&username));
    if model.present(which).is_none() {
        let refused = matches!(result, Err(Error::Invalid { .. }));
        prop_assert!(refused, "{result:?}");
        return compare(vault, model, which);
    }
    let expected = model.set(which, None, Some(&username));
    let change = result.map_err(|error| TestCaseError::fail(format!("{error:?}")))?;
    prop_assert_eq!((change.created, change.changed), expected);
    compare(vault, model, which)
}

/// A removal leaves the last version behind, on which the next one builds.
fn remove(vault: &Vault, model: &mut Model, which: usize) -> Result<(), TestCaseError> {
    let result = vault.remove(&id(IDS[which]));
    prop_assert_eq!(result.is_ok(), model.present(which).is_some());
    model.remove(which);
    compare(vault, model, which)
}

/// A new version of an earlier one's content.
fn undo(
    vault: &Vault,
    model: &mut Model,
    which: usize,
    to: Option<u64>,
) -> Result<(), TestCaseError> {
    let result =
        vault.write(|transaction| transaction.undo(&id(IDS[which]), to, Condition::Always));
    let created = model.present(which).is_none();
    match (model.undo(which, to), result) {
        (Some((to, changed)), Ok(undone)) => {
            prop_assert_eq!((undone.to, undone.change.changed), (to, changed));
            prop_assert_eq!(undone.change.created, created);
            prop_assert_eq!(undone.change.version, model.version(which));
        }
        (None, Err(Error::NotFound { .. })) => prop_assert!(!model.knows(which)),
        (None, Err(Error::VersionNotFound { .. } | Error::NoEarlierVersion { .. })) => {
            prop_assert!(model.knows(which));
        }
        (expected, result) => prop_assert!(false, "{:?}: {:?}", expected, result),
    }
    compare(vault, model, which)
}

fn purge(vault: &Vault, model: &mut Model, which: usize, what: Purge) -> Result<(), TestCaseError> {
    let result =
        vault.write(|transaction| transaction.purge(&id(IDS[which]), what, Condition::Always));
    match (model.purge(which, what), result) {
        (Some(versions), Ok(dropped)) => prop_assert_eq!(dropped, versions as u64),
        (None, Err(Error::NotFound { .. })) => {}
        (expected, result) => prop_assert!(false, "{:?}: {:?}", expected, result),
    }
    compare(vault, model, which)
}

fn allowed(overwrite: bool) -> Overwrite {
    if overwrite { Overwrite::Allowed } else { Overwrite::Never }
}

/// Renames or copies. A refusal leaves the transaction usable: it is asked for beside a change
/// that stays.
fn move_to(
    vault: &Vault,
    model: &mut Model,
    (from, to): (usize, usize),
    overwrite: Overwrite,
    old: Old,
) -> Result<(), TestCaseError> {
    let beside = Edit::new().password("beside").username("");
    let moved = vault.write(|transaction| {
        transaction.set_if(&id("beside"), &beside, Condition::Always)?;
        let result = match old {
            Old::Removed => {
                transaction.rename(&id(IDS[from]), &id(IDS[to]), overwrite, Condition::Always)
            }
            Old::Kept => transaction.copy(&id(IDS[from]), &id(IDS[to]), overwrite),
        };
        transaction.remove_if(&id("beside"), Condition::Always)?;
        Ok(result)
    });
    let moved = moved.map_err(|error| TestCaseError::fail(format!("{error:?}")))?;
    let Some(source) = model.present(from).cloned() else {
        prop_assert!(matches!(moved, Err(Error::NotFound { .. })), "{:?}", moved);
        return Ok(());
    };
    if model.present(to).is_some() && overwrite == Overwrite::Never {
        prop_assert!(matches!(moved, Err(Error::AlreadyExists { .. })), "{:?}", moved);
        return compare(vault, model, from);
    }
    let waits = model.present(to).is_some_and(|target| target.pending.is_some());
    if waits && !(from == to && old == Old::Removed) {
        prop_assert!(matches!(moved, Err(Error::Pending { .. })), "{:?}", moved);
        return compare(vault, model, to);
    }
    let change = moved.map_err(|error| TestCaseError::fail(format!("{error:?}")))?;
    prop_assert_eq!(change.created, model.present(to).is_none());
    prop_assert_eq!(change.changed, model.move_to(from, to, old, &source));
    prop_assert_eq!(change.version, model.version(to));
    compare(vault, model, from)?;
    compare(vault, model, to)
}

fn compare(vault: &Vault, model: &Model, which: usize) -> Result<(), TestCaseError> {
    let id = id(IDS[which]);
    let found = vault.read(|snapshot| snapshot.find(&id)).expect("read");
    let expected = model.present(which);
    prop_assert_eq!(found.is_some(), expected.is_some());
    prop_assert_eq!(vault.exists(&id).expect("exists"), expected.is_some());
    if let (Some(found), Some(expected)) = (found, expected) {
        prop_assert_eq!(found.password.expose_str(), Some(expected.password.as_str()));
        prop_assert_eq!(found.metadata.username.unwrap_or_default(), expected.username.clone());
        prop_assert_eq!(found.metadata.version, expected.version);
        let pending = found.pending.as_ref().map(|pending| pending.password.expose_str());
        prop_assert_eq!(pending.flatten(), expected.pending.as_deref());
    }
    let history = match vault.history(&id) {
        Ok(history) => Some(history),
        Err(Error::NotFound { .. }) => None,
        Err(error) => return Err(TestCaseError::fail(format!("{error:?}"))),
    };
    let history = history.map(|all| {
        let row = |earlier: credb::Earlier| {
            let credential = earlier.credential;
            let text = credential.password.expose_str().expect("text").to_owned();
            let username = credential.metadata.username.unwrap_or_default();
            (credential.metadata.version, earlier.lineage, text, username)
        };
        all.into_iter().map(row).collect::<Vec<_>>()
    });
    prop_assert_eq!(history, model.history(which));
    if model.knows(which) {
        let left = vault.read(|snapshot| snapshot.left_behind(&id)).expect("a look at all");
        let places = left.into_iter().map(|earlier| earlier.credential.metadata);
        let places: Vec<_> = places.map(|one| (one.id.to_string(), one.version)).collect();
        let expected = model.left_behind(which).into_iter();
        prop_assert_eq!(places, expected.map(|(id, v)| (id.to_owned(), v)).collect::<Vec<_>>());
    }
    undo_would(vault, model, which)
}

/// What an undo would go back to, in every state: it is done in a transaction that fails.
fn undo_would(vault: &Vault, model: &Model, which: usize) -> Result<(), TestCaseError> {
    let mut done = None;
    let failed = vault.write(|transaction| -> credb::Result<()> {
        done = transaction.undo(&id(IDS[which]), None, Condition::Always).ok();
        Err(Error::Poisoned)
    });
    prop_assert!(failed.is_err());
    let done = done.map(|undone| (undone.to, undone.change.changed));
    prop_assert_eq!(done, model.clone().undo(which, None));
    Ok(())
}

fn list(vault: &Vault, model: &Model) -> Result<(), TestCaseError> {
    let listed = vault.list(&Query::all()).expect("list");
    let listed: Vec<(String, u64)> =
        listed.into_iter().map(|one| (one.id.as_str().to_owned(), one.version)).collect();
    prop_assert_eq!(listed, model.list());
    Ok(())
}

proptest! {
    // Each case makes a vault and syncs it many times: few cases, long sequences.
    #![proptest_config(ProptestConfig {
        cases: 24,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_sequence_of_operations_does_what_a_map_would(
        operations in prop::collection::vec(operation(), 1..60),
        keep in prop_oneof![Just(0), Just(1), Just(3), Just(10)],
    ) {
        let fixture = Fixture::new();
        fixture.vault.configure(|config| config.history_keep = keep).expect("configure");
        let mut handles = [fixture.open(), fixture.open()];
        let mut model = Model::new(keep);
        let mut current = 0;
        for operation in &operations {
            match operation {
                Operation::Reopen => handles[current] = fixture.open(),
                Operation::SwitchHandle => current = 1 - current,
                operation => step(&handles[current], &mut model, operation)?,
            }
        }
        for handle in &handles {
            list(handle, &model)?;
            for which in 0..IDS.len() {
                compare(handle, &model, which)?;
            }
        }
        let found = fixture.vault.verify(&|_, _| {}).expect("verify");
        prop_assert!(found.is_ok(), "{:?}", found.damaged);
        let beside = fixture.vault.history(&id("beside")).map_or(0, |all| all.len() as u64);
        prop_assert_eq!(found.checked.history, model.rows() + beside);
    }
}
