//! `remove`: takes credentials out of the vault, all of those named or none.

use credb::{Condition, CredentialId, Error, Transaction, Vault};
use serde_json::json;

use super::id_texts;
use crate::cli::args::RemoveArgs;
use crate::cli::context::Context;
use crate::cli::input;
use crate::cli::prompt::{Answer, Prompt};
use crate::cli::report::Failure;

/// What to do about ids that are not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missing {
    Refused,
    Ignored,
}

/// One credential to remove, and on what condition.
type Target = (CredentialId, Condition);

/// Removes after asking, or without where that was asked for.
pub(super) fn run(context: &Context, args: RemoveArgs) -> Result<(), Failure> {
    let ids = input::ids(args.ids, args.id_options)?;
    if args.if_version.is_some() && ids.len() > 1 {
        return Err(Failure::usage("--if-version takes one ID"));
    }
    let missing = if args.ignore_missing { Missing::Ignored } else { Missing::Refused };
    let condition = args.if_version.map_or(Condition::Always, Condition::IfVersion);
    let targets: Vec<Target> = ids.into_iter().map(|id| (id, condition)).collect();
    let removed = if args.force {
        remove(&context.open()?, &targets, missing)?
    } else {
        let prompt = context.prompt().ok_or_else(|| cannot_ask(context, &targets))?;
        let vault = context.open()?;
        match ask(&vault, targets, missing, prompt)? {
            targets if targets.is_empty() => Vec::new(),
            targets => remove(&vault, &targets, missing)?,
        }
    };
    for id in &removed {
        context.output.confirm(&format!("removed {id}"));
    }
    if context.output.is_json() {
        return context.output.json(&json!({"removed": id_texts(&removed)}));
    }
    Ok(())
}

fn cannot_ask(context: &Context, targets: &[Target]) -> Failure {
    let command = match targets {
        [(id, _)] => context.hints.about("remove", id.as_str(), "--force"),
        _ => context.hints.command("remove --force ID"),
    };
    Failure::usage("removing asks first, and nobody can be asked")
        .with_hint(format!("without asking: `{command}`"))
}

/// Asks about what is there; what is removed then is what was asked about, at that version.
fn ask(
    vault: &Vault,
    targets: Vec<Target>,
    missing: Missing,
    prompt: Prompt,
) -> Result<Vec<Target>, Failure> {
    let mut present = Vec::new();
    let mut absent = Vec::new();
    for (id, condition) in targets {
        match vault.metadata(&id) {
            Ok(metadata) => match condition {
                Condition::IfVersion(expected) if expected != metadata.version => {
                    let actual = metadata.version;
                    return Err(Error::VersionMismatch { id, expected, actual }.into());
                }
                _ => present.push((id, Condition::IfVersion(metadata.version))),
            },
            Err(Error::NotFound { .. }) => absent.push(id),
            Err(error) => return Err(error.into()),
        }
    }
    if missing == Missing::Refused && !absent.is_empty() {
        return Err(Error::NotFound { ids: absent }.into());
    }
    if present.is_empty() {
        return Ok(present);
    }
    let names: Vec<_> = present.iter().map(|(id, _)| format!("\"{id}\"")).collect();
    match prompt.confirm(&format!("Remove {}?", names.join(", ")), Answer::No)? {
        Answer::Yes => Ok(present),
        Answer::No => Err(Failure::Cancelled),
    }
}

fn remove(
    vault: &Vault,
    targets: &[Target],
    missing: Missing,
) -> Result<Vec<CredentialId>, Failure> {
    Ok(vault.write(|transaction| remove_in(transaction, targets, missing))?)
}

fn remove_in(
    transaction: &mut Transaction<'_>,
    targets: &[Target],
    missing: Missing,
) -> credb::Result<Vec<CredentialId>> {
    let mut present = Vec::new();
    let mut absent = Vec::new();
    for target in targets {
        if transaction.find(&target.0)?.is_some() {
            present.push(target);
        } else {
            absent.push(target.0.clone());
        }
    }
    if missing == Missing::Refused && !absent.is_empty() {
        return Err(Error::NotFound { ids: absent });
    }
    for (id, condition) in &present {
        transaction.remove_if(id, *condition)?;
    }
    Ok(present.into_iter().map(|(id, _)| id.clone()).collect())
}
