//! `unlock` and `lock`: the kernel holds a key of the vault for a while.

use std::time::Duration;

use credb::LockedVault;
use credb::exchange::json::time;
use serde_json::json;

use super::path_text;
use crate::cli::args::UnlockArgs;
use crate::cli::context::Context;
use crate::cli::report::Failure;
use crate::cli::when;

/// How long a vault stays unlocked if nothing else is asked for.
const USUAL: Duration = Duration::from_secs(15 * 60);

/// Opens the vault, by asking if need be, and has the kernel hold the key.
pub(super) fn unlock(context: &Context, args: &UnlockArgs) -> Result<(), Failure> {
    let wrong = || Failure::usage(format!("the value of --for {}", when::SPANS));
    let span = args.time.as_deref().map(|text| when::span(text).ok_or_else(wrong)).transpose()?;
    let span = span.map_or(Ok(USUAL), |span| span.to_std().map_err(|_| wrong()))?;
    let vault = context.open()?;
    let until = vault.stay_unlocked(span)?;
    let shown = when::short(until);
    context.output.confirm(&format!("{} is unlocked until {shown}", vault.path().display()));
    if context.output.is_json() {
        return context.output.json(&json!({
            "path": path_text(vault.path()),
            "vault_id": vault.vault_id().to_string(),
            "unlocked_until": time(until),
        }));
    }
    Ok(())
}

/// Has the kernel forget it. What opens the vault without it goes on doing so.
pub(super) fn lock(context: &Context) -> Result<(), Failure> {
    let locked = LockedVault::open(&context.vault_path()?, &context.options())?;
    let was_unlocked = locked.forget()?;
    let path = locked.path().display();
    context.output.confirm(&if was_unlocked {
        format!("locked {path}")
    } else {
        format!("{path} was not unlocked")
    });
    if context.output.is_json() {
        return context.output.json(&json!({
            "path": path_text(locked.path()),
            "vault_id": locked.vault_id().to_string(),
            "was_unlocked": was_unlocked,
        }));
    }
    Ok(())
}
