//! Failures: their exit codes, their JSON codes and how they are told.
//!
//! The one place that decides which number a failure exits with. Holds no secret: messages come
//! from errors that hold none.

mod wording;

use std::io;
use std::process::ExitCode;

use clap::builder::StyledStr;
use credb::Error;
use serde_json::json;

use self::wording::{BUSY, classify, plain};
pub(crate) use self::wording::{error_members, in_result, with_causes};
use super::hints::Hints;
use super::output::Output;

/// Why a command did not do what it was asked to.
pub(crate) enum Failure {
    /// The library refused.
    Library {
        /// Why.
        error: Error,
        /// What to do about it, where the command knows better than the error.
        hint: Option<String>,
    },
    /// The same, told in the words of the command, which knows more about it.
    Told {
        /// What it is.
        error: Error,
        /// How it is told.
        message: String,
    },
    /// The command line is wrong, or a question would have to be asked and must not.
    Usage {
        /// What is wrong.
        message: String,
        /// What to write instead.
        hint: Option<String>,
    },
    /// The vault was read to its end and is not as it should be.
    Damaged {
        /// What is wrong with it.
        message: String,
        /// What to do about it.
        hint: String,
    },
    /// A line of the input was refused, and with it all that were to be done together with it.
    Line {
        /// The line, from 1.
        line: usize,
        /// Why.
        error: Error,
    },
    /// Lines of the input were done before it came to this failure.
    AfterLines {
        /// The last of them, from 1.
        line: usize,
        /// What came then.
        failure: Box<Failure>,
    },
    /// Some entries were refused, the others were kept.
    Partial(String),
    /// The answer to a question was no.
    Cancelled,
    /// No failure: what was looked for is there, and the exit code is to say so.
    Found,
    /// No failure either: something weak was found and told.
    Weak,
    /// A signal asked to stop.
    Interrupted,
    /// This signal ended what a command had started.
    Stopped(u8),
    /// A command that was started did not do what it was started for.
    Command {
        /// The JSON code.
        name: &'static str,
        /// What it did instead.
        message: String,
        /// The exit code, which may be the command's own.
        code: u8,
        /// What to do about it.
        hint: Option<String>,
    },
    /// The program to be run cannot be.
    NotStarted {
        /// Why.
        error: Error,
        /// What a shell would exit with.
        code: u8,
    },
    /// What was asked for cannot be written.
    Output(io::Error),
    /// What was asked for is done, but what it came to cannot be written.
    Unshown {
        /// Why.
        error: io::Error,
        /// How it is seen.
        hint: Option<String>,
    },
    /// No failure: help that was asked for, or is shown since nothing was.
    Help {
        /// The help.
        text: StyledStr,
        /// Where it goes and what it means.
        reason: HelpReason,
    },
}

/// The exit code of a damaged vault.
pub(crate) const DAMAGED: u8 = 6;

/// The exit code of all failures of `run`, which must not be taken for the command's.
pub(crate) const RUN: u8 = 125;

/// Whose exit code a caller sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Codes {
    /// Those of this program.
    Own,
    /// Those of the program that `run` becomes, with one for all failures before that.
    OfCommand,
}

impl Codes {
    /// The code of this failure.
    pub(crate) fn of(self, failure: &Failure) -> u8 {
        let code = failure.exit_code();
        let is_command = matches!(failure, Failure::NotStarted { .. });
        if code == 0 || is_command { code } else { self.or(code) }
    }

    /// This code, unless there is one for all failures.
    pub(crate) fn or(self, code: u8) -> u8 {
        if self == Self::Own { code } else { RUN }
    }
}

/// Why help is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HelpReason {
    /// It was asked for.
    Asked,
    /// The command line is empty.
    Empty,
}

impl Failure {
    /// A wrong command line.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), hint: None }
    }

    /// Input that breaks a rule.
    pub(crate) fn invalid(what: impl Into<String>, reason: impl Into<String>) -> Self {
        Error::Invalid { what: what.into(), reason: reason.into() }.into()
    }

    /// The same failure with a hint of the command's own.
    pub(crate) fn with_hint(self, hint: impl Into<String>) -> Self {
        let hint = Some(hint.into());
        match self {
            Self::Library { error, .. } => Self::Library { error, hint },
            Self::Usage { message, .. } => Self::Usage { message, hint },
            Self::Unshown { error, .. } => Self::Unshown { error, hint },
            other => other,
        }
    }

    /// The same failure after so many lines of the input were stored.
    pub(crate) fn after_lines(self, line: usize) -> Self {
        if line == 0 { self } else { Self::AfterLines { line, failure: Box::new(self) } }
    }

    /// The same failure of a command that prints after it has changed the vault: to do it again is
    /// not what mends it.
    pub(crate) fn after_change(self) -> Self {
        match self {
            Self::Output(error) => Self::Unshown { error, hint: None },
            other => other,
        }
    }

    /// This failure of a command that showed what it came to before it fails. That nobody reads that
    /// is no reason to call it done.
    pub(crate) fn beside(self, shown: Result<(), Self>) -> Self {
        let Err(unshown) = shown else { return self };
        if unshown.is_silent() {
            return self;
        }
        match self {
            // No failures, and nothing else would tell of them.
            Self::Found | Self::Weak => unshown,
            Self::Partial(message) => Self::Partial(format!("{message}; {}", unshown.message())),
            failure => failure,
        }
    }

    /// The same failure with what these hints say of it, unless it has a hint.
    pub(crate) fn hinted_by(self, hints: &Hints) -> Self {
        match self {
            Self::Library { error, hint: None } => {
                let hint = hints.for_error(&error);
                Self::Library { error, hint }
            }
            other => other,
        }
    }

    /// The same failure with something else that is told behind it, with this hint alone.
    pub(crate) fn before(self, what: &str, hint: Option<String>) -> Self {
        let message = format!("{}; {what}", self.message());
        Self::Command { name: self.json_code(), message, code: self.exit_code(), hint }
    }

    /// The same failure after something else, which is told first, with this hint alone.
    pub(crate) fn after(self, what: &str, hint: Option<String>) -> Self {
        let message = format!("{what}: {}", self.message());
        Self::Command { name: self.json_code(), message, code: self.exit_code(), hint }
    }

    /// The exit code.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Library { error, .. } | Self::Told { error, .. } | Self::Line { error, .. } => {
                classify(error).1
            }
            Self::AfterLines { failure, .. } => failure.exit_code(),
            Self::Usage { .. } | Self::Help { reason: HelpReason::Empty, .. } => 2,
            Self::Damaged { .. } => DAMAGED,
            Self::NotStarted { code, .. } | Self::Command { code, .. } => *code,
            Self::Stopped(signal) => 128_u8.saturating_add(*signal),
            Self::Partial(_) | Self::Cancelled | Self::Weak => 1,
            Self::Found => 10,
            Self::Interrupted => 130,
            Self::Output(error) | Self::Unshown { error, .. } if is_closed_pipe(error) => 0,
            Self::Output(_) | Self::Unshown { .. } => 8,
            Self::Help { reason: HelpReason::Asked, .. } => 0,
        }
    }

    /// Whether there is nothing to tell.
    fn is_silent(&self) -> bool {
        match self {
            Self::Found | Self::Weak | Self::Interrupted | Self::Stopped(_) | Self::Help { .. } => {
                true
            }
            Self::Output(error) | Self::Unshown { error, .. } => is_closed_pipe(error),
            _ => false,
        }
    }

    fn json_code(&self) -> &'static str {
        match self {
            Self::Library { error, .. } | Self::Told { error, .. } | Self::Line { error, .. } => {
                classify(error).0
            }
            Self::AfterLines { failure, .. } => failure.json_code(),
            Self::Usage { .. } => "usage",
            Self::Damaged { .. } => "corrupt",
            Self::Partial(_) => "partial",
            Self::Cancelled => "cancelled",
            Self::Output(_) | Self::Unshown { .. } | Self::NotStarted { .. } => "io",
            Self::Command { name, .. } => name,
            Self::Found | Self::Weak | Self::Interrupted | Self::Stopped(_) | Self::Help { .. } => {
                "failed"
            }
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Library { error, .. } | Self::NotStarted { error, .. } => with_causes(error),
            Self::Line { line, error } => format!("line {line}: {}", with_causes(error)),
            Self::AfterLines { line, failure } => {
                format!("{}; the lines up to line {line} are stored", failure.message())
            }
            Self::Told { message, .. }
            | Self::Usage { message, .. }
            | Self::Damaged { message, .. }
            | Self::Partial(message)
            | Self::Command { message, .. } => message.clone(),
            Self::Cancelled => "cancelled, nothing was changed".to_owned(),
            Self::Output(error) => format!("cannot write the output: {}", plain(error)),
            Self::Unshown { error, .. } => format!(
                "cannot write the output: {}; what was asked for is done and stored",
                plain(error)
            ),
            Self::Found | Self::Weak | Self::Interrupted | Self::Stopped(_) | Self::Help { .. } => {
                String::new()
            }
        }
    }

    fn hint(&self, hints: &Hints) -> Option<String> {
        match self {
            Self::Library { error, hint } => hint.clone().or_else(|| hints.for_error(error)),
            Self::Told { error, .. } | Self::Line { error, .. } => hints.for_error(error),
            // To call it again would do the stored lines twice.
            Self::AfterLines { line, failure } if failure.exit_code() == BUSY => {
                Some(format!("go on from line {} with a longer --wait", line + 1))
            }
            Self::AfterLines { failure, .. } => failure.hint(hints),
            Self::Usage { hint, .. } => hint.clone().or_else(|| hints.for_usage()),
            Self::Damaged { hint, .. } => Some(hint.clone()),
            Self::Command { hint, .. } | Self::Unshown { hint, .. } => hint.clone(),
            _ => None,
        }
    }
}

/// Whether nobody reads what is written.
fn is_closed_pipe(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Library { error, hint: None }
    }
}

/// Tells the failure on stderr and gives the exit code.
pub(crate) fn report(failure: &Failure, output: &Output, hints: &Hints, codes: Codes) -> ExitCode {
    if let Failure::Help { text, reason } = failure {
        return show_help(text, *reason, output);
    }
    if !failure.is_silent() {
        let (message, hint) = (failure.message(), failure.hint(hints));
        if output.is_json() {
            output.error_json(&shape(failure.json_code(), &message, hint.as_deref()));
        } else {
            output.error(&message, hint.as_deref());
        }
    }
    ExitCode::from(codes.of(failure))
}

/// An error in JSON.
pub(crate) fn shape(code: &str, message: &str, hint: Option<&str>) -> serde_json::Value {
    json!({"error": {"code": code, "message": message, "hint": hint}})
}

fn show_help(text: &StyledStr, reason: HelpReason, output: &Output) -> ExitCode {
    let shown = match reason {
        HelpReason::Asked => output.help(text),
        HelpReason::Empty => {
            output.help_on_stderr(text);
            Ok(())
        }
    };
    match shown {
        Ok(()) => ExitCode::from(if reason == HelpReason::Asked { 0 } else { 2 }),
        Err(failure) => ExitCode::from(failure.exit_code()),
    }
}

#[cfg(test)]
mod tests;
