//! A new vault key, and with it a new epoch: one transaction, after which the older vault key
//! opens nothing that is written.

use chrono::{SubsecRound, Utc};

use super::{Rotated, RotationState};
use crate::error::{Error, Result};
use crate::keys::{EpochRow, VaultKey};
use crate::store::{Table, Verdict, WriteRows};
use crate::vault::locked::slot_rows;
use crate::vault::settings;
use crate::vault::verify::Progress;
use crate::vault::{Vault, epochs::Epochs};

impl Vault {
    /// As [`Self::rotate`], after giving the vault a new vault key too: whoever had the older one,
    /// or a slot that was removed, opens neither the vault nor a copy made afterwards. The new key
    /// is wrapped for all slots, those whose secrets are elsewhere included, but for those in
    /// `drop`, which are removed. Handles that came through a slot that is left go on; others get
    /// [`Error::Locked`]. A rotation that is under way is completed first.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] naming all slots that the new key cannot be wrapped for, or if `drop`
    /// has the slot that this handle came through; [`Error::SlotNotFound`] if it has one that is
    /// not there. Nothing was changed then. Those of [`Self::rotate`].
    pub fn rotate_vault_key(
        &self,
        drop: &[u32],
        resealing: Progress<'_>,
        scrubbing: Progress<'_>,
    ) -> Result<Rotated> {
        let mut rows = 0;
        while !self.begin_vault_key_rotation(drop)? {
            rows += self.reseal_all(resealing)?;
            self.compact(scrubbing)?;
        }
        rows += self.reseal_all(resealing)?;
        self.compact(scrubbing)?;
        let epoch = self.current_epoch()?;
        Ok(Rotated { epoch, rows, resumed: false })
    }

    /// Makes a new vault key and a new epoch; `false` if a rotation is not complete yet, and
    /// nothing was changed. [`Self::reseal_some`] and [`Self::compact`] do the rest.
    ///
    /// # Errors
    ///
    /// Those of [`Self::rotate_vault_key`].
    pub fn begin_vault_key_rotation(&self, drop: &[u32]) -> Result<bool> {
        let now = Utc::now().trunc_subsecs(6);
        let new = VaultKey::generate(self.id.0);
        self.store.write(|rows| {
            // This checks the slots, and the recipient keys in them, under the old vault key.
            let mut state = self.rotation(rows)?;
            let keys = std::sync::Arc::clone(&state.keys);
            if RotationState::of(keys.epochs(), &state.manifest, &state.settings)
                != RotationState::Complete
            {
                return Ok(Verdict::Rollback(false));
            }
            let old = keys.vault_key();
            self.rewrap_slots(rows, old, &new, drop)?;
            for (key, stored) in Epochs::stored(rows)? {
                let damaged = |reason| Error::corrupt("the row of an epoch", reason);
                let epoch = EpochRow::open(old, &key, &stored).map_err(damaged)?;
                rows.put(Table::Epochs, &key, &epoch.seal(&new))?;
            }
            let next = EpochRow::generate(state.next_epoch()?);
            rows.put(Table::Epochs, &next.key(), &next.seal(&new))?;
            state.settings.set_rotated_at(now);
            rows.put(Table::Settings, settings::KEY, &state.settings.seal(&new))?;
            state.manifest.renew_fixed(rows, &new)?;
            state.manifest.write(rows, &new, now)?;
            Ok(Verdict::Commit(true))
        })
    }

    /// Wraps the new key for every slot that is kept; nothing is to be committed on an error.
    fn rewrap_slots(
        &self,
        rows: &mut dyn WriteRows,
        old: &VaultKey,
        new: &VaultKey,
        drop: &[u32],
    ) -> Result<()> {
        let slots = slot_rows(rows)?;
        let absent = |number: &&u32| slots.iter().all(|(own, _)| own != *number);
        if let Some(slot) = drop.iter().find(absent) {
            return Err(Error::SlotNotFound { slot: *slot });
        }
        let own = self.keys.slot_key();
        if drop.contains(&own.number()) {
            let reason = "is the one in use: open the vault with another key to drop it";
            return Err(Error::invalid(format!("slot {}", own.number()), reason));
        }
        let mut refused = Vec::new();
        for (number, slot) in slots {
            if drop.contains(&number) {
                rows.delete(Table::Slots, &number.to_be_bytes())?;
                continue;
            }
            let held = (number == own.number()).then_some(own);
            match slot.and_then(|slot| slot.rewrapped(old, new, held)) {
                Ok(slot) => rows.put(Table::Slots, &slot.key(), &slot.to_bytes())?,
                Err(reason) => refused.push(format!("slot {number} ({reason})")),
            }
        }
        if refused.is_empty() {
            return Ok(());
        }
        let reason =
            format!("cannot be wrapped for {}: drop it, or add it again", refused.join(", "));
        Err(Error::invalid("new vault key", reason))
    }
}
