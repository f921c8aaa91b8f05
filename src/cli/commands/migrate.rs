//! `migrate`: takes over the credentials of the predecessor's files.

mod file;

use std::collections::HashSet;
use std::path::PathBuf;

use credb::exchange::migrate::{self, Import, OnConflict, Report, Skipped};
use credb::{CredentialId, Error, Vault};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{count, id_texts, path_text};
use crate::cli::args::{Conflict, MigrateArgs};
use crate::cli::context::Context;
use crate::cli::hints::quote_path;
use crate::cli::input::Place;
use crate::cli::keys;
use crate::cli::page::Page;
use crate::cli::progress::Progress;
use crate::cli::report::{self, Failure};

/// Takes over all of it, or none; with `--keep-going` all that can be.
pub(super) fn run(context: &Context, args: &MigrateArgs) -> Result<(), Failure> {
    let hostname = match &args.source_hostname {
        Some(name) => name.clone(),
        None => keys::hostname(&context.globals)?,
    };
    let bytes: Zeroizing<_> = Place::File(args.file.clone()).document()?;
    let import = migrate::read(&args.file, &bytes, &hostname)?;
    if args.rewrite {
        file::check(&args.file, &bytes, &import)?;
    }
    if !args.keep_going {
        import.refuse_incomplete(&args.file)?;
    }
    let vault = context.open()?;
    let report = {
        let _progress = Progress::start(&context.output, "taking over");
        apply(&vault, &import, args).map_err(|error| explain(context, error, args))?
    };
    let rewritten =
        if args.rewrite { Some(rewrite(context, args, &bytes, &import, &report)?) } else { None };
    let shown = show(context, args, &import, &report, rewritten.as_ref());
    tell_what_stays(context, args, &import, rewritten.as_ref());
    if import.refused.is_empty() {
        return shown;
    }
    let refused = count(import.refused.len(), "entry", "entries");
    let partial = Failure::Partial(format!("{refused} not taken over: {}", list(&import.refused)));
    Err(partial.beside(shown))
}

/// Makes the changes, or for a dry run says what they would be.
fn apply(vault: &Vault, import: &Import, args: &MigrateArgs) -> Result<Report, Error> {
    let on_conflict = match args.on_conflict {
        Conflict::Fail => OnConflict::Fail,
        Conflict::Skip => OnConflict::Skip,
        Conflict::Overwrite => OnConflict::Overwrite,
    };
    if args.dry_run {
        return vault.read(|snapshot| migrate::preview(snapshot, import, on_conflict));
    }
    vault.write(|transaction| migrate::apply(transaction, import, on_conflict))
}

/// What became of the file.
struct Rewrite {
    /// How many of its secrets have references in their places.
    secrets: usize,
    /// Where it is kept as it was, if it was changed.
    kept: Option<PathBuf>,
}

/// Puts references in the place of what the vault has now; for a dry run only counts.
fn rewrite(
    context: &Context,
    args: &MigrateArgs,
    bytes: &[u8],
    import: &Import,
    report: &Report,
) -> Result<Rewrite, Failure> {
    let taken: HashSet<&CredentialId> =
        [&report.added, &report.updated, &report.unchanged].into_iter().flatten().collect();
    let rewritten = migrate::rewrite(&args.file, bytes, import, |id| taken.contains(id))?;
    let secrets = rewritten.replaced.len();
    let kept = if args.dry_run || secrets == 0 {
        None
    } else {
        let replaced = file::replace(&context.output, &args.file, bytes, &rewritten.text);
        Some(replaced.map_err(|failure| with_what_is_stored(failure, args, secrets))?)
    };
    Ok(Rewrite { secrets, kept })
}

/// The failure to replace the file, which does not take back what the vault got.
fn with_what_is_stored(failure: Failure, args: &MigrateArgs, secrets: usize) -> Failure {
    match failure {
        Failure::Library { error: error @ Error::Io { .. }, .. } => {
            let message = format!(
                "{}; the vault has the {} of {} nevertheless, which holds {} in clear as before",
                report::with_causes(&error),
                if secrets == 1 {
                    "credential".to_owned()
                } else {
                    format!("{secrets} credentials")
                },
                args.file.display(),
                if secrets == 1 { "it" } else { "them" },
            );
            Failure::Told { error, message }
        }
        other => other,
    }
}

fn explain(context: &Context, error: Error, args: &MigrateArgs) -> Failure {
    let is_conflict = matches!(error, Error::AlreadyExists { .. });
    let failure = Failure::from(error);
    if !is_conflict {
        return failure;
    }
    let command = |how: &str| {
        let plain = || format!("migrate {} --on-conflict {how}", quote_path(&args.file));
        let repeated = context.hints.repeat_with("--on-conflict", how);
        repeated.unwrap_or_else(|| context.hints.command(&plain()))
    };
    failure.with_hint(format!(
        "to keep those that are there: `{}`; to replace them: `{}`",
        command("skip"),
        command("overwrite")
    ))
}

fn show(
    context: &Context,
    args: &MigrateArgs,
    import: &Import,
    report: &Report,
    rewrite: Option<&Rewrite>,
) -> Result<(), Failure> {
    let skipped = || report.skipped.iter().chain(&import.refused);
    if context.output.is_json() {
        let mut document = json!({
            "added": id_texts(&report.added),
            "updated": id_texts(&report.updated),
            "unchanged": id_texts(&report.unchanged),
            "skipped": skipped().map(skipped_json).collect::<Value>(),
            "dry_run": args.dry_run,
        });
        if let Some(rewrite) = rewrite {
            document["rewritten"] = rewrite.secrets.into();
            document["kept_as"] = rewrite.kept.as_deref().map(path_text).into();
        }
        return context.output.json(&document);
    }
    let ids =
        [("added", &report.added), ("updated", &report.updated), ("unchanged", &report.unchanged)];
    let mut rows: Vec<Vec<String>> = ids
        .into_iter()
        .flat_map(|(what, ids)| ids.iter().map(move |id| row(what, id.as_str(), String::new())))
        .collect();
    rows.extend(skipped().map(|entry| {
        let id = entry.id.as_deref().unwrap_or_default();
        row("skipped", id, format!("{}: {}", entry.position, entry.reason))
    }));
    let mut page = Page::new(&context.output);
    page.table(&["RESULT", "ID", "REASON"], &rows);
    page.print()?;
    context.output.confirm(&format!(
        "{}added {}, updated {}, unchanged {}, skipped {}",
        if args.dry_run { "dry run, nothing was written: " } else { "" },
        report.added.len(),
        report.updated.len(),
        report.unchanged.len(),
        skipped().count()
    ));
    Ok(())
}

fn row(what: &str, id: &str, reason: String) -> Vec<String> {
    vec![what.to_owned(), id.to_owned(), reason]
}

/// What the old file gives away to everybody who can read it.
fn tell_what_stays(
    context: &Context,
    args: &MigrateArgs,
    import: &Import,
    rewrite: Option<&Rewrite>,
) {
    let file = args.file.display();
    let replaced = rewrite.map_or(0, |rewrite| rewrite.secrets);
    let kept = rewrite.and_then(|rewrite| rewrite.kept.as_deref());
    if let Some(kept) = kept {
        let secrets = count(replaced, "reference", "references");
        context.output.warning(&format!(
            "{file} has {secrets} now; {} holds it as it was, secrets in clear: remove it when the \
             new vault is in use",
            kept.display()
        ));
    } else if replaced > 0 {
        let secrets = count(replaced, "secret", "secrets");
        context.output.note(&format!("{secrets} in {file} would be replaced by references"));
    }
    let left = import.clear_secrets - if kept.is_some() { replaced } else { 0 };
    match left {
        0 => context.output.note(&format!("{file} holds no secret in clear")),
        secrets => context.output.warning(&format!(
            "{file} still holds {} in clear: when the new vault is in use, remove it, or {}",
            count(secrets, "secret", "secrets"),
            how_to_replace(context, args, import)
        )),
    }
}

/// How references get in the place of the secrets that stay.
fn how_to_replace(context: &Context, args: &MigrateArgs, import: &Import) -> String {
    if args.rewrite || import.entries.is_empty() {
        return "replace them there".to_owned();
    }
    let on_conflict = match args.on_conflict {
        Conflict::Fail => "",
        Conflict::Skip => " --on-conflict skip",
        Conflict::Overwrite => " --on-conflict overwrite",
    };
    let keep_going = if args.keep_going { " --keep-going" } else { "" };
    let file = quote_path(&args.file);
    let command = format!("migrate {file} --rewrite{on_conflict}{keep_going}");
    format!("put references there: `{}`", context.hints.command(&command))
}

fn skipped_json(entry: &Skipped) -> Value {
    json!({"position": entry.position, "id": entry.id, "reason": entry.reason})
}

fn list(refused: &[Skipped]) -> String {
    let one = |entry: &Skipped| match &entry.id {
        Some(id) => format!("{} (\"{id}\"): {}", entry.position, entry.reason),
        None => format!("{}: {}", entry.position, entry.reason),
    };
    refused.iter().map(one).collect::<Vec<_>>().join("; ")
}
