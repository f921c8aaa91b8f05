//! `set --from-file`: many credentials in one transaction.

use std::path::Path;

use credb::exchange::json::{self, Parsed};
use credb::{Change, Condition, Error, Transaction};
use serde_json::{Value, json};

use crate::cli::commands::count;
use crate::cli::context::Context;
use crate::cli::input::Place;
use crate::cli::progress::Progress;
use crate::cli::report::{Failure, with_causes};

/// An entry that cannot be taken.
struct Refused {
    index: usize,
    id: Option<String>,
    reason: String,
}

/// What became of the entries.
#[derive(Default)]
struct Outcome {
    changes: Vec<Change>,
    refused: Vec<Refused>,
}

/// Sets all of them or none; with `keeps_going` all that are good.
pub(super) fn run(context: &Context, path: &Path, keeps_going: bool) -> Result<(), Failure> {
    let entries = json::read_credentials(&Place::of_document(path).document()?)?;
    if !keeps_going {
        // Before anything is opened: a file with errors needs no vault to be refused.
        let refused: Vec<_> = entries.iter().filter_map(Refused::by_its_form).collect();
        if !refused.is_empty() {
            return Err(all_refused(&refused));
        }
    }
    let vault = context.open()?;
    let mut outcome = Outcome::default();
    let written = {
        let _progress = Progress::start(&context.output, "writing");
        vault.write(|transaction| {
            outcome = apply(transaction, &entries)?;
            match outcome.refused.first() {
                Some(_) if !keeps_going => Err(rolled_back()),
                _ => Ok(()),
            }
        })
    };
    match written {
        Err(_) if !keeps_going && !outcome.refused.is_empty() => Err(all_refused(&outcome.refused)),
        Err(error) => Err(error.into()),
        Ok(()) => tell(context, &outcome),
    }
}

/// Sets what can be set. An error that is not about an entry ends it.
fn apply(transaction: &mut Transaction<'_>, entries: &[Parsed]) -> credb::Result<Outcome> {
    let mut outcome = Outcome::default();
    for entry in entries {
        let Ok((id, edit)) = &entry.entry else {
            outcome.refused.extend(Refused::by_its_form(entry));
            continue;
        };
        match transaction.set_if(id, edit, Condition::Always) {
            Ok(change) => outcome.changes.push(change),
            Err(error @ Error::Invalid { .. }) => outcome.refused.push(Refused::new(entry, &error)),
            Err(error) => return Err(error),
        }
    }
    Ok(outcome)
}

/// Never shown: ends the transaction without its changes.
fn rolled_back() -> Error {
    Error::Invalid { what: "an entry".to_owned(), reason: "was refused".to_owned() }
}

impl Refused {
    fn new(entry: &Parsed, error: &Error) -> Self {
        Self { index: entry.index, id: entry.id.clone(), reason: with_causes(error) }
    }

    fn by_its_form(entry: &Parsed) -> Option<Self> {
        entry.entry.as_ref().err().map(|error| Self::new(entry, error))
    }

    fn text(&self) -> String {
        match &self.id {
            Some(id) => format!("entry {} (\"{id}\"): {}", self.index, self.reason),
            None => format!("entry {}: {}", self.index, self.reason),
        }
    }

    fn json(&self) -> Value {
        json!({"index": self.index, "id": self.id, "reason": self.reason})
    }
}

fn all_refused(refused: &[Refused]) -> Failure {
    Failure::invalid("the input", format!("is refused: {}", list(refused)))
}

fn list(refused: &[Refused]) -> String {
    refused.iter().map(Refused::text).collect::<Vec<_>>().join("; ")
}

fn tell(context: &Context, outcome: &Outcome) -> Result<(), Failure> {
    let ids = |matches: fn(&Change) -> bool| -> Vec<&str> {
        let changes = outcome.changes.iter().filter(|change| matches(change));
        changes.map(|change| change.id.as_str()).collect()
    };
    let added = ids(|change| change.created);
    let updated = ids(|change| change.changed && !change.created);
    let unchanged = ids(|change| !change.changed);
    let shown = if context.output.is_json() {
        let refused: Vec<_> = outcome.refused.iter().map(Refused::json).collect();
        context.output.json(&json!({
            "added": added, "updated": updated, "unchanged": unchanged, "refused": refused,
        }))
    } else {
        Ok(())
    };
    context.output.confirm(&format!(
        "added {}, updated {}, unchanged {}",
        added.len(),
        updated.len(),
        unchanged.len()
    ));
    if outcome.refused.is_empty() {
        return shown;
    }
    let refused = count(outcome.refused.len(), "entry was", "entries were");
    let partial = Failure::Partial(format!("{refused} refused: {}", list(&outcome.refused)));
    Err(partial.beside(shown))
}
