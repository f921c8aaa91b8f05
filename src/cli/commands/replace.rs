//! `rotate`: a new password, which a command makes known where it is checked.
//!
//! It is stored as pending before the command starts, and becomes the present one if the command
//! succeeds. If anything else happens it stays pending: the service may have it already.

mod aftermath;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use credb::exchange::json;
use credb::{
    Change, Condition, Credential, CredentialId, Error, HeldLease, Lease, Purpose, Secret, Vault,
};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::io::{Errno, FdFlags, fcntl_setfd};

use self::aftermath::Aftermath;
use super::started::{Expiry, failed, timeout, wait_to_store};
use crate::cli::args::RotateArgs;
use crate::cli::child::{self, Bounds, End};
use crate::cli::context::{Context, io_error};
use crate::cli::generate::Policy;
use crate::cli::input;
use crate::cli::report::Failure;

/// Begins a rotation, goes on with one, or ends it.
pub(super) fn run(context: &Context, args: RotateArgs) -> Result<(), Failure> {
    let plan = Plan::new(args)?;
    let vault = context.open()?;
    let lease = lease(&vault, &plan.id)?;
    let done = plan.perform(context, &vault);
    // Nobody waits for it; what matters is that no file is left.
    let _ = lease.leave(b"over");
    let change = done?;
    if context.output.is_json() {
        return context.output.json(&json::change(&change));
    }
    let what = match plan.step {
        Step::Abandon => "abandoned the rotation of",
        _ => "rotated",
    };
    context.output.confirm(&format!("{what} {} (version {})", change.id, change.version));
    Ok(())
}

/// What to do.
struct Plan {
    id: CredentialId,
    step: Step,
    expires: Expiry,
    timeout: Duration,
    stdin: bool,
    command: Vec<OsString>,
}

/// Which part of a rotation this is.
#[derive(Clone, Copy)]
enum Step {
    Begin(Policy),
    Resume,
    Accept,
    Abandon,
}

/// When the new password was made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Begun {
    Now,
    Before,
}

impl Plan {
    fn new(args: RotateArgs) -> Result<Self, Failure> {
        let id = args.id.or(args.id_option).ok_or_else(|| Failure::usage("an ID is needed"))?;
        let makes_one = args.generate.is_some() || args.policy.is_given();
        let ends = args.accept || args.abandon;
        if makes_one && (ends || args.resume) {
            return Err(Failure::usage("the new password is there already: no other can be made"));
        }
        if ends && !args.command.is_empty() {
            return Err(Failure::usage("--accept and --abandon run no COMMAND"));
        }
        if !ends && args.command.is_empty() {
            return Err(Failure::usage("a COMMAND is needed after --"));
        }
        let step = match (args.accept, args.abandon, args.resume) {
            (true, _, _) => Step::Accept,
            (_, true, _) => Step::Abandon,
            (_, _, true) => Step::Resume,
            _ => Step::Begin(Policy::for_set(args.generate.flatten(), &args.policy)?),
        };
        Ok(Self {
            id: input::id(id)?,
            step,
            expires: Expiry::new(args.expires.as_deref())?,
            timeout: timeout(args.timeout.as_deref())?,
            stdin: args.stdin,
            command: args.command,
        })
    }

    fn perform(&self, context: &Context, vault: &Vault) -> Result<Change, Failure> {
        match self.step {
            Step::Begin(policy) => {
                let new = policy.password()?;
                let prepare = |transaction: &mut credb::Transaction<'_>| {
                    transaction.prepare(&self.id, &new, Condition::Always)
                };
                let version = vault.write(prepare)?.version;
                self.hand_over(context, vault, version, Begun::Now)
            }
            Step::Resume => {
                let version = vault.metadata(&self.id)?.version;
                self.hand_over(context, vault, version, Begun::Before)
            }
            Step::Accept => self.accept(vault, Condition::Always),
            Step::Abandon => self.abandon(vault, Condition::Always),
        }
    }

    /// Runs the command with both passwords. The new one is accepted if it succeeds and nobody
    /// changed the credential since this version.
    fn hand_over(
        &self,
        context: &Context,
        vault: &Vault,
        version: u64,
        begun: Begun,
    ) -> Result<Change, Failure> {
        let stored = vault.get(&self.id)?;
        let condition = Condition::IfVersion(version);
        let aftermath = Aftermath { context, vault, id: &self.id, expires: &self.expires };
        let failure = match self.run(&stored) {
            Ok(End::Done(_)) => {
                wait_to_store(context, vault);
                let accepted = self.accept(vault, condition);
                return accepted.map_err(|failure| aftermath.not_accepted(failure));
            }
            // Nobody can have learnt of it.
            Ok(end @ End::NotStarted(..)) if begun == Begun::Now => {
                wait_to_store(context, vault);
                self.abandon(vault, condition)?;
                return Err(self.failed(end));
            }
            Ok(end) => self.failed(end),
            Err(failure) => failure,
        };
        Err(if stored.pending.is_some() { aftermath.not_done(failure) } else { failure })
    }

    fn run(&self, stored: &Credential) -> Result<End, Failure> {
        let new = stored.pending.as_ref().map(|pending| &pending.password);
        let new = new.ok_or_else(|| Error::NotPending { id: self.id.clone() })?;
        let mut command = child::command(self.command.clone())
            .ok_or_else(|| Failure::usage("a COMMAND is needed after --"))?;
        command.env("CREDB_ID", self.id.as_str());
        let mut handed = Vec::new();
        for (name, secret) in [("CREDB_OLD", &stored.password), ("CREDB_NEW", new)] {
            let file = in_memory(secret).map_err(io_error("write", "memory".as_ref()))?;
            command.env(name, format!("/dev/fd/{}", file.as_raw_fd()));
            handed.push(file);
        }
        let program = self.command.first().cloned().unwrap_or_default();
        let bounds = Bounds { time: self.timeout, output: None, stdin: self.stdin };
        child::run(command, &bounds).map_err(io_error("run", program.as_ref()))
    }

    fn failed(&self, end: End) -> Failure {
        let program = self.command.first().cloned().unwrap_or_default();
        failed(end, &program, &format!("rotates \"{}\"", self.id))
    }

    fn accept(&self, vault: &Vault, condition: Condition) -> Result<Change, Failure> {
        let expires = self.expires.now()?;
        Ok(vault.write(|transaction| transaction.accept(&self.id, condition, &expires))?)
    }

    fn abandon(&self, vault: &Vault, condition: Condition) -> Result<Change, Failure> {
        Ok(vault.write(|transaction| transaction.abandon(&self.id, condition))?)
    }
}

/// One rotation of a credential at a time, also of one that goes on.
fn lease(vault: &Vault, id: &CredentialId) -> Result<HeldLease, Failure> {
    loop {
        match vault.lease(id, Purpose::Rotation, Duration::ZERO) {
            Ok(Lease::Held(lease)) => return Ok(lease),
            Ok(Lease::Left(_)) => {}
            Err(Error::Busy { .. }) => {
                return Err(Failure::Command {
                    name: "conflict",
                    message: format!("another process rotates \"{id}\" right now"),
                    code: 4,
                    hint: None,
                });
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// A file in memory with this secret, that a command which is started has open too. It has no name
/// and cannot be changed, and can be read from its beginning as often as it is opened.
fn in_memory(secret: &Secret) -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = match memfd_create("credb", flags | MemfdFlags::NOEXEC_SEAL) {
        // A kernel before 6.3.
        Err(Errno::INVAL) => memfd_create("credb", flags)?,
        created => created?,
    };
    let mut file = File::from(file);
    file.write_all(secret.expose())?;
    file.rewind()?;
    let seals = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
    fcntl_add_seals(&file, seals)?;
    fcntl_setfd(&file, FdFlags::empty())?;
    Ok(file.into())
}
