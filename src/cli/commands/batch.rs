//! `batch`: operations, one JSON object a line, each answered by one line.
//!
//! All of them or none; or in parts that are each all or nothing; or each on its own, for a
//! script that keeps one process beside it.

mod feed;
mod results;

use std::cell::Cell;
use std::io;
use std::ops::Range;
use std::path::Path;

use credb::{Error, Vault};

use self::feed::{Feed, Lines, NoLines};
use self::results::{Others, Results, all_refused};
use super::count;
use crate::cli::args::BatchArgs;
use crate::cli::context::Context;
use crate::cli::hints::quote_path;
use crate::cli::input::Place;
use crate::cli::output::to_stdout;
use crate::cli::progress::Progress;
use crate::cli::report::Failure;

/// Does what the lines say.
pub(super) fn run(context: &Context, args: &BatchArgs) -> Result<(), Failure> {
    let batch = Batch { context, args, is_unheard: Cell::new(false) };
    let place = Place::of_document(args.file.as_deref().unwrap_or(Path::new("-")));
    if args.each {
        return batch.each(&place);
    }
    let (vault, lines) = match args.chunk {
        Some(lines) => (context.open_to_stay()?, usize::try_from(lines).unwrap_or(usize::MAX)),
        None => (context.open()?, usize::MAX),
    };
    batch.parts(&vault, &place, lines)
}

/// One call.
struct Batch<'a> {
    context: &'a Context,
    args: &'a BatchArgs,
    /// Whether nobody reads the answers any more.
    is_unheard: Cell<bool>,
}

impl Batch<'_> {
    /// Parts of so many lines, each all or nothing, up to the first that fails.
    fn parts(&self, vault: &Vault, place: &Place, most: usize) -> Result<(), Failure> {
        let mut feed = Feed::open(place)?;
        let mut stored = 0;
        loop {
            let kept = |failure: Failure| failure.after_lines(stored);
            let lines = feed.up_to(most).map_err(|reason| kept(self.no_lines(reason)))?;
            if lines.len() == 0 {
                return Ok(());
            }
            let _progress = Progress::start(&self.context.output, "writing");
            let all = 0..lines.len();
            let results = together(vault, &lines, all, Others::RolledBack)
                .map_err(|error| kept(error.into()))?;
            if results.refused() > 0 {
                return Err(kept(self.undone(&lines, results)));
            }
            stored += lines.len();
            let answered = self.print(&results.each(self.context));
            answered.map_err(|failure| failure.after_lines(stored))?;
        }
    }

    /// Answers lines that were rolled back, and gives the failure of the first that was refused.
    /// Whether they can be answered matters less.
    fn undone(&self, lines: &Lines<'_>, results: Results) -> Failure {
        let place = results.first_refused().unwrap_or_default();
        let line = lines.first + place;
        let _ = self.print(&results.undone(self.context, line));
        match results.into_first_refused() {
            Some(error) => Failure::Line { line, error },
            None => Error::Poisoned.into(),
        }
    }

    fn no_lines(&self, reason: NoLines) -> Failure {
        let (error, fitting) = match reason {
            NoLines::TooMuch { error, fitting } => (error, fitting),
            NoLines::Unreadable(error) => return error.into(),
        };
        let file = self.args.file.as_deref().map(|file| format!(" {}", quote_path(file)));
        let chunk = if fitting > 20_000 { 10_000 } else { fitting.div_ceil(2) };
        let command = format!("batch --chunk {chunk}{}", file.unwrap_or_default());
        let command = self.context.hints.command(&command);
        Failure::from(error).with_hint(format!("in parts, each a transaction: `{command}`"))
    }

    /// Each on its own, those that wait together durable together.
    fn each(&self, place: &Place) -> Result<(), Failure> {
        let vault = self.context.open_to_stay()?;
        let mut feed = Feed::open(place)?;
        let mut refused = 0;
        loop {
            let lines = feed.waiting()?;
            if lines.len() == 0 {
                break;
            }
            let mut done = 0;
            while done < lines.len() {
                let (count, refusals) = self.some(&vault, &lines, done)?;
                (done, refused) = (done + count, refused + refusals);
            }
        }
        if refused == 0 {
            return Ok(());
        }
        Err(Failure::Partial(format!("{} refused", count(refused, "line was", "lines were"))))
    }

    /// Does and answers some of these lines from the first one on: how many, and how many of
    /// those were refused.
    fn some(
        &self,
        vault: &Vault,
        lines: &Lines<'_>,
        first: usize,
    ) -> Result<(usize, u64), Failure> {
        // What is read before the first change waits for no other writer.
        let change = (first..lines.len()).find(|at| lines.writes(*at)).filter(|at| *at > first);
        let mut end = change.unwrap_or(lines.len());
        loop {
            let error = match together(vault, lines, first..end, Others::Kept) {
                Ok(results) => {
                    self.print(&results.each(self.context))?;
                    return Ok((results.len(), results.refused() as u64));
                }
                Err(error) => error,
            };
            let count = end - first;
            if count == 1 || concerns_all(&error) {
                self.print(&all_refused(self.context, &error, count))?;
                return if ends_all(&error) {
                    Err(error.into())
                } else {
                    Ok((count, count as u64))
                };
            }
            // One of them met damage, or a full disk: the others shall not suffer from it.
            end = first + count / 2;
        }
    }

    /// Prints answers. A reader that has gone does not change what becomes of the other lines.
    fn print(&self, answers: &[u8]) -> Result<(), Failure> {
        if self.is_unheard.get() {
            return Ok(());
        }
        match to_stdout(answers) {
            Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.is_unheard.set(true);
                Ok(())
            }
            printed => printed,
        }
    }
}

/// Does them in one transaction, or on one state if they only read. An error that is not about
/// one of them ends it without any change.
fn together(
    vault: &Vault,
    lines: &Lines<'_>,
    range: Range<usize>,
    others: Others,
) -> credb::Result<Results> {
    if !range.clone().any(|at| lines.writes(at)) {
        return vault.read(|snapshot| {
            Results::of(lines, range.clone(), others, |one| one.look_up(snapshot))
        });
    }
    let mut done = Results::default();
    let written = vault.write(|transaction| {
        done = Results::of(lines, range.clone(), others, |one| one.apply(transaction))?;
        let is_refused = done.refused() > 0 && others == Others::RolledBack;
        if is_refused { Err(rolled_back()) } else { Ok(()) }
    });
    match written {
        Err(_) if others == Others::RolledBack && done.refused() > 0 => Ok(done),
        written => written.map(|()| done),
    }
}

/// Whether to try again with fewer would only take longer.
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
