//! `restore`: puts a backup in the place of the vault, which is kept, or makes one of it.

use std::path::Path;
use std::time::Instant;

use credb::{Error, LockedVault, NewKey, Restored};
use serde_json::json;

use super::{count, path_text};
use crate::cli::args::RestoreArgs;
use crate::cli::context::Context;
use crate::cli::hints::quote_path;
use crate::cli::page::Page;
use crate::cli::progress::Progress;
use crate::cli::prompt::{Answer, Prompt};
use crate::cli::report::Failure;
use crate::cli::{keys, process};

/// Restores after asking where a vault is replaced, or without where that was asked for.
pub(super) fn run(context: &Context, args: &RestoreArgs) -> Result<(), Failure> {
    // What is replaced may be damaged, in whatever way.
    process::survive_damage();
    let path = context.vault_path()?;
    let secret = context.locations.machine_secret().map_err(|error| keys::nowhere(&error))?;
    let replaces = path.symlink_metadata().is_ok();
    let prompt = match context.prompt() {
        None if replaces && !args.force => return Err(cannot_ask(context, args)),
        prompt => prompt.filter(|_| replaces && !args.force),
    };
    let start = Instant::now();
    let backup = LockedVault::open(&args.file, &context.options_for_copy(context.globals.wait))
        .map_err(|error| context.about_file(&args.file, error))?;
    let backup = match context.unlock(&backup, &context.keys()?) {
        Err(Failure::Library { error, hint: None }) => {
            return Err(context.about_file(&args.file, error));
        }
        opened => opened?,
    };
    let wait = context.globals.wait.saturating_sub(start.elapsed());
    if let Some(prompt) = prompt {
        ask(prompt, &path)?;
    }
    let restored = {
        let progress = Progress::start(&context.output, "restoring");
        let update = |done, all| progress.update(done, all);
        backup.restore(&path, &context.options_with(wait), &NewKey::Machine(secret), &update)
    };
    let restored = restored.map_err(|error| match error {
        Error::Corrupt { .. } => context.about_file(&args.file, error),
        error => error.into(),
    })?;
    show(context, &path, &restored)
}

fn cannot_ask(context: &Context, args: &RestoreArgs) -> Failure {
    let command = context.hints.command(&format!("restore {} --force", quote_path(&args.file)));
    Failure::usage("replacing a vault asks first, and nobody can be asked")
        .with_hint(format!("without asking: `{command}`"))
}

fn ask(prompt: Prompt, path: &Path) -> Result<(), Failure> {
    let question = format!("Replace the vault {}? It is kept beside it.", path.display());
    match prompt.confirm(&question, Answer::No)? {
        Answer::Yes => Ok(()),
        Answer::No => Err(Failure::Cancelled),
    }
}

fn show(context: &Context, path: &Path, restored: &Restored) -> Result<(), Failure> {
    let credentials = count(restored.credentials, "credential", "credentials");
    context.output.confirm(&format!("restored {credentials} to {}", path.display()));
    if context.output.is_json() {
        return context.output.json(&json!({
            "path": path_text(&std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())),
            "credentials": restored.credentials,
            "kept": restored.kept.as_deref().map(path_text),
        }));
    }
    let Some(kept) = &restored.kept else { return Ok(()) };
    let mut page = Page::new(&context.output);
    page.labelled("kept", std::os::unix::ffi::OsStrExt::as_bytes(kept.as_os_str()));
    page.print()
}
