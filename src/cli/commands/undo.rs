//! `undo`: an earlier version's content as a new version.

use credb::Condition;
use credb::exchange::json;

use crate::cli::args::UndoArgs;
use crate::cli::context::Context;
use crate::cli::report::Failure;

/// Goes back one change, or to the version asked for.
pub(super) fn run(context: &Context, args: UndoArgs) -> Result<(), Failure> {
    let id = args.id.parse()?;
    let condition = args.if_version.map_or(Condition::Always, Condition::IfVersion);
    let vault = context.open()?;
    let undone = vault.write(|transaction| transaction.undo(&id, args.to, condition))?;
    let (to, version) = (undone.to, undone.change.version);
    context.output.confirm(&if undone.change.changed {
        format!("{id} is as it was at version {to} (version {version})")
    } else {
        format!("{id} is unchanged (version {version})")
    });
    if context.output.is_json() {
        let mut document = json::change(&undone.change);
        document["to"] = to.into();
        return context.output.json(&document);
    }
    Ok(())
}
