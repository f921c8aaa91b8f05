//! Rotations in a storm: of the epoch, and of the vault key with it, begun, gone on with and killed
//! by whoever comes along.

use credb::{Error, Resealed, Result, Vault};

use super::log::Writer;
use crate::support::Random;

/// Rotates, or does a part of it: what is begun others find unfinished.
pub(super) fn rotate(vault: &Vault, random: &mut Random, writer: &Writer) -> Result<()> {
    let done = match random.below(5) {
        0 => vault.begin_rotation().map(drop),
        1 => vault.begin_vault_key_rotation(&[]).map(drop),
        2 => vault.reseal_some().map(drop),
        3 => vault.rotate(&|_, _| {}, &|_, _| {}).map(|done| writer.rotated(done.epoch)),
        _ => vault
            .rotate_vault_key(&[], &|_, _| {}, &|_, _| {})
            .map(|done| writer.rotated(done.epoch)),
    };
    match done {
        Err(Error::OutcomeUnknown { .. }) => Ok(()),
        done => done,
    }
}

/// What others left of a rotation can be completed.
pub(super) fn complete(vault: &Vault) {
    while matches!(vault.reseal_some().expect("a step of a rotation"), Resealed::Some { .. }) {}
    vault.compact(&|_, _| {}).expect("compact");
    let info = vault.info().expect("info");
    assert_eq!(info.rotation, credb::RotationState::Complete);
}
