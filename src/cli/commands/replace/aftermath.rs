//! What became of a new password that is not the present one, and what can be done about it.
//!
//! Looked up when the command has ended: others may have changed the vault meanwhile.

use credb::{Credential, CredentialId, Error, Vault};

use super::super::started::Expiry;
use crate::cli::context::Context;
use crate::cli::report::Failure;

/// Where to look.
pub(super) struct Aftermath<'a> {
    pub(super) context: &'a Context,
    pub(super) vault: &'a Vault,
    pub(super) id: &'a CredentialId,
    /// What the new password would have got.
    pub(super) expires: &'a Expiry,
}

/// What became of it.
enum Fate {
    /// It is pending, or nobody can tell that it is not.
    Pending,
    /// Somebody ended the rotation, or put another state of the vault in its place.
    Over,
    /// There is no credential of this id any more.
    Gone,
}

impl Aftermath<'_> {
    /// The failure of a command that did not succeed, or was not run.
    pub(super) fn not_done(&self, failure: Failure) -> Failure {
        let failure = match failure {
            Failure::Stopped(signal) => Failure::Command {
                name: "command",
                message: format!("the rotation of \"{}\" was interrupted", self.id),
                code: 128_u8.saturating_add(signal),
                hint: None,
            },
            other => other,
        };
        let hints = &self.context.hints;
        match self.fate() {
            Fate::Pending => failure.before(
                "the new password is kept as pending",
                Some(hints.pending(self.id, &self.expires.option())),
            ),
            Fate::Over => failure.before("the new password is not pending any more", None),
            Fate::Gone => failure.before(GONE, Some(hints.gone(self.id))),
        }
    }

    /// The failure to make the new password the present one after the command succeeded.
    pub(super) fn not_accepted(&self, failure: Failure) -> Failure {
        let what = format!("the command that rotates \"{}\" succeeded", self.id);
        let hint = Some(self.context.hints.accept(self.id, &self.expires.option()));
        if matches!(failure, Failure::Library { error: Error::OutcomeUnknown { .. }, .. }) {
            let what =
                format!("{what}; the new password is kept, as pending if not as the present one");
            return failure.after(&what, hint);
        }
        match self.fate() {
            Fate::Pending => {
                failure.after(&format!("{what}; the new password is kept as pending"), hint)
            }
            Fate::Over => {
                failure.after(&format!("{what}, but its password is not pending any more"), None)
            }
            Fate::Gone => {
                let hint = self.context.hints.gone(self.id);
                failure.after(&format!("{what}, but {GONE}"), Some(hint))
            }
        }
    }

    fn fate(&self) -> Fate {
        match self.vault.get(self.id) {
            Ok(Credential { pending: None, .. }) => Fate::Over,
            Err(Error::NotFound { .. }) => Fate::Gone,
            Ok(_) | Err(_) => Fate::Pending,
        }
    }
}

const GONE: &str = "the credential was removed or renamed meanwhile, with its new password";
