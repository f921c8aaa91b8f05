//! `key trust`: knows the vault that is at its path now.

use credb::LockedVault;
use serde_json::json;

use crate::cli::args::KeyTrustArgs;
use crate::cli::commands::path_text;
use crate::cli::context::Context;
use crate::cli::keys;
use crate::cli::prompt::Answer;
use crate::cli::report::Failure;

/// Knows it after asking, or without where that was asked for.
pub(super) fn run(context: &Context, args: &KeyTrustArgs) -> Result<(), Failure> {
    let path = context.vault_path()?;
    let locked = LockedVault::open(&path, &context.options_for_copy(context.globals.wait))?;
    let found = locked.vault_id();
    // Somewhere is where the machine secret would be.
    context.locations.known_vaults().map_err(|error| keys::nowhere(&error))?;
    let Some(known) = context.known_vaults() else { return Ok(()) };
    let before = known.at(&path)?.filter(|before| *before != found);
    if let Some(before) = before.filter(|_| !args.force) {
        let Some(prompt) = context.prompt() else {
            let command = context.hints.command("key trust --force");
            return Err(Failure::usage(
                "trusting another vault asks first, and nobody can be asked",
            )
            .with_hint(format!("without asking: `{command}`")));
        };
        let question = format!("{} was vault {before}. Trust {found} there?", path.display());
        if prompt.confirm(&question, Answer::No)? == Answer::No {
            return Err(Failure::Cancelled);
        }
    }
    known.pin(&path, found)?;
    context.output.confirm(&format!("vault {found} is known at {}", path.display()));
    if context.output.is_json() {
        return context.output.json(&json!({
            "path": path_text(locked.path()),
            "vault_id": found.to_string(),
            "replaced": before.map(|before| before.to_string()),
        }));
    }
    Ok(())
}
