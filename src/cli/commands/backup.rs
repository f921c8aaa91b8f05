//! `backup`: a sealed copy of the vault, whole or not at all.

use std::io;
use std::path::Path;

use credb::{Backup, Error, Overwrite};
use serde_json::json;

use super::{count, path_text};
use crate::cli::args::BackupArgs;
use crate::cli::context::{Context, io_error};
use crate::cli::hints::quote_path;
use crate::cli::process;
use crate::cli::progress::Progress;
use crate::cli::report::Failure;

/// Copies the vault, and warns of a copy that only this machine can open.
pub(super) fn run(context: &Context, args: &BackupArgs) -> Result<(), Failure> {
    process::survive_damage();
    let destination = args.destination.as_path();
    refuse_stdout(context, destination)?;
    refuse_directory(context, destination)?;
    let overwrite = if args.overwrite { Overwrite::Allowed } else { Overwrite::Never };
    let vault = context.open()?;
    let made = {
        let progress = Progress::start(&context.output, "backing up");
        vault.backup(destination, overwrite, &|done, all| progress.update(done, all))
    };
    let made = made.map_err(|error| explain(context, destination, error))?;
    let credentials = count(made.credentials, "credential", "credentials");
    context.output.confirm(&format!("backed up {credentials} to {}", destination.display()));
    warn_of_bound_keys(context, destination, &made);
    if context.output.is_json() {
        return context.output.json(&json!({
            "path": path_text(&std::path::absolute(destination)
                .unwrap_or_else(|_| destination.to_owned())),
            "credentials": made.credentials,
            "file_size_bytes": made.size,
            "portable": made.portable,
        }));
    }
    Ok(())
}

/// Elsewhere `-` is standard output, which cannot hold a vault.
fn refuse_stdout(context: &Context, destination: &Path) -> Result<(), Failure> {
    if destination.as_os_str() != "-" {
        return Ok(());
    }
    let command = context.hints.command("backup ./-");
    let failure = Failure::usage("a backup is a file and cannot go to standard output");
    Err(failure.with_hint(format!("for a file of that name: `{command}`")))
}

/// A name for the copy is not made up.
fn refuse_directory(context: &Context, destination: &Path) -> Result<(), Failure> {
    if !destination.is_dir() {
        return Ok(());
    }
    let file = quote_path(&destination.join("credb-backup.redb"));
    let command = context.hints.command(&format!("backup {file}"));
    let failure = io_error("write", destination)(io::ErrorKind::IsADirectory.into());
    Err(failure.with_hint(format!("name a file in it: `{command}`")))
}

fn explain(context: &Context, destination: &Path, error: Error) -> Failure {
    let exists = matches!(error, Error::VaultExists { .. });
    let failure = Failure::from(error);
    if !exists {
        return failure;
    }
    let command = format!("backup {} --overwrite", quote_path(destination));
    failure.with_hint(format!("to replace it: `{}`", context.hints.command(&command)))
}

fn warn_of_bound_keys(context: &Context, destination: &Path, made: &Backup) {
    if made.portable {
        return;
    }
    context.output.warning(&format!(
        "no key of {} opens it on another machine: it is lost with this one",
        destination.display()
    ));
    if !context.output.is_json() {
        let command = context.hints.command("key add recovery");
        context.output.hint(&format!("`{command}` makes a code that opens the next backup"));
    }
}
