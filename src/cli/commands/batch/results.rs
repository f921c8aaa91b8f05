//! What became of operations, line by line, and how that is printed.

use std::collections::BTreeMap;
use std::ops::Range;

use credb::Error;
use credb::exchange::batch::Operation;
use serde_json::json;
use zeroize::Zeroizing;

use super::feed::Lines;
use crate::cli::context::Context;
use crate::cli::input::grow;
use crate::cli::report;

/// What becomes of the others when one operation is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Others {
    RolledBack,
    Kept,
}

/// The most bytes of the answers of one transaction whose operations stand or fall together.
const MOST: usize = 256 << 20;

/// After how many bytes of answers no further operation joins those that only wait together.
const ENOUGH: usize = 4 << 20;

/// After how many refusals the rest of what will be rolled back is not tried any more.
const MOST_REFUSED: usize = 1_000;

/// About what is kept of a refusal, in bytes.
const REFUSAL: usize = 256;

/// The results of operations, in their order.
#[derive(Default)]
pub(super) struct Results {
    /// The answers of those that were done, each a line. They may hold secrets.
    answers: Zeroizing<Vec<u8>>,
    /// Why others were refused, by their positions.
    refused: BTreeMap<usize, Error>,
    len: usize,
}

impl Results {
    /// Applies the operations of these lines, in their order; those that are kept, up to where
    /// there are answers enough.
    ///
    /// # Errors
    ///
    /// The first one that is not about a single operation, and [`Error::Invalid`] if the answers
    /// of operations that stand or fall together are too long.
    pub(super) fn of(
        lines: &Lines<'_>,
        range: Range<usize>,
        others: Others,
        mut apply: impl FnMut(&Operation) -> credb::Result<String>,
    ) -> credb::Result<Self> {
        let mut results = Self::default();
        for position in range {
            let result = lines.operation(position).and_then(|operation| apply(&operation));
            match result.map(Zeroizing::new) {
                Ok(answer) => results.add(&answer),
                Err(error) if is_refusal(&error) => results.refuse(error),
                Err(error) => return Err(error),
            }
            if others == Others::RolledBack && results.refused() == MOST_REFUSED {
                results.len = lines.len();
                break;
            }
            let size = results.answers.len() + REFUSAL * results.refused.len();
            match others {
                Others::Kept if size > ENOUGH => break,
                Others::RolledBack if size > MOST => {
                    let reason = format!("have more than {MOST} bytes for one transaction");
                    return Err(Error::Invalid { what: "the answers".to_owned(), reason });
                }
                _ => {}
            }
        }
        Ok(results)
    }

    fn add(&mut self, answer: &str) {
        grow(&mut self.answers, answer.len() + 1);
        self.answers.extend_from_slice(answer.as_bytes());
        self.answers.push(b'\n');
        self.len += 1;
    }

    fn refuse(&mut self, error: Error) {
        self.refused.insert(self.len, error);
        self.len += 1;
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// How many were refused.
    pub(super) fn refused(&self) -> usize {
        self.refused.len()
    }

    /// The position of the first that was refused.
    pub(super) fn first_refused(&self) -> Option<usize> {
        self.refused.keys().next().copied()
    }

    /// Why that one was.
    pub(super) fn into_first_refused(mut self) -> Option<Error> {
        self.refused.pop_first().map(|(_, error)| error)
    }

    /// What is printed of operations that are kept.
    pub(super) fn each(&self, context: &Context) -> Zeroizing<Vec<u8>> {
        let mut page = Page::new(context, self.answers.len());
        if self.refused.is_empty() && !context.output.is_terminal() {
            page.bytes.extend_from_slice(&self.answers);
            return page.bytes;
        }
        let mut answers = self.answers.split(|byte| *byte == b'\n');
        for position in 0..self.len {
            match self.refused.get(&position) {
                Some(error) => page.refusal(error),
                None => page.line(&String::from_utf8_lossy(answers.next().unwrap_or_default())),
            }
        }
        page.bytes
    }

    /// What is printed of operations that were rolled back, since the one of this line failed.
    pub(super) fn undone(&self, context: &Context, line: usize) -> Zeroizing<Vec<u8>> {
        let message = format!("not done, since line {line} failed");
        let error = json!({"code": "cancelled", "message": message, "hint": null});
        let undone = json!({"ok": false, "error": error}).to_string();
        let mut page = Page::new(context, self.len * (undone.len() + 1));
        for position in 0..self.len {
            match self.refused.get(&position) {
                Some(error) => page.refusal(error),
                None => page.line(&undone),
            }
        }
        page.bytes
    }
}

/// What is printed of so many operations that were all refused for this reason.
pub(super) fn all_refused(context: &Context, error: &Error, len: usize) -> Zeroizing<Vec<u8>> {
    let mut page = Page::new(context, len * REFUSAL);
    (0..len).for_each(|_| page.refusal(error));
    page.bytes
}

/// Whether an error is about one operation, which changed nothing, and not about the vault.
fn is_refusal(error: &Error) -> bool {
    matches!(
        error,
        Error::NotFound { .. }
            | Error::AlreadyExists { .. }
            | Error::VersionMismatch { .. }
            | Error::Pending { .. }
            | Error::Invalid { .. }
    )
}

/// Lines that are written at once.
struct Page<'a> {
    context: &'a Context,
    bytes: Zeroizing<Vec<u8>>,
}

impl<'a> Page<'a> {
    fn new(context: &'a Context, capacity: usize) -> Self {
        Self { context, bytes: Zeroizing::new(Vec::with_capacity(capacity)) }
    }

    fn line(&mut self, line: &str) {
        let line = self.context.output.json_line(line);
        grow(&mut self.bytes, line.len() + 1);
        self.bytes.extend_from_slice(line.as_bytes());
        self.bytes.push(b'\n');
    }

    fn refusal(&mut self, error: &Error) {
        let error = report::error_members(error, &self.context.hints);
        self.line(&json!({"ok": false, "error": error}).to_string());
    }
}
