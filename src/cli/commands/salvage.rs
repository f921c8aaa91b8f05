//! `salvage`: brings what is left of a damaged vault into a new one, and lists what is lost.

use credb::{Error, NewKey, Salvaged, Vault};
use serde_json::{Value, json};

use super::{count, path_text};
use crate::cli::args::SalvageArgs;
use crate::cli::context::Context;
use crate::cli::hints::quote_path;
use crate::cli::page::Page;
use crate::cli::progress::Progress;
use crate::cli::report::Failure;
use crate::cli::{keys, process};

/// Makes the new vault; what is lost makes the result a partial one.
pub(super) fn run(context: &Context, args: &SalvageArgs) -> Result<(), Failure> {
    process::survive_damage();
    let sources = context.keys()?;
    let secret = context.locations.machine_secret().map_err(|error| keys::nowhere(&error))?;
    let (options, key) = (context.options(), NewKey::Machine(secret));
    let salvaged = {
        let _progress = Progress::start(&context.output, "salvaging");
        let keys_from = args.keys_from.as_deref();
        Vault::salvage(&args.damaged, &args.new, &options, &sources, keys_from, &key)
    };
    let salvaged = salvaged.map_err(|error| explain(context, args, error))?;
    let shown = show(context, args, &salvaged);
    warn_of_keys(context, args);
    if salvaged.lost.is_empty() {
        return shown;
    }
    let recovered = count(salvaged.recovered, "credential", "credentials");
    let lost = salvaged.lost.iter().map(|lost| match &lost.id {
        Some(id) => format!("\"{id}\": {}", lost.reason),
        None => lost.reason.clone(),
    });
    let lost = lost.collect::<Vec<_>>().join("; ");
    let partial = Failure::Partial(format!("{recovered} brought over, but not all: {lost}"));
    Err(partial.beside(shown))
}

/// The failure about the file that it is about.
fn explain(context: &Context, args: &SalvageArgs, error: Error) -> Failure {
    let has_remedy = |attempts: &[credb::Attempt]| attempts.iter().any(|one| one.remedy.is_some());
    match (&error, &args.keys_from) {
        (Error::VaultExists { .. }, _) => context.about_file(&args.new, error),
        (Error::Locked { attempts, .. }, None) if has_remedy(attempts) => error.into(),
        (Error::Locked { .. } | Error::Corrupt { .. }, None) => {
            let (damaged, new) = (quote_path(&args.damaged), quote_path(&args.new));
            let command = format!("credb salvage {damaged} {new} --keys-from BACKUP");
            Failure::from(error)
                .with_hint(format!("an older copy of it may have what opens it: `{command}`"))
        }
        (_, Some(backup)) => context.about_file(backup, error),
        (_, None) => error.into(),
    }
}

fn show(context: &Context, args: &SalvageArgs, salvaged: &Salvaged) -> Result<(), Failure> {
    let path = std::fs::canonicalize(&args.new).unwrap_or_else(|_| args.new.clone());
    if context.output.is_json() {
        let lost = salvaged.lost.iter().map(|lost| {
            let id = lost.id.as_ref().map(credb::CredentialId::as_str);
            json!({"id": id, "reason": lost.reason})
        });
        return context.output.json(&json!({
            "path": path_text(&path),
            "recovered": salvaged.recovered,
            "lost": lost.collect::<Value>(),
        }));
    }
    let mut page = Page::new(&context.output);
    page.labelled("path", std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str()));
    page.labelled("recovered", salvaged.recovered.to_string().as_bytes());
    let rows: Vec<_> = salvaged
        .lost
        .iter()
        .map(|lost| {
            let id = lost.id.as_ref().map(ToString::to_string).unwrap_or_default();
            vec![id, lost.reason.clone()]
        })
        .collect();
    if !rows.is_empty() {
        page.push(b"lost:\n");
        page.table(&["ID", "REASON"], &rows);
    }
    page.print()
}

/// A removed key could have come back, so none is taken over.
fn warn_of_keys(context: &Context, args: &SalvageArgs) {
    let hints = context.hints.of_file(&args.new);
    context.output.warning(&format!(
        "only the secret of this machine opens {}: add other keys again with `{}`",
        args.new.display(),
        hints.command("key add recovery")
    ));
}
