//! `purge`: forgets a credential, or its earlier versions, for good.

use credb::{Condition, CredentialId, Purge, Vault};
use serde_json::json;

use super::count;
use crate::cli::args::PurgeArgs;
use crate::cli::context::Context;
use crate::cli::prompt::{Answer, Prompt};
use crate::cli::report::Failure;

/// Purges after asking, or without where that was asked for.
pub(super) fn run(context: &Context, args: PurgeArgs) -> Result<(), Failure> {
    let what = if args.history { Purge::History } else { Purge::All };
    let id = args.id.parse()?;
    let (vault, condition) = if args.force {
        (context.open()?, Condition::Always)
    } else {
        let prompt = context.prompt().ok_or_else(|| cannot_ask(context, &id, what))?;
        let vault = context.open()?;
        let condition = ask(&vault, &id, what, prompt)?;
        (vault, condition)
    };
    let versions = vault.write(|transaction| transaction.purge(&id, what, condition))?;
    let forgotten = count(versions, "earlier version", "earlier versions");
    context.output.confirm(&match what {
        Purge::All if versions == 0 => format!("purged {id}"),
        Purge::All => format!("purged {id} and {forgotten}"),
        Purge::History => format!("purged {forgotten} of {id}"),
    });
    if what == Purge::All || versions > 0 {
        let compact = context.hints.command("compact");
        let remains = format!("sealed remains are in the file until `{compact}`, and in backups");
        context.output.note(&remains);
    }
    if context.output.is_json() {
        let credential = what == Purge::All;
        let answer = json!({"id": id.as_str(), "credential": credential, "versions": versions});
        return context.output.json(&answer);
    }
    Ok(())
}

fn cannot_ask(context: &Context, id: &CredentialId, what: Purge) -> Failure {
    let options = if what == Purge::History { "--history --force" } else { "--force" };
    let command = context.hints.about("purge", id.as_str(), options);
    Failure::usage("purging asks first, and nobody can be asked")
        .with_hint(format!("without asking: `{command}`"))
}

/// Asks about what is there; what is purged then is what was asked about, at that version.
fn ask(
    vault: &Vault,
    id: &CredentialId,
    what: Purge,
    prompt: Prompt,
) -> Result<Condition, Failure> {
    let version = vault.read(|snapshot| {
        // Tells too if there never was one.
        snapshot.history(id)?;
        Ok(snapshot.find(id)?.map(|credential| credential.metadata.version))
    })?;
    // Without their number: there may be some beyond the limit, which nothing shows.
    let question = match (what, version) {
        (Purge::History, _) => format!("Forget all earlier versions of \"{id}\" for good?"),
        (Purge::All, Some(_)) => {
            format!("Forget \"{id}\" and all its earlier versions for good?")
        }
        (Purge::All, None) => {
            format!("Forget the removed \"{id}\" and all its earlier versions for good?")
        }
    };
    match prompt.confirm(&question, Answer::No)? {
        Answer::Yes => Ok(Condition::IfVersion(version.unwrap_or(0))),
        Answer::No => Err(Failure::Cancelled),
    }
}
