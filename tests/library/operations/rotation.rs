//! Rotations of keys among the operations: no answer but the state of the rotation may change.

use credb::{Resealed, RotationState, Vault};
use proptest::prelude::*;

/// A part of a rotation, or of what ends it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part {
    Begin,
    BeginWithVaultKey,
    Reseal,
    Compact,
    Whole,
}

pub(super) fn part() -> impl Strategy<Value = Part> {
    prop_oneof![
        2 => Just(Part::Begin),
        2 => Just(Part::BeginWithVaultKey),
        3 => Just(Part::Reseal),
        1 => Just(Part::Compact),
        1 => Just(Part::Whole),
    ]
}

/// Does the part and compares how far the rotation is with how far it was.
pub(super) fn step(vault: &Vault, part: Part) -> Result<(), TestCaseError> {
    let state = || vault.info().expect("info").rotation;
    let before = state();
    match part {
        Part::Begin | Part::BeginWithVaultKey => {
            let begun = match part {
                Part::Begin => vault.begin_rotation(),
                _ => vault.begin_vault_key_rotation(&[]),
            };
            let begun = begun.expect("begin a rotation");
            prop_assert_eq!(begun, before == RotationState::Complete);
            if !begun {
                prop_assert_eq!(state(), before);
            }
        }
        Part::Reseal => match (before, vault.reseal_some().expect("a step of a rotation")) {
            (RotationState::Resealing { rows: 0 }, Resealed::All) => {
                prop_assert_eq!(state(), RotationState::ScrubPending);
            }
            (RotationState::Resealing { rows: all }, Resealed::Some { rows, left }) => {
                prop_assert_eq!(rows + left, all);
                prop_assert_eq!(state(), RotationState::Resealing { rows: left });
            }
            (RotationState::Complete | RotationState::ScrubPending, Resealed::All) => {
                prop_assert_eq!(state(), before);
            }
            (_, resealed) => prop_assert!(false, "{:?} of {:?}", resealed, before),
        },
        Part::Compact => {
            vault.compact(&|_, _| {}).expect("compact");
            let resealing = matches!(before, RotationState::Resealing { .. });
            prop_assert_eq!(state(), if resealing { before } else { RotationState::Complete });
        }
        Part::Whole => {
            let done = vault.rotate(&|_, _| {}, &|_, _| {}).expect("rotate");
            prop_assert_eq!(done.resumed, before != RotationState::Complete);
            prop_assert_eq!(state(), RotationState::Complete);
        }
    }
    Ok(())
}
