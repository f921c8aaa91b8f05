//! What is weak about a vault and where it lies: found by looking, told with the command that
//! mends it. `doctor` lists it, and `info` warns of it. Changes nothing.

mod git;
mod places;

use chrono::{DateTime, Utc};
use credb::{Info, KdfCost, LockedVault, RotationState, Slot, SlotKind};
use serde_json::{Value, json};

use super::context::Context;
use super::hints::Hints;
use super::report::Failure;

/// Something weak.
pub(crate) struct Finding {
    /// A name that stays the same.
    pub(crate) code: &'static str,
    /// What it is.
    pub(crate) message: String,
    /// What mends it. Words in capitals are the user's to fill in.
    pub(crate) command: String,
}

impl Finding {
    fn new(code: &'static str, message: impl Into<String>, command: String) -> Self {
        Self { code, message: message.into(), command }
    }

    /// As a program gets it.
    pub(crate) fn json(&self) -> Value {
        json!({ "code": self.code, "message": self.message, "command": self.command })
    }

    /// As a warning.
    pub(crate) fn warning(&self) -> String {
        format!("{}: `{}`", self.message, self.command)
    }
}

/// All that is found; without `info` what a locked vault shows.
///
/// # Errors
///
/// Those of reading the slots of a locked vault, and where no key's place is known.
pub(crate) fn all(
    context: &Context,
    vault: &LockedVault,
    info: Option<&Info>,
) -> Result<Vec<Finding>, Failure> {
    let slots = match info {
        Some(info) => info.slots.clone(),
        None => vault.slots()?,
    };
    let mut found = of_slots(&slots, &context.hints);
    found.extend(info.and_then(|info| of_rotation(info, Utc::now(), &context.hints)));
    found.extend(places::all(vault, &context.keys()?, context.locations.home.as_deref()));
    found.extend(git::find(vault.path()));
    Ok(found)
}

fn of_slots(slots: &[Slot], hints: &Hints) -> Vec<Finding> {
    let mut found = Vec::new();
    let has_strong = slots.iter().any(|slot| !slot.kind.is_weak());
    for slot in slots.iter().filter(|slot| slot.kind.is_weak()) {
        let (number, kind) = (slot.number, slot.kind.as_str());
        let message = format!("slot {number} ({kind}) is {}", slot.strength());
        found.push(if has_strong {
            Finding::new("hostname_slot", message, hints.command(&format!("key remove {number}")))
        } else {
            let message = format!("{message}; add another key, then remove it");
            Finding::new("hostname_slot", message, hints.command("key add machine"))
        });
    }
    if slots.iter().all(|slot| slot.kind == SlotKind::Machine) {
        let message = "only this machine's secret opens the vault: without a recovery code it is \
                       lost with the machine";
        found.push(Finding::new("no_recovery", message, hints.command("key add recovery")));
    }
    for slot in slots {
        let Some(cost) = slot.cost.filter(|cost| is_low(*cost)) else { continue };
        let default = KdfCost::default();
        let message = format!(
            "a guess at the passphrase of slot {} costs {} MiB and {} passes, less than {} MiB and \
             {} passes; add it once more, then remove this slot",
            slot.number,
            cost.memory_mib(),
            cost.passes(),
            default.memory_mib(),
            default.passes()
        );
        found.push(Finding::new("weak_passphrase", message, hints.command("key add passphrase")));
    }
    found
}

/// Whether a cost is below that of new slots: in memory, or in memory times passes.
fn is_low(cost: KdfCost) -> bool {
    let work = |cost: KdfCost| u64::from(cost.memory_mib()) * u64::from(cost.passes());
    let default = KdfCost::default();
    cost.memory_mib() < default.memory_mib() || work(cost) < work(default)
}

/// What the state of a rotation is called that is not complete.
pub(crate) fn incomplete(rotation: RotationState) -> Option<&'static str> {
    match rotation {
        RotationState::Resealing { .. } => Some("resealing"),
        RotationState::ScrubPending => Some("scrub pending"),
        _ => None,
    }
}

fn of_rotation(info: &Info, now: DateTime<Utc>, hints: &Hints) -> Option<Finding> {
    let command = hints.command("key rotate");
    if let Some(state) = incomplete(info.rotation) {
        let message =
            format!("a rotation of the keys is not complete ({state}); this goes on with it");
        return Some(Finding::new("rotation_incomplete", message, command));
    }
    (info.rotation_due_at? <= now).then(|| {
        let message = "the vault's keys are older than its setting rotation.max_age allows";
        Finding::new("rotation_overdue", message, command)
    })
}
