//! `ensure`: a password that is fresh. If it is not, one of all callers has a command renew it.
//!
//! While the command runs a lease is held, and nothing of the vault. What it prints goes through a
//! pipe and memory that is wiped into the vault.

mod note;

use std::ffi::{OsStr, OsString};
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use credb::exchange::{MAX_INPUT, json};
use credb::{
    Condition, Credential, CredentialId, Edit, Error, HeldLease, Lease, Patch, Purpose, Secret,
    Vault, limits,
};
use serde_json::json;

use self::note::Note;
use super::get;
use super::started::{Expiry, failed, timeout, wait_to_store};
use crate::cli::args::EnsureArgs;
use crate::cli::child::{self, Bounds, End};
use crate::cli::context::{Context, io_error};
use crate::cli::input::{self, without_line_end};
use crate::cli::page::{Page, Reader};
use crate::cli::report::Failure;
use crate::cli::when::{SPANS, span};

/// Prints the password that is there, or a new one.
pub(super) fn run(context: &Context, args: EnsureArgs) -> Result<(), Failure> {
    let raw = args.raw;
    let plan = Plan::new(args)?;
    let vault = context.open()?;
    let stored = vault.read(|snapshot| snapshot.find(&plan.id))?;
    if let Some(stored) = stored.filter(|stored| plan.is_fresh(stored)) {
        return tell(context, &stored, Refreshed::No, raw);
    }
    let limit = plan.timeout.saturating_add(context.globals.wait);
    match vault.lease(&plan.id, Purpose::Renewal, limit) {
        Ok(Lease::Held(lease)) => {
            let (credential, refreshed) = plan.renew(context, &vault, lease)?;
            tell(context, &credential, refreshed, raw)
        }
        Ok(Lease::Left(note)) => {
            let version = Note::parse(&note).result(&plan.id)?;
            let stored = vault.get(&plan.id)?;
            if stored.metadata.version < version {
                return Err(changed(&plan.id, version, stored.metadata.version).into());
            }
            tell(context, &stored, Refreshed::Yes, raw)
        }
        Err(Error::Busy { .. }) => Err(Failure::Command {
            name: "busy",
            message: format!(
                "another caller renews \"{}\": gave up after {} s",
                plan.id,
                limit.as_secs()
            ),
            code: 7,
            hint: None,
        }),
        Err(error) => Err(error.into()),
    }
}

/// Whether the password is one that was asked for and made during this call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Refreshed {
    Yes,
    No,
}

/// What to ensure.
struct Plan {
    id: CredentialId,
    oldest: TimeDelta,
    left: TimeDelta,
    timeout: Duration,
    output: Form,
    stdin: bool,
    command: Vec<OsString>,
}

/// What the command prints.
enum Form {
    /// The password, which expires then.
    Password(Expiry),
    /// An object.
    Json,
}

impl Plan {
    fn new(args: EnsureArgs) -> Result<Self, Failure> {
        let id = args.id.or(args.id_option).ok_or_else(|| Failure::usage("an ID is needed"))?;
        let timeout = timeout(args.timeout.as_deref())?;
        let output = if args.output_json {
            Form::Json
        } else {
            Form::Password(Expiry::new(args.expires.as_deref())?)
        };
        Ok(Self {
            id: input::id(id)?,
            oldest: spanned("--max-age", &args.max_age)?,
            left: args
                .before_expiry
                .map_or(Ok(TimeDelta::zero()), |text| spanned("--before-expiry", &text))?,
            timeout,
            output,
            stdin: args.stdin,
            command: args.command,
        })
    }

    fn is_fresh(&self, stored: &Credential) -> bool {
        stored.metadata.is_fresh(Utc::now(), self.oldest, self.left)
    }

    /// Renews the credential, unless somebody did while the lease was on its way here, and tells
    /// those who wait what came of it. Interrupted, it leaves the work to them.
    fn renew(
        &self,
        context: &Context,
        vault: &Vault,
        lease: HeldLease,
    ) -> Result<(Credential, Refreshed), Failure> {
        let renewed = self.try_renew(context, vault);
        let note = match &renewed {
            Ok((credential, _)) => Note::Done(credential.metadata.version),
            Err(Failure::Stopped(_) | Failure::Interrupted) => return renewed,
            Err(failure) => Note::of(failure),
        };
        // The password is stored, whatever becomes of the note.
        let _ = lease.leave(note.text().as_bytes());
        renewed
    }

    fn try_renew(
        &self,
        context: &Context,
        vault: &Vault,
    ) -> Result<(Credential, Refreshed), Failure> {
        let stored = vault.read(|snapshot| snapshot.find(&self.id))?;
        let version = stored.as_ref().map_or(0, |stored| stored.metadata.version);
        if let Some(stored) = stored.as_ref().filter(|stored| self.is_fresh(stored)) {
            return Ok((stored.clone(), Refreshed::No));
        }
        let edit = self.edit(self.printed()?, stored.as_ref())?;
        wait_to_store(context, vault);
        let stored = vault.write(|transaction| {
            // Somebody removed it meanwhile, and had a reason.
            if version > 0 && transaction.find(&self.id)?.is_none() {
                return Err(changed(&self.id, version, 0));
            }
            transaction.set_if(&self.id, &edit, Condition::Always)?;
            transaction.get(&self.id)
        });
        match stored {
            Ok(credential) => Ok((credential, Refreshed::Yes)),
            Err(error @ Error::OutcomeUnknown { .. }) => Err(error.into()),
            Err(error) => {
                let hint = context.hints.for_error(&error);
                let hint = hint.filter(|_| matches!(error, Error::Busy { .. }));
                Err(Failure::from(error).after(&self.not_stored(), hint))
            }
        }
    }

    /// What came of a command whose output has no other place than the vault.
    fn not_stored(&self) -> String {
        format!("the command that renews \"{}\" succeeded, but its output is not stored", self.id)
    }

    /// What the command prints, if it succeeds.
    fn printed(&self) -> Result<Secret, Failure> {
        let program = self.command.first().cloned().unwrap_or_default();
        let command = child::command(self.command.clone())
            .ok_or_else(|| Failure::usage("a COMMAND is needed after --"))?;
        let largest = match self.output {
            Form::Json => MAX_INPUT,
            Form::Password(_) => limits::PASSWORD + 2,
        };
        let bounds = Bounds { time: self.timeout, output: Some(largest), stdin: self.stdin };
        let end = child::run(command, &bounds).map_err(io_error("run", program.as_ref()))?;
        match end {
            End::Done(mut printed) => Ok(Secret::new(std::mem::take(&mut *printed))),
            End::TooMuch => Err(Failure::invalid(
                "the output of the command",
                format!("has more than {largest} bytes"),
            )),
            other => Err(failed(other, &program, &format!("renews \"{}\"", self.id))),
        }
    }

    /// The change that the output of the command asks for.
    fn edit(&self, printed: Secret, stored: Option<&Credential>) -> Result<Edit, Failure> {
        let edit = match &self.output {
            Form::Json => json::read_renewal(printed.expose())?,
            Form::Password(expiry) => {
                let password = without_line_end(printed);
                if password.is_empty() {
                    return Err(Failure::invalid("the output of the command", "is empty"));
                }
                // The very same password has the expiry that it had.
                let is_same = stored.is_some_and(|stored| stored.password == password);
                let expiry = match expiry.now()? {
                    Patch::Clear if is_same && !expiry.is_given() => Patch::Keep,
                    expiry => expiry,
                };
                Edit::new().password(password).expires_at(expiry)
            }
        };
        if edit.sets_expiry_before(Utc::now()) {
            return Err(Failure::invalid("what the command printed", "has expired already"));
        }
        Ok(edit)
    }
}

/// Somebody changed the credential in a way that the command knew nothing of.
fn changed(id: &CredentialId, expected: u64, actual: u64) -> Error {
    Error::VersionMismatch { id: id.clone(), expected, actual }
}

fn spanned(option: &str, text: &OsStr) -> Result<TimeDelta, Failure> {
    text.to_str().and_then(span).ok_or_else(|| Failure::usage(format!("{option} {SPANS}")))
}

fn tell(
    context: &Context,
    credential: &Credential,
    refreshed: Refreshed,
    raw: bool,
) -> Result<(), Failure> {
    let output = &context.output;
    let metadata = &credential.metadata;
    if refreshed == Refreshed::Yes {
        output.confirm(&format!("renewed {} (version {})", metadata.id, metadata.version));
    }
    let password = credential.password.expose();
    if output.is_json() {
        let mut document = json!({
            "id": metadata.id.as_str(),
            "version": metadata.version,
            "refreshed": refreshed == Refreshed::Yes,
            "password_changed_at": json::time(metadata.password_changed_at),
            "expires_at": metadata.expires_at.map(json::time),
        });
        if let Some(document) = document.as_object_mut() {
            document.extend([json::bytes_entry("password", password)]);
        }
        return output.json(&document);
    }
    let mut page = Page::new(output);
    if raw {
        if page.reader() == Reader::Terminal {
            get::refuse_control_characters(context, credential, "password", password)?;
        }
        page.push(password);
    } else {
        page.stored(password);
        page.push(b"\n");
    }
    page.print()
}
