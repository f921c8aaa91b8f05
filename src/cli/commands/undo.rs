//! `undo`: an earlier version's content as a new version.

use credb::exchange::json;
use credb::{Condition, CredentialId, Earlier, Error, Lineage, Vault};

use crate::cli::args::UndoArgs;
use crate::cli::context::Context;
use crate::cli::report::Failure;

/// Goes back one change, or to the version asked for.
pub(super) fn run(context: &Context, args: UndoArgs) -> Result<(), Failure> {
    let id = args.id.parse()?;
    let condition = args.if_version.map_or(Condition::Always, Condition::IfVersion);
    let vault = context.open()?;
    let undone = vault.write(|transaction| transaction.undo(&id, args.to, condition));
    let undone = undone.map_err(|error| explained(context, &vault, error))?;
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

/// The failure with what there is instead, where the credential has no earlier version of its own
/// under this id: those that a rename left under an older id, and those of another credential.
fn explained(context: &Context, vault: &Vault, error: Error) -> Failure {
    let hint = match &error {
        Error::NoEarlierVersion { id } => instead(context, vault, id),
        _ => None,
    };
    let failure = Failure::from(error);
    match hint {
        Some(hint) => failure.with_hint(hint),
        None => failure,
    }
}

fn instead(context: &Context, vault: &Vault, id: &CredentialId) -> Option<String> {
    // Who looks for a way back is not to be stopped by damage elsewhere.
    let left = vault.read(|snapshot| snapshot.left_behind(id)).ok()?;
    let kept = vault.history(id).ok()?;
    if let Some(former) = left.first().map(|earlier| &earlier.credential.metadata.id) {
        let left = left.iter().filter(|earlier| earlier.credential.metadata.id == *former);
        let command = context.hints.about("history", former.as_str(), "");
        let what = versions(left);
        return Some(format!("it was \"{former}\", where {what} stayed: see `{command}`"));
    }
    let others = kept.iter().filter(|earlier| earlier.lineage == Lineage::Other);
    let newest = others.clone().next()?.credential.metadata.version;
    let command = context.hints.about("undo", id.as_str(), &format!("--to {newest}"));
    let (are, of) = (if others.clone().count() == 1 { "is" } else { "are" }, "another credential");
    Some(format!("{} {are} of {of} that had this id: `{command}` takes it", versions(others)))
}

/// `version 3`, or `versions 3, 2 and 1`.
fn versions<'a>(earlier: impl Iterator<Item = &'a Earlier>) -> String {
    let all: Vec<String> =
        earlier.map(|earlier| earlier.credential.metadata.version.to_string()).collect();
    match all.split_last() {
        Some((last, [])) => format!("version {last}"),
        Some((last, others)) => format!("versions {} and {last}", others.join(", ")),
        None => "no version".to_owned(),
    }
}
