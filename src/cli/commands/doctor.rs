//! `doctor`: what is weak about the vault and where it lies, and what mends it.

use credb::{Error, LockedVault};
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::findings;
use crate::cli::page::{Page, Reader};
use crate::cli::report::Failure;

/// Lists what is found, of a locked vault what can be known; asks nobody and changes nothing.
pub(super) fn run(context: &Context) -> Result<(), Failure> {
    let locked = LockedVault::open(&context.vault_path()?, &context.options())?;
    let opened = context.unlock_unasked(&locked, &context.keys()?);
    let info = match opened.and_then(|vault| vault.info()) {
        Ok(info) => Some(info),
        Err(Error::Locked { .. } | Error::KeyUnusable { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let found = findings::all(context, &locked, info.as_ref())?;
    let shown = if context.output.is_json() {
        let found = found.iter().map(findings::Finding::json);
        context.output.json(&json!({ "findings": found.collect::<Vec<_>>() }))
    } else {
        let mut page = Page::new(&context.output);
        for finding in &found {
            let parts = [finding.code, &finding.message, &finding.command];
            let between = match page.reader() {
                Reader::Terminal => ["", ": ", "\n  "],
                Reader::Program => ["", "\t", "\t"],
            };
            for (between, part) in between.into_iter().zip(parts) {
                page.push(between.as_bytes());
                page.stored(part.as_bytes());
            }
            page.push(b"\n");
        }
        page.print()
    };
    if info.is_none() {
        let hidden = "the vault is locked: whether a rotation is incomplete cannot be known";
        context.output.note(hidden);
    }
    if found.is_empty() {
        context.output.confirm("nothing found");
        return shown;
    }
    context.output.finish();
    Err(Failure::Weak.beside(shown))
}
