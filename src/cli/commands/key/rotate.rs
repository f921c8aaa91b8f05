//! `key rotate`: new keys for all rows, while others read and write.

use std::cell::{OnceCell, RefCell};

use serde_json::json;

use crate::cli::args::KeyRotateArgs;
use crate::cli::commands::count;
use crate::cli::context::Context;
use crate::cli::process;
use crate::cli::progress::Progress;
use crate::cli::report::Failure;

/// What a new epoch does not do.
const NOT_REVOKED: &str = "whoever has the vault's key or a key slot's still opens it: `credb key rotate --vault-key` ends that";

/// Rotates, or completes what was begun.
pub(super) fn run(context: &Context, args: &KeyRotateArgs) -> Result<(), Failure> {
    process::survive_damage();
    // Each step may wait anew: there are as many as the vault has rows for.
    let vault = context.open_to_stay()?;
    let rotated = {
        let resealing = RefCell::new(Some(Progress::start(&context.output, "resealing")));
        let compacting = OnceCell::new();
        let scrubbing = |done, all| {
            resealing.take();
            let start = || Progress::start(&context.output, "compacting");
            compacting.get_or_init(start).update(done, all);
        };
        let resealed = |done, all| {
            if let Some(progress) = &*resealing.borrow() {
                progress.update(done, all);
            }
        };
        if args.vault_key {
            vault.rotate_vault_key(&args.drop_slot, &resealed, &scrubbing)?
        } else {
            vault.rotate(&resealed, &scrubbing)?
        }
    };
    let rows = count(rotated.rows, "row", "rows");
    let resumed = if rotated.resumed { "completed the rotation that was under way: " } else { "" };
    context
        .output
        .confirm(&format!("{resumed}sealed {rows} again: all are in epoch {} now", rotated.epoch));
    if !args.vault_key {
        context.output.note(NOT_REVOKED);
    }
    if context.output.is_json() {
        return context.output.json(&json!({
            "epoch": rotated.epoch,
            "rows": rotated.rows,
            "resumed": rotated.resumed,
            "vault_key": args.vault_key,
        }));
    }
    Ok(())
}
