//! `rename`: a credential under another id.

use std::ffi::OsString;

use credb::exchange::json;
use credb::{Change, Condition, CredentialId, Overwrite};

use crate::cli::args::{MoveArgs, RenameArgs};
use crate::cli::context::Context;
use crate::cli::input;
use crate::cli::report::Failure;

/// Renames.
pub(super) fn run(context: &Context, args: RenameArgs) -> Result<(), Failure> {
    let condition = args.if_version.map_or(Condition::Always, Condition::IfVersion);
    let overwrite = overwrite(&args.ids);
    let (id, to) = two(ids(args.ids)?)?;
    let change =
        context.open()?.write(|transaction| transaction.rename(&id, &to, overwrite, condition))?;
    confirm(context, "renamed", &format!("{id} to {to}"), &change);
    if context.output.is_json() {
        return context.output.json(&json::moved(&id, &change));
    }
    Ok(())
}

/// Says what was done, if anything was.
pub(super) fn confirm(context: &Context, done: &str, what: &str, change: &Change) {
    let done = if change.changed { done } else { "unchanged:" };
    context.output.confirm(&format!("{done} {what} (version {})", change.version));
}

pub(super) fn overwrite(args: &MoveArgs) -> Overwrite {
    if args.force { Overwrite::Allowed } else { Overwrite::Never }
}

/// The ids in their order, which is known only if all are given in the same way.
pub(super) fn ids(args: MoveArgs) -> Result<Vec<CredentialId>, Failure> {
    if !args.ids.is_empty() && !args.id_options.is_empty() {
        let message = "the IDs are arguments or options --id, not both: OLD and NEW have an order";
        return Err(Failure::usage(message));
    }
    let ids: Vec<OsString> = args.id_options.into_iter().chain(args.ids).collect();
    ids.into_iter().map(input::id).collect()
}

/// Exactly two ids.
pub(super) fn two(ids: Vec<CredentialId>) -> Result<(CredentialId, CredentialId), Failure> {
    <[CredentialId; 2]>::try_from(ids)
        .map(Into::into)
        .map_err(|_| Failure::usage("two IDs are needed, OLD and NEW"))
}
