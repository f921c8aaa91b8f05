//! Random sequences of operations, on two handles and across reopening, against a map.

use std::collections::BTreeMap;

use credb::{Condition, Edit, Error, Overwrite, Query, Vault};
use proptest::prelude::*;

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
    Failing { id: usize },
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
        1 => Just(Operation::List),
        1 => which.prop_map(|id| Operation::Failing { id }),
        1 => Just(Operation::Reopen),
        2 => Just(Operation::SwitchHandle),
    ]
}

/// What a credential should be. Kept after removal for its version.
#[derive(Debug, Clone, Default)]
struct Expected {
    present: bool,
    password: String,
    username: String,
    version: u64,
}

#[derive(Default)]
struct Model(BTreeMap<&'static str, Expected>);

impl Model {
    fn version(&self, id: usize) -> u64 {
        self.present(id).map_or(0, |expected| expected.version)
    }

    fn present(&self, id: usize) -> Option<&Expected> {
        self.0.get(IDS[id]).filter(|expected| expected.present)
    }

    fn holds(&self, id: usize, condition: Condition) -> bool {
        match condition {
            Condition::Always => true,
            Condition::IfAbsent => self.version(id) == 0,
            Condition::IfVersion(version) => self.version(id) == version,
        }
    }

    /// Whether it was created and whether anything changed.
    fn set(&mut self, id: usize, password: Option<&str>, username: Option<&str>) -> (bool, bool) {
        let expected = self.0.entry(IDS[id]).or_default();
        let created = !expected.present;
        if created {
            let version = expected.version;
            *expected = Expected { present: true, version, ..Expected::default() };
        }
        let same_password = password.is_none_or(|new| new == expected.password);
        let same_username = username.is_none_or(|new| new == expected.username);
        let changed = created || !same_password || !same_username;
        if changed {
            password.unwrap_or(&expected.password.clone()).clone_into(&mut expected.password);
            username.unwrap_or(&expected.username.clone()).clone_into(&mut expected.username);
            expected.version += 1;
        }
        (created, changed)
    }
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
        Operation::Failing { id: which } => {
            let failed = vault.write(|transaction| -> credb::Result<()> {
                let edit = Edit::new().password("of a change that fails");
                transaction.set_if(&id(IDS[which]), &edit, Condition::Always)?;
                Err(Error::Poisoned)
            });
            prop_assert!(failed.is_err());
            compare(vault, model, which)
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
    if let Some(expected) = model.0.get_mut(IDS[which]) {
        expected.present = false;
    }
    compare(vault, model, which)
}

/// What becomes of the credential under the old id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Old {
    Removed,
    Kept,
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
            Old::Removed => transaction.rename(&id(IDS[from]), &id(IDS[to]), overwrite),
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
    let change = moved.map_err(|error| TestCaseError::fail(format!("{error:?}")))?;
    let last = model.0.get(IDS[to]).map_or(0, |target| target.version);
    let same = model.present(to).is_some_and(|target| {
        (&target.password, &target.username) == (&source.password, &source.username)
    });
    prop_assert_eq!(change.created, model.present(to).is_none());
    let last = if old == Old::Removed { last.max(source.version) } else { last };
    let unchanged = from == to || (same && old == Old::Kept);
    prop_assert_eq!(change.changed, !unchanged);
    if !unchanged {
        model.0.insert(IDS[to], Expected { version: last + 1, ..source });
        if let Some(left) = model.0.get_mut(IDS[from]).filter(|_| old == Old::Removed) {
            left.present = false;
        }
    }
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
    }
    Ok(())
}

fn list(vault: &Vault, model: &Model) -> Result<(), TestCaseError> {
    let listed = vault.list(&Query::all()).expect("list");
    let listed: Vec<(String, u64)> =
        listed.into_iter().map(|one| (one.id.as_str().to_owned(), one.version)).collect();
    let present = model.0.iter().filter(|(_, expected)| expected.present);
    let expected: Vec<(String, u64)> =
        present.map(|(id, expected)| ((*id).to_owned(), expected.version)).collect();
    prop_assert_eq!(listed, expected);
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
    ) {
        let fixture = Fixture::new();
        let mut handles = [fixture.open(), fixture.open()];
        let mut model = Model::default();
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
    }
}
