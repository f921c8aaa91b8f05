//! `compact`: gives free space of the vault's file back.

use serde_json::json;

use super::path_text;
use crate::cli::context::Context;
use crate::cli::process;
use crate::cli::progress::Progress;
use crate::cli::report::Failure;

/// Rebuilds the file and says how much smaller it is.
pub(super) fn run(context: &Context) -> Result<(), Failure> {
    process::survive_damage();
    let vault = context.open()?;
    let compaction = {
        let progress = Progress::start(&context.output, "compacting");
        vault.compact(&|done, all| progress.update(done, all))?
    };
    let (before, after) = (compaction.before, compaction.after);
    let path = vault.path();
    context.output.confirm(&match before.saturating_sub(after) {
        0 => format!("nothing to give back: {} has {after} bytes", path.display()),
        less => format!("gave {less} bytes back: {} has {after} bytes now", path.display()),
    });
    if context.output.is_json() {
        return context.output.json(&json!({
            "path": path_text(path),
            "before_bytes": before,
            "after_bytes": after,
        }));
    }
    Ok(())
}
