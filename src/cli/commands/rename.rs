//! `rename` and `copy`: a credential under another id.

use std::ffi::OsString;

use credb::exchange::json;
use credb::{CredentialId, Overwrite};

use crate::cli::args::MoveArgs;
use crate::cli::context::Context;
use crate::cli::input;
use crate::cli::report::Failure;

/// What becomes of the credential under the old id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Old {
    Removed,
    Kept,
}

/// Renames or copies.
pub(super) fn run(context: &Context, args: MoveArgs, old: Old) -> Result<(), Failure> {
    let overwrite = if args.force { Overwrite::Allowed } else { Overwrite::Never };
    let (id, to) = ids(args.ids, args.id_options)?;
    let change = context.open()?.write(|transaction| match old {
        Old::Removed => transaction.rename(&id, &to, overwrite),
        Old::Kept => transaction.copy(&id, &to, overwrite),
    })?;
    let done = match (change.changed, old) {
        (true, Old::Removed) => "renamed",
        (true, Old::Kept) => "copied",
        (false, _) => "unchanged:",
    };
    let version = change.version;
    context.output.confirm(&format!("{done} {id} to {to} (version {version})"));
    if context.output.is_json() {
        return context.output.json(&json::moved(&id, &change));
    }
    Ok(())
}

/// Exactly two ids, those given as `--id` first.
fn ids(
    positional: Vec<OsString>,
    options: Vec<OsString>,
) -> Result<(CredentialId, CredentialId), Failure> {
    let ids: Result<Vec<_>, _> = options.into_iter().chain(positional).map(input::id).collect();
    <[CredentialId; 2]>::try_from(ids?)
        .map(Into::into)
        .map_err(|_| Failure::usage("two IDs are needed, OLD and NEW"))
}
