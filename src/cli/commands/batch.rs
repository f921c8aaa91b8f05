//! `batch`: operations, one JSON object a line, each answered by one line.
//!
//! All of them or none; or in parts that are each all or nothing; or each on its own, for a
//! script that keeps one process beside it.

mod feed;

use std::path::Path;

use credb::exchange::batch::Operation;
use credb::{Error, Vault};
use serde_json::json;
use zeroize::Zeroizing;

use self::feed::{Entry, Feed};
use super::count;
use crate::cli::args::BatchArgs;
use crate::cli::context::Context;
use crate::cli::input::Place;
use crate::cli::output::to_stdout;
use crate::cli::progress::Progress;
use crate::cli::report::{self, Failure};

/// A line of the output, which may hold secrets.
type Text = Zeroizing<String>;

/// What becomes of the others when one operation is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Others {
    RolledBack,
    Kept,
}

/// Does what the lines say.
pub(super) fn run(context: &Context, args: &BatchArgs) -> Result<(), Failure> {
    let place = Place::of_document(args.file.as_deref().unwrap_or(Path::new("-")));
    if args.each {
        return each(&Answers { context }, &place);
    }
    let (vault, lines) = match args.chunk {
        Some(lines) => (context.open_to_stay()?, usize::try_from(lines).unwrap_or(usize::MAX)),
        None => (context.open()?, usize::MAX),
    };
    parts(&Answers { context }, &vault, &place, lines)
}

/// Parts of so many lines, each all or nothing, up to the first that fails.
fn parts(answers: &Answers<'_>, vault: &Vault, place: &Place, lines: usize) -> Result<(), Failure> {
    let mut feed = Feed::open(place)?;
    loop {
        let entries = feed.up_to(lines).map_err(|error| too_much(answers.context, error))?;
        let Some(first) = entries.first().map(|entry| entry.line) else { return Ok(()) };
        let _progress = Progress::start(&answers.context.output, "writing");
        let results = all_or_nothing(vault, entries)?;
        let failed = results.iter().position(Result::is_err);
        answers.print_part(&results, failed.map(|failed| first + failed))?;
        if let Some((at, Err(error))) = failed.zip(results.into_iter().find(Result::is_err)) {
            return Err(Failure::Line { line: first + at, kept: first - 1, error });
        }
    }
}

fn too_much(context: &Context, error: Error) -> Failure {
    let is_size = matches!(error, Error::Invalid { .. });
    let failure = Failure::from(error);
    if !is_size {
        return failure;
    }
    let command = context.hints.command("batch --chunk 10000");
    failure.with_hint(format!("in parts, each a transaction: `{command}`"))
}

/// Does all of them, or none if one is refused. If a line cannot even be read, none is tried.
fn all_or_nothing(vault: &Vault, entries: Vec<Entry>) -> credb::Result<Vec<credb::Result<Text>>> {
    let readable: credb::Result<Vec<&Operation>, ()> =
        entries.iter().map(|entry| entry.operation.as_ref().map_err(drop)).collect();
    if let Ok(operations) = readable {
        return together(vault, &operations, Others::RolledBack);
    }
    let untried = |entry: Entry| entry.operation.map(|_| Text::default());
    Ok(entries.into_iter().map(untried).collect())
}

/// Each on its own, those that wait together durable together.
fn each(answers: &Answers<'_>, place: &Place) -> Result<(), Failure> {
    let vault = answers.context.open_to_stay()?;
    let mut feed = Feed::open(place)?;
    let mut refused = 0_u64;
    loop {
        let entries = feed.waiting()?;
        if entries.is_empty() {
            break;
        }
        let (results, end) = one_by_one(answers, &vault, &entries);
        refused += answers.print_each(results)?;
        if let Some(error) = end {
            return Err(error.into());
        }
    }
    if refused == 0 {
        return Ok(());
    }
    Err(Failure::Partial(format!("{} refused", count(refused, "line was", "lines were"))))
}

/// The answers of a group, and the error after which there can be no further ones.
fn one_by_one(
    answers: &Answers<'_>,
    vault: &Vault,
    entries: &[Entry],
) -> (Vec<Result<Text, Text>>, Option<Error>) {
    let operations: Vec<&Operation> =
        entries.iter().filter_map(|entry| entry.operation.as_ref().ok()).collect();
    let mut end = None;
    let told = |result: credb::Result<Text>| result.map_err(|error| answers.refusal(&error));
    let done: Vec<Result<Text, Text>> = match together(vault, &operations, Others::Kept) {
        Ok(results) => results.into_iter().map(told).collect(),
        Err(error) if operations.len() == 1 || concerns_all(&error) => {
            let refusal = answers.refusal(&error);
            end = Some(error).filter(ends_all);
            operations.iter().map(|_| Err(refusal.clone())).collect()
        }
        // One of them met damage, or a full disk: the others shall not suffer from it.
        Err(_) => operations.iter().map(|operation| told(alone(vault, operation))).collect(),
    };
    let mut done = done.into_iter();
    let woven = entries.iter().filter_map(|entry| match &entry.operation {
        Ok(_) => done.next(),
        Err(error) => Some(Err(answers.refusal(error))),
    });
    (woven.collect(), end)
}

fn alone(vault: &Vault, operation: &Operation) -> credb::Result<Text> {
    together(vault, &[operation], Others::Kept)?.into_iter().next().unwrap_or(Err(Error::Poisoned))
}

/// Does them in one transaction, or on one state if they only read. An error that is not about
/// one of them ends it without any change.
fn together(
    vault: &Vault,
    operations: &[&Operation],
    others: Others,
) -> credb::Result<Vec<credb::Result<Text>>> {
    if operations.iter().all(|operation| operation.only_reads()) {
        return vault.read(|snapshot| results(operations, |one| one.look_up(snapshot)));
    }
    let mut done = Vec::new();
    let written = vault.write(|transaction| {
        done = results(operations, |one| one.apply(transaction))?;
        let refused = done.iter().any(Result::is_err);
        if refused && others == Others::RolledBack { Err(rolled_back()) } else { Ok(()) }
    });
    match written {
        Err(_) if others == Others::RolledBack && done.iter().any(Result::is_err) => Ok(done),
        written => written.map(|()| done),
    }
}

fn results(
    operations: &[&Operation],
    mut apply: impl FnMut(&Operation) -> credb::Result<String>,
) -> credb::Result<Vec<credb::Result<Text>>> {
    let result = |operation: &&Operation| match apply(operation) {
        Ok(answer) => Ok(Ok(Text::new(answer))),
        Err(error) if is_refusal(&error) => Ok(Err(error)),
        Err(error) => Err(error),
    };
    operations.iter().map(result).collect()
}

/// Whether an error is about one operation, which changed nothing, and not about the vault.
fn is_refusal(error: &Error) -> bool {
    matches!(
        error,
        Error::NotFound { .. }
            | Error::AlreadyExists { .. }
            | Error::VersionMismatch { .. }
            | Error::Invalid { .. }
    )
}

/// Whether to try again one by one would only take longer.
fn concerns_all(error: &Error) -> bool {
    let is_about_vault =
        matches!(error, Error::Busy { .. } | Error::VaultNotFound { .. } | Error::Locked { .. });
    is_about_vault || ends_all(error)
}

/// Whether this handle is of no more use.
fn ends_all(error: &Error) -> bool {
    matches!(error, Error::OutcomeUnknown { .. } | Error::Poisoned | Error::Forked)
}

/// Never shown: ends the transaction without its changes.
fn rolled_back() -> Error {
    Error::Invalid { what: "a line".to_owned(), reason: "was refused".to_owned() }
}

/// Answers as they are printed.
struct Answers<'a> {
    context: &'a Context,
}

impl Answers<'_> {
    fn refusal(&self, error: &Error) -> Text {
        let error = report::error_members(error, &self.context.hints);
        Text::new(json!({"ok": false, "error": error}).to_string())
    }

    /// Prints the answers of a part. If one failed, nothing was done.
    fn print_part(
        &self,
        results: &[credb::Result<Text>],
        failed: Option<usize>,
    ) -> Result<(), Failure> {
        let undone = failed.map(|line| {
            let message = format!("not done, since line {line} failed");
            let error = json!({"code": "cancelled", "message": message, "hint": null});
            Text::new(json!({"ok": false, "error": error}).to_string())
        });
        let mut page = Page::new(self.context, results.len());
        for result in results {
            match (result, &undone) {
                (Err(error), _) => page.add(&self.refusal(error)),
                (Ok(_), Some(undone)) => page.add(undone),
                (Ok(answer), None) => page.add(answer),
            }
        }
        to_stdout(&page.bytes)
    }

    /// Prints the answers of a group; how many were refused.
    fn print_each(&self, results: Vec<Result<Text, Text>>) -> Result<u64, Failure> {
        let mut page = Page::new(self.context, results.len());
        let mut refused = 0;
        for result in results {
            refused += u64::from(result.is_err());
            let (Ok(answer) | Err(answer)) = result;
            page.add(&answer);
        }
        to_stdout(&page.bytes)?;
        Ok(refused)
    }
}

/// Lines that are written at once.
struct Page<'a> {
    context: &'a Context,
    bytes: Zeroizing<Vec<u8>>,
}

impl<'a> Page<'a> {
    fn new(context: &'a Context, lines: usize) -> Self {
        Self { context, bytes: Zeroizing::new(Vec::with_capacity(lines * 256)) }
    }

    fn add(&mut self, line: &str) {
        let line = self.context.output.json_line(line);
        crate::cli::input::grow(&mut self.bytes, line.len() + 1);
        self.bytes.extend_from_slice(line.as_bytes());
        self.bytes.push(b'\n');
    }
}
