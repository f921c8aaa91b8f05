//! `tag`: adds and removes single tags, whatever others there are.

use std::ffi::OsString;

use credb::exchange::json;
use credb::{Change, Condition, CredentialId, Edit, Transaction};

use crate::cli::args::{TagArgs, TagCommand};
use crate::cli::context::Context;
use crate::cli::input;
use crate::cli::report::Failure;

/// What happens to the tags named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    There,
    Gone,
}

/// Adds or removes tags.
pub(super) fn run(context: &Context, command: TagCommand) -> Result<(), Failure> {
    let (args, wanted) = match command {
        TagCommand::Add(args) => (args, Wanted::There),
        TagCommand::Remove(args) => (args, Wanted::Gone),
    };
    let (id, named) = words(args)?;
    let (change, tags) =
        context.open()?.write(|transaction| change(transaction, &id, &named, wanted))?;
    let version = change.version;
    context.output.confirm(&if change.changed {
        format!("updated {id} (version {version})")
    } else {
        format!("{id} is unchanged (version {version})")
    });
    if context.output.is_json() {
        let mut document = json::change(&change);
        document["tags"] = tags.into();
        return context.output.json(&document);
    }
    Ok(())
}

/// One id, as the first word or as an option, and at least one tag.
fn words(args: TagArgs) -> Result<(CredentialId, Vec<String>), Failure> {
    let mut words = args.words.into_iter();
    let id = args.id_option.or_else(|| words.next());
    let id = input::id(id.ok_or_else(|| Failure::usage("an ID is needed"))?)?;
    let tag = |word: OsString| input::text("tag", word);
    let tags: Vec<String> = words.map(tag).collect::<Result<_, _>>()?;
    if tags.is_empty() {
        return Err(Failure::usage("a TAG is needed"));
    }
    Ok((id, tags))
}

/// The change, and the tags after it.
fn change(
    transaction: &mut Transaction<'_>,
    id: &CredentialId,
    named: &[String],
    wanted: Wanted,
) -> credb::Result<(Change, Vec<String>)> {
    let mut tags = transaction.get(id)?.metadata.tags;
    match wanted {
        Wanted::There => {
            for tag in named {
                if !tags.contains(tag) {
                    tags.push(tag.clone());
                }
            }
        }
        Wanted::Gone => tags.retain(|tag| !named.contains(tag)),
    }
    let edit = Edit::new().tags(tags.clone());
    Ok((transaction.set_if(id, &edit, Condition::Always)?, tags))
}
