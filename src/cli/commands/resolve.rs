//! What references stand for: all of them with one unlocking, out of one committed state.

use std::collections::{BTreeMap, BTreeSet};

use chrono::Utc;
use credb::exchange::reference::Reference;
use credb::{Credential, CredentialId, Error, Snapshot, Vault};
use zeroize::Zeroizing;

use super::field::FieldValue;
use crate::cli::context::Context;
use crate::cli::report::Failure;

/// Secrets by their references.
pub(super) struct Resolved(BTreeMap<Reference, Zeroizing<Vec<u8>>>);

impl Resolved {
    /// All that these references stand for, or the failure of the first; missing credentials are
    /// named all at once. Without a reference no vault is opened.
    pub(super) fn of<'a>(
        context: &Context,
        references: impl IntoIterator<Item = &'a Reference>,
    ) -> Result<Self, Failure> {
        let references: BTreeSet<&Reference> = references.into_iter().collect();
        if references.is_empty() {
            return Ok(Self(BTreeMap::new()));
        }
        Self::in_vault(context, &context.open()?, references)
    }

    /// The same in a vault that is open.
    pub(super) fn in_vault<'a>(
        context: &Context,
        vault: &Vault,
        references: impl IntoIterator<Item = &'a Reference>,
    ) -> Result<Self, Failure> {
        let references: BTreeSet<&Reference> = references.into_iter().collect();
        let ids: BTreeSet<&CredentialId> =
            references.iter().map(|reference| reference.id()).collect();
        let credentials = vault.read(|snapshot| find_all(snapshot, &ids))?;
        let mut secrets = BTreeMap::new();
        for reference in references {
            if let Some(credential) = credentials.get(reference.id()) {
                let value = FieldValue::of(credential, reference.field())?.into_bytes();
                secrets.insert(reference.clone(), value);
            }
        }
        remark(context, &credentials);
        Ok(Self(secrets))
    }

    /// What this one stands for.
    pub(super) fn get(&self, reference: &Reference) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let missing = || Error::NotFound { ids: vec![reference.id().clone()] };
        self.0.get(reference).cloned().ok_or_else(|| missing().into())
    }
}

fn find_all(
    snapshot: &Snapshot<'_>,
    ids: &BTreeSet<&CredentialId>,
) -> credb::Result<BTreeMap<CredentialId, Credential>> {
    let mut found = BTreeMap::new();
    let mut missing = Vec::new();
    for id in ids {
        match snapshot.find(id)? {
            Some(credential) => {
                found.insert((*id).clone(), credential);
            }
            None => missing.push((*id).clone()),
        }
    }
    if missing.is_empty() { Ok(found) } else { Err(Error::NotFound { ids: missing }) }
}

fn remark(context: &Context, credentials: &BTreeMap<CredentialId, Credential>) {
    let now = Utc::now();
    for credential in credentials.values().filter(|found| found.metadata.is_expired(now)) {
        context.output.note(&format!("{} has expired", credential.metadata.id));
    }
}
