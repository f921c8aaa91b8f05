//! `inject`: fills a template with what its references stand for, whole or not at all.

use std::collections::HashSet;
use std::path::Path;

use credb::Vault;
use credb::exchange::migrate;
use credb::exchange::reference::{Part, Template};
use zeroize::Zeroizing;

use super::resolve::Resolved;
use super::sink::{PRIVATE, Sink};
use crate::cli::args::InjectArgs;
use crate::cli::context::Context;
use crate::cli::input::Place;
use crate::cli::prompt::Prompt;
use crate::cli::report::Failure;

/// Writes the filled template.
pub(super) fn run(context: &Context, args: InjectArgs) -> Result<(), Failure> {
    let place = match &args.in_file {
        Some(path) => Place::of_document(path),
        None => Place::of_document(Path::new("-")),
    };
    if matches!(place, Place::Stdin) && Prompt::stdin_is_terminal() {
        return Err(Failure::usage("a template is needed: name it with --in-file, or pipe it in"));
    }
    let mut text = place.document()?;
    let mut vault = None;
    if migrate::is_configuration(&text) {
        let name = args.in_file.as_deref().unwrap_or(Path::new("the template"));
        let vault = vault.insert(context.open()?);
        text = vault_first(context, vault, name, &text)?;
    }
    let template = Template::parse(&text)?;
    let resolved = match &vault {
        Some(vault) => Resolved::in_vault(context, vault, template.references())?,
        None => Resolved::of(context, template.references())?,
    };
    let sink = Sink::new(args.out_file, PRIVATE);
    let mut page = sink.page(&context.output);
    for part in template.filled(|reference| resolved.get(reference))?.parts() {
        match part {
            Part::Own(text) => page.push(text),
            // What is stored is escaped for a terminal; the template is the caller's own.
            Part::Value(value) => page.stored(value),
        }
    }
    sink.write(&context.output, page)
}

/// The predecessor's configuration with references in the place of all passwords that the vault
/// has an id for. The others stay, with a warning each.
fn vault_first(
    context: &Context,
    vault: &Vault,
    path: &Path,
    text: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Failure> {
    // A host name opens vaults only, and this is none.
    let import = migrate::read(path, text, "")?;
    let stored = vault.read(|snapshot| {
        let ids = import.entries.iter().map(|entry| &entry.id);
        let found = ids.map(|id| Ok(snapshot.find(id)?.map(|_| id)));
        found.filter_map(Result::transpose).collect::<credb::Result<HashSet<_>>>()
    })?;
    let rewritten = migrate::rewrite(path, text, &import, |id| stored.contains(id))?;
    for (position, id) in &rewritten.left {
        context.output.warning(&format!(
            "{position}: the vault has no \"{id}\", and the value in {} is used",
            path.display()
        ));
    }
    Ok(rewritten.text)
}
