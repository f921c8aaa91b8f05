//! Passwords that wait to take the place of the present one: prepared, accepted and abandoned.
//!
//! Would break: a step that is done without its condition, that keeps no earlier version, or that
//! leaves a password waiting which was accepted, abandoned or removed; a change of another kind
//! that loses a waiting password, or takes it to a copy.

use credb::{Change, Condition, Error, Patch, Vault};
use proptest::prelude::*;

use super::model::Model;
use super::{IDS, compare};
use crate::id;

/// One step, on condition of a version if there is one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    kind: Kind,
    version: Option<u64>,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    /// With a password of those that are set, too.
    Prepare(u8),
    Accept,
    Abandon,
}

pub(super) fn step_strategy() -> impl Strategy<Value = Step> {
    let kind = prop_oneof![
        3 => (0..3_u8).prop_map(Kind::Prepare),
        2 => Just(Kind::Accept),
        1 => Just(Kind::Abandon),
    ];
    let version = prop_oneof![9 => Just(None), 1 => (1..6_u64).prop_map(Some)];
    (kind, version).prop_map(|(kind, version)| Step { kind, version })
}

/// Takes the step in both and compares.
pub(super) fn step(
    vault: &Vault,
    model: &mut Model,
    which: usize,
    step: Step,
) -> Result<(), TestCaseError> {
    let condition = step.version.map_or(Condition::Always, Condition::IfVersion);
    let own = id(IDS[which]);
    let result = vault.write(|transaction| match step.kind {
        Kind::Prepare(number) => {
            transaction.prepare(&own, &password(number).as_str().into(), condition)
        }
        Kind::Accept => transaction.accept(&own, condition, &Patch::Clear),
        Kind::Abandon => transaction.abandon(&own, condition),
    });
    let Some(before) = model.present(which).cloned() else {
        prop_assert!(matches!(result, Err(Error::NotFound { .. })), "{:?}", result);
        return compare(vault, model, which);
    };
    if !model.holds(which, condition) {
        prop_assert!(matches!(result, Err(Error::VersionMismatch { .. })), "{:?}", result);
        return compare(vault, model, which);
    }
    let done = match step.kind {
        Kind::Prepare(number) => model.prepare(which, &password(number)),
        Kind::Accept => model.accept(which),
        Kind::Abandon => model.abandon(which),
    };
    match (done, step.kind, result) {
        (true, _, Ok(Change { version, created, changed, .. })) => {
            prop_assert_eq!((version, created, changed), (before.version + 1, false, true));
        }
        (false, Kind::Prepare(_), Err(Error::Pending { .. })) => {
            prop_assert!(before.pending.is_some());
        }
        (false, Kind::Prepare(number), Err(Error::Invalid { .. })) => {
            prop_assert!(before.pending.is_none());
            prop_assert_eq!(before.password, password(number));
        }
        (false, Kind::Accept | Kind::Abandon, Err(Error::NotPending { .. })) => {}
        (done, _, result) => prop_assert!(false, "{}: {:?}", done, result),
    }
    compare(vault, model, which)
}

fn password(number: u8) -> String {
    format!("password {number}")
}
