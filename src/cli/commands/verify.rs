//! `verify`: checks all of the vault, and whether it goes on from a state that was seen before.

use std::ffi::OsString;
use std::path::Path;

use credb::{Checked, Damage, Since, StateToken, Verification};
use serde_json::{Value, json};

use super::count;
use crate::cli::args::VerifyArgs;
use crate::cli::context::Context;
use crate::cli::hints::quote_path;
use crate::cli::page::Page;
use crate::cli::progress::Progress;
use crate::cli::report::Failure;
use crate::cli::{input, process};

/// How many damages an error message names; the report has them all.
const MOST_NAMED: usize = 20;

/// What was found, and what the state token says about it.
struct Report {
    found: Verification,
    expectation: Option<&'static str>,
}

/// Prints what was checked, also if something is damaged, which fails after that.
pub(super) fn run(context: &Context, args: VerifyArgs) -> Result<(), Failure> {
    process::survive_damage();
    let expected = args.expect.map(token).transpose()?;
    let vault = context.open()?;
    let found = {
        let progress = Progress::start(&context.output, "verifying");
        vault.verify(&|done, all| progress.update(done, all))?
    };
    let expectation = expected.and_then(|expected| broken(&found, &expected));
    let report = Report { found, expectation };
    let shown = if context.output.is_json() {
        context.output.json(&report.json())
    } else {
        report.print(context)
    };
    match report.failure(context, vault.path()) {
        Some(failure) => Err(failure.beside(shown)),
        None => shown,
    }
}

/// A token is data that a script kept, not a part of the command line: exit 9 if it is malformed.
fn token(argument: OsString) -> Result<StateToken, Failure> {
    Ok(input::text("state token", argument)?.parse()?)
}

/// What is wrong if the vault does not go on from the state that is expected.
fn broken(found: &Verification, expected: &StateToken) -> Option<&'static str> {
    match found.state_token?.since(expected) {
        Since::Same | Since::Later => None,
        Since::Older => Some("it is older than the state token: an older file is in its place"),
        _ => Some(
            "it does not go on from the state token: it is another vault, was restored from a \
             backup, or went another way from an older state",
        ),
    }
}

impl Report {
    fn json(&self) -> Value {
        let damages =
            self.found.damaged.iter().map(
                |damage| json!({"table": damage.table, "id": damage.id, "reason": damage.reason}),
            );
        let broken = self
            .expectation
            .map(|reason| json!({"table": "file", "id": Value::Null, "reason": reason}));
        json!({
            "ok": self.found.is_ok() && self.expectation.is_none(),
            "checked": checked_json(&self.found.checked),
            "damaged": damages.chain(broken).collect::<Value>(),
            "state_token": self.found.state_token.map(|token| token.to_string()),
        })
    }

    fn print(&self, context: &Context) -> Result<(), Failure> {
        let mut page = Page::new(&context.output);
        let checked = &self.found.checked;
        for (label, number) in [
            ("credentials", checked.index),
            ("removed", checked.tombstones),
            ("records", checked.records),
            ("earlier versions", checked.history),
            ("key slots", checked.slots),
            ("epochs", checked.epochs),
        ] {
            page.labelled(label, number.to_string().as_bytes());
        }
        let pages = if checked.structure { "checked" } else { "not checked" };
        page.labelled("pages", pages.as_bytes());
        if let Some(token) = self.found.state_token {
            page.labelled("state token", token.to_string().as_bytes());
        }
        let broken = self.expectation.map(|reason| row("file", None, reason));
        let damages = self.found.damaged.iter();
        let rows: Vec<_> = damages
            .map(|damage| row(damage.table, damage.id.as_deref(), &damage.reason))
            .chain(broken)
            .collect();
        if !rows.is_empty() {
            page.push(b"damaged:\n");
            page.table(&["TABLE", "ID", "REASON"], &rows);
        }
        page.print()
    }

    fn failure(&self, context: &Context, path: &Path) -> Option<Failure> {
        let damaged = &self.found.damaged;
        let file = path.display();
        if let (true, Some(broken)) = (damaged.is_empty(), self.expectation) {
            let hint = "if nobody restored it, look for what replaced the file, and for a newer \
                        backup"
                .to_owned();
            return Some(Failure::Damaged { message: format!("{file}: {broken}"), hint });
        }
        if damaged.is_empty() {
            return None;
        }
        let first: Vec<_> = damaged.iter().take(MOST_NAMED).map(name).collect();
        let more = match damaged.len() - first.len() {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        let broken = self.expectation.map(|broken| format!("; {broken}")).unwrap_or_default();
        let checks = count(damaged.len(), "check failed", "checks failed");
        let names = first.join("; ");
        let message = format!("{file} is damaged, {checks}: {names}{more}{broken}");
        Some(Failure::Damaged { message, hint: self.hint(context, path) })
    }

    fn hint(&self, context: &Context, path: &Path) -> String {
        let all_rows = self.found.state_token.is_some();
        if all_rows && self.found.damaged.iter().all(|damage| damage.table == "file") {
            let backup = context.hints.command("backup ./whole.redb");
            return format!("every row is whole: copy them with `{backup}`");
        }
        let salvage = format!("credb salvage {} ./salvaged.redb", quote_path(path));
        format!("bring what is whole into a new vault with `{salvage}`, or go back to a backup")
    }
}

fn name(damage: &Damage) -> String {
    match &damage.id {
        Some(id) => format!("credential \"{id}\" ({}): {}", damage.table, damage.reason),
        None => format!("{}: {}", damage.table, damage.reason),
    }
}

fn row(table: &str, id: Option<&str>, reason: &str) -> Vec<String> {
    vec![table.to_owned(), id.unwrap_or_default().to_owned(), reason.to_owned()]
}

fn checked_json(checked: &Checked) -> Value {
    json!({
        "credentials": checked.index,
        "tombstones": checked.tombstones,
        "records": checked.records,
        "history": checked.history,
        "slots": checked.slots,
        "epochs": checked.epochs,
        "pages": checked.structure,
    })
}
