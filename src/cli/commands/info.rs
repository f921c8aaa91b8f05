//! `info`: what the vault is, what opens it and what is weak about it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use chrono::{DateTime, Utc};
use credb::{Info, LockedVault, RotationState, Slot};
use serde_json::{Value, json};

use super::{count, key, optional_time, path_text, slots_json};
use crate::cli::context::{Context, io_error};
use crate::cli::findings::{self, Finding};
use crate::cli::page::Page;
use crate::cli::report::Failure;

/// What is known of a vault; the last part only if a key at hand opens it.
struct About {
    path: String,
    vault_id: String,
    format_version: u32,
    file_size: u64,
    permissions: u32,
    slots: Vec<Slot>,
    unlocked: Option<Info>,
    /// Until when the kernel holds a key.
    until: Option<DateTime<Utc>>,
}

/// Shows all that can be known; a locked vault fails after that.
pub(super) fn run(context: &Context) -> Result<(), Failure> {
    let keys = context.keys()?;
    let locked = LockedVault::open(&context.vault_path()?, &context.options())?;
    let opened = context.unlock(&locked, &keys).and_then(|vault| Ok(vault.info()?));
    let (info, failure) = match opened {
        Ok(info) => (Some(info), None),
        Err(failure) if is_locked(&failure) => (None, Some(failure)),
        Err(failure) => return Err(failure),
    };
    let about = About::new(&locked, info)?;
    let found = findings::all(context, &locked, about.unlocked.as_ref())?;
    let warnings: Vec<String> = found.iter().map(Finding::warning).collect();
    let shown = if context.output.is_json() {
        context.output.json(&about.json(&warnings))
    } else {
        let shown = about.print(context);
        for warning in &warnings {
            context.output.warning(warning);
        }
        shown
    };
    match failure {
        Some(failure) => Err(failure.beside(shown)),
        None => shown,
    }
}

/// Whether the clear part may be shown nevertheless.
fn is_locked(failure: &Failure) -> bool {
    use credb::Error::{KeyUnusable, Locked};
    matches!(failure, Failure::Library { error: Locked { .. } | KeyUnusable { .. }, .. })
}

impl About {
    fn new(vault: &LockedVault, info: Option<Info>) -> Result<Self, Failure> {
        let (file_size, permissions) = file(vault.path())?;
        let slots = match &info {
            Some(info) => info.slots.clone(),
            None => vault.slots()?,
        };
        Ok(Self {
            path: path_text(vault.path()),
            vault_id: vault.vault_id().to_string(),
            format_version: vault.format_version(),
            file_size,
            permissions,
            slots,
            unlocked: info,
            until: vault.unlocked_until(),
        })
    }

    fn json(&self, warnings: &[String]) -> Value {
        let info = self.unlocked.as_ref();
        let mut value = json!({
            "path": self.path,
            "vault_id": self.vault_id,
            "format_version": self.format_version,
            "unlocked": info.is_some(),
            "credentials": info.map(|info| info.credentials),
            "file_size_bytes": self.file_size,
            "permissions": format!("{:03o}", self.permissions),
            "slots": slots_json(&self.slots),
            "created_at": optional_time(info.map(|info| info.created_at)),
            "updated_at": optional_time(info.map(|info| info.updated_at)),
            "warnings": warnings,
        });
        if let Some(state) = info.and_then(|info| findings::incomplete(info.rotation)) {
            value["rotation"] = state.into();
        }
        if let Some(rotated) = info.and_then(|info| info.rotated_at) {
            value["rotated_at"] = optional_time(Some(rotated)).into();
        }
        if let Some(until) = self.until {
            value["unlocked_until"] = optional_time(Some(until)).into();
        }
        value
    }

    fn print(&self, context: &Context) -> Result<(), Failure> {
        let mut page = Page::new(&context.output);
        page.labelled("path", self.path.as_bytes());
        page.labelled("vault id", self.vault_id.as_bytes());
        page.labelled("format version", self.format_version.to_string().as_bytes());
        page.labelled("unlocked", if self.unlocked.is_some() { b"yes" } else { b"no" });
        if let Some(until) = self.until {
            page.labelled("unlocked until", page.reader().time(until).as_bytes());
        }
        if let Some(info) = &self.unlocked {
            page.labelled("credentials", info.credentials.to_string().as_bytes());
            page.labelled("earlier versions", info.earlier_versions.to_string().as_bytes());
        }
        page.labelled("file size", format!("{} bytes", self.file_size).as_bytes());
        page.labelled("permissions", format!("{:03o}", self.permissions).as_bytes());
        if let Some(info) = &self.unlocked {
            let reader = page.reader();
            if let Some(state) = findings::incomplete(info.rotation) {
                let left = match info.rotation {
                    RotationState::Resealing { rows } => {
                        format!(", {} left", count(rows, "row", "rows"))
                    }
                    _ => String::new(),
                };
                page.labelled("rotation", format!("{state}{left}").as_bytes());
            }
            if let Some(rotated) = info.rotated_at {
                page.labelled("keys rotated", reader.time(rotated).as_bytes());
            }
            page.labelled("created", reader.time(info.created_at).as_bytes());
            page.labelled("last change", reader.time(info.updated_at).as_bytes());
        }
        page.push(b"keys:\n");
        key::add_table(&mut page, &self.slots);
        page.print()
    }
}

/// The size and permissions of a file.
fn file(path: &Path) -> Result<(u64, u32), Failure> {
    let metadata = fs::metadata(path).map_err(io_error("read", path))?;
    Ok((metadata.len(), metadata.permissions().mode() & 0o7777))
}
