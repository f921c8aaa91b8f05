//! `vaults`: the vaults of the data directory.

use std::fs::{self, DirEntry};
use std::io;
use std::path::PathBuf;
use std::time::Instant;

use credb::{Error, KeySource, LockedVault};
use serde_json::{Value, json};

use super::path_text;
use crate::cli::context::{Context, io_error};
use crate::cli::keys;
use crate::cli::page::Page;
use crate::cli::process;
use crate::cli::report::{self, Failure};

/// One file of the data directory.
struct Found {
    name: String,
    path: PathBuf,
    size: u64,
    failure: Option<Error>,
}

/// Lists them; what is wrong with one hides no other.
pub(super) fn run(context: &Context) -> Result<(), Failure> {
    process::survive_damage();
    let keys = context.keys()?;
    let mut vaults = scan(context)?;
    let start = Instant::now();
    for vault in &mut vaults {
        let wait = context.globals.wait.saturating_sub(start.elapsed());
        vault.failure = try_open(context, vault, &keys, wait).err();
    }
    if context.output.is_json() {
        return context.output.json(&vaults.iter().map(Found::json).collect());
    }
    if vaults.is_empty() {
        context.output.note("there is no vault in the data directory");
    }
    let mut page = Page::new(&context.output);
    let rows: Vec<_> = vaults.iter().map(Found::row).collect();
    page.table(&["NAME", "PATH", "BYTES", "OPENS"], &rows);
    page.print()
}

fn try_open(
    context: &Context,
    vault: &Found,
    keys: &[KeySource],
    wait: std::time::Duration,
) -> credb::Result<()> {
    let locked = LockedVault::open(&vault.path, &context.options_with(wait))?;
    context.unlock_unasked(&locked, keys).map(drop)
}

fn scan(context: &Context) -> Result<Vec<Found>, Failure> {
    let directory = context.locations.data_dir().map_err(|error| keys::nowhere(&error))?;
    let entries = match fs::read_dir(&directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io_error("read", &directory)(error)),
    };
    let mut vaults = Vec::new();
    for entry in entries {
        vaults.extend(found(&entry.map_err(io_error("read", &directory))?));
    }
    vaults.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(vaults)
}

/// The vault that an entry is by its name, if it is one.
fn found(entry: &DirEntry) -> Option<Found> {
    let path = entry.path();
    let name = entry.file_name().to_str()?.strip_suffix(".redb")?.to_owned();
    if name.is_empty() || name.starts_with('.') {
        return None;
    }
    // A link to nowhere is shown too: opening says what is wrong with it.
    let metadata = fs::metadata(&path).ok();
    if metadata.as_ref().is_some_and(fs::Metadata::is_dir) {
        return None;
    }
    let size = metadata.map_or(0, |metadata| metadata.len());
    Some(Found { name, path, size, failure: None })
}

impl Found {
    fn json(&self) -> Value {
        json!({
            "name": self.name,
            "path": path_text(&self.path),
            "file_size_bytes": self.size,
            "unlocked": self.failure.is_none(),
            "error": self.failure.as_ref().map(report::in_result),
        })
    }

    fn row(&self) -> Vec<String> {
        let opens = match &self.failure {
            None => "yes".to_owned(),
            Some(error) => format!("no: {}", report::with_causes(error)),
        };
        vec![self.name.clone(), path_text(&self.path), self.size.to_string(), opens]
    }
}
