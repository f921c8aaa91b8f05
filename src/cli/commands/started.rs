//! What the commands that start others have in common: their options, and what failures mean.

use std::ffi::OsStr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use credb::{Error, Patch, Vault};

use crate::cli::child::End;
use crate::cli::context::Context;
use crate::cli::globals::{LONGEST_WAIT, seconds};
use crate::cli::hints::quote;
use crate::cli::report::Failure;
use crate::cli::when::{FORMS, When};

/// How long a command may run if nothing else is said.
const USUAL_TIMEOUT: Duration = Duration::from_secs(300);

/// The exit code of a command that took too long, as timeout(1) has it.
const TIMED_OUT: u8 = 124;

/// The value of `--timeout`.
pub(super) fn timeout(text: Option<&OsStr>) -> Result<Duration, Failure> {
    let Some(text) = text else { return Ok(USUAL_TIMEOUT) };
    seconds(text).filter(|limit| !limit.is_zero()).ok_or_else(|| {
        Failure::usage(format!(
            "--timeout must be a number of seconds above 0, at most {LONGEST_WAIT}"
        ))
    })
}

/// The value of `--expires`, as it was written: a span counts from when the password is there.
pub(super) struct Expiry(Option<String>);

impl Expiry {
    pub(super) fn new(when: Option<&OsStr>) -> Result<Self, Failure> {
        let Some(when) = when else { return Ok(Self(None)) };
        let expiry = Self(when.to_str().map(str::to_owned));
        // What is no point in time, or over, is refused before anything is done.
        match expiry.0.is_some().then(|| expiry.now()).transpose()? {
            None => Err(wrong_expiry()),
            Some(Patch::Set(time)) if time <= Utc::now() => {
                Err(Failure::usage("--expires is over already"))
            }
            Some(_) => Ok(expiry),
        }
    }

    /// Whether there is one, be it `never`.
    pub(super) fn is_given(&self) -> bool {
        self.0.is_some()
    }

    /// The option as it was written, after a space; empty without it.
    pub(super) fn option(&self) -> String {
        self.0.as_ref().map_or_else(String::new, |text| format!(" --expires {}", quote(text)))
    }

    /// The expiry of a password that is made now; without the option it has none.
    pub(super) fn now(&self) -> Result<Patch<DateTime<Utc>>, Failure> {
        let Some(text) = &self.0 else { return Ok(Patch::Clear) };
        match When::parse(text, Utc::now()) {
            Some(When::At(time)) => Ok(Patch::Set(time)),
            Some(When::Never) => Ok(Patch::Clear),
            None => Err(wrong_expiry()),
        }
    }
}

fn wrong_expiry() -> Failure {
    Failure::usage(format!("--expires {FORMS}"))
}

/// Has what a command achieved be stored with all of the patience that was asked for, whatever was
/// waited before: a service may not take back what it did.
pub(super) fn wait_to_store(context: &Context, vault: &Vault) {
    vault.wait_anew(context.globals.wait);
}

/// The failure of a command that `does` something, if it did not end well.
pub(super) fn failed(end: End, program: &OsStr, does: &str) -> Failure {
    let command = |how: &str, code| Failure::Command {
        name: "command",
        message: format!("the command that {does} {how}"),
        code,
        hint: None,
    };
    match end {
        End::Failed(code) => command(&format!("failed with exit code {code}"), code),
        End::TimedOut => command("took longer than --timeout and was ended", TIMED_OUT),
        End::Interrupted(signal) => Failure::Stopped(signal),
        End::NotStarted(source, code) => {
            let error = Error::Io { action: "run", path: program.into(), source };
            Failure::NotStarted { error, code }
        }
        // Callers that bound its output say more.
        End::Done(_) | End::TooMuch => command("printed too much and was ended", 1),
    }
}
