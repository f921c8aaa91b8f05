//! Operations done, and their answers in JSON.

use serde::Serialize;
use serde_json::{Value, json};

use super::Operation;
use crate::credential::{Credential, CredentialId, Metadata};
use crate::error::{Error, Result};
use crate::exchange::json::{self, ChangeMembers, Secrets};
use crate::vault::{Query, Snapshot, Transaction};

impl Operation {
    /// Does it in a transaction. The answer is a JSON object in one line, which may hold secrets in
    /// clear and is not wiped. It has `"ok":true` and, of a change, what
    /// [`change`](json::change) says; `credential` with its secrets and its `version`; or
    /// `credentials` without secrets.
    ///
    /// # Errors
    ///
    /// Those of the [`Transaction`]'s own operations. Where the operation is refused (it is
    /// [`Error::NotFound`], [`Error::AlreadyExists`], [`Error::VersionMismatch`],
    /// [`Error::Pending`] or [`Error::Invalid`]) the transaction is as it was.
    pub fn apply(&self, transaction: &mut Transaction<'_>) -> Result<String> {
        Ok(match self {
            Self::Set { id, edit, condition } => {
                done(ChangeMembers::of(&transaction.set_if(id, edit, *condition)?))
            }
            Self::Remove { id, condition } => {
                // The last version, which the tombstone keeps.
                let version = transaction.get(id)?.metadata.version;
                transaction.remove_if(id, *condition)?;
                done(json!({"id": id.as_str(), "version": version}))
            }
            Self::Rename { id, to, overwrite, condition } => {
                let change = transaction.rename(id, to, *overwrite, *condition)?;
                done(json::moved(id, &change))
            }
            Self::Get { .. } | Self::List { .. } => self.answer(&*transaction)?,
        })
    }

    /// Does it on one committed state, if it only reads. The answer is that of [`Self::apply`].
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] if it does not only read; [`Error::NotFound`], [`Error::Corrupt`] and
    /// [`Error::Io`].
    pub fn look_up(&self, snapshot: &Snapshot<'_>) -> Result<String> {
        self.answer(snapshot)
    }

    fn answer(&self, rows: &impl Rows) -> Result<String> {
        match self {
            Self::Get { id } => {
                let found = rows.credential(id)?;
                Ok(done(json!({
                    "version": found.metadata.version,
                    "credential": json::credential(&found, Secrets::Shown),
                })))
            }
            Self::List { query } => {
                let found: Value = rows.matching(query)?.iter().map(json::metadata).collect();
                Ok(done(json!({"credentials": found})))
            }
            _ => Err(Error::invalid("op", "changes the vault")),
        }
    }
}

/// What can be read from.
trait Rows {
    fn credential(&self, id: &CredentialId) -> Result<Credential>;
    fn matching(&self, query: &Query) -> Result<Vec<Metadata>>;
}

impl Rows for Transaction<'_> {
    fn credential(&self, id: &CredentialId) -> Result<Credential> {
        self.get(id)
    }

    fn matching(&self, query: &Query) -> Result<Vec<Metadata>> {
        self.list(query)
    }
}

impl Rows for Snapshot<'_> {
    fn credential(&self, id: &CredentialId) -> Result<Credential> {
        self.get(id)
    }

    fn matching(&self, query: &Query) -> Result<Vec<Metadata>> {
        self.list(query)
    }
}

/// An answer that says so first.
#[derive(Serialize)]
struct Done<T> {
    ok: bool,
    #[serde(flatten)]
    members: T,
}

fn done(members: impl Serialize) -> String {
    let answer = serde_json::to_string(&Done { ok: true, members });
    #[expect(clippy::expect_used, reason = "an object whose keys are texts")]
    answer.expect("an answer that can be written")
}
