//! What is renamed, copied, purged, and given a new password in steps.
//!
//! One credential goes round three ids, and each change of it ends with a copy of it under a fourth
//! one. So each committed state has it once, with a copy that is the same.
//!
//! Would break: a rename of which one half is there, or that leaves earlier versions behind; a copy
//! of another version, or with the password that waits; an acceptance that leaves the password
//! waiting; a purge after which versions go on or earlier ones are there.

use credb::{
    Change, Condition, Credential, Error, Overwrite, Patch, Purge, Result, Transaction, Vault,
};

use super::log::Writer;
use super::worker::{edit, id};
use crate::support::Random;

/// Where the one credential may be.
const PLACES: [&str; 3] = ["here", "there", "elsewhere"];

/// The copy of it.
const COPY: &str = "copy";

/// The id that is forgotten for good now and then.
pub(super) const PURGED: &str = "purged";

/// One transaction of several changes.
pub(super) fn step(vault: &Vault, random: &mut Random, value: &str, writer: &Writer) -> Result<()> {
    let (to, what) = (*random.pick(&PLACES), random.below(10));
    let done = match what {
        0 | 1 => purge(vault, value, writer),
        what => vault.write(|transaction| change(transaction, to, what, value)),
    };
    match done {
        Err(Error::OutcomeUnknown { .. }) => Ok(()),
        done => done,
    }
}

fn change(transaction: &mut Transaction<'_>, to: &str, what: u64, value: &str) -> Result<()> {
    let mut place = None;
    for one in PLACES {
        if transaction.find(&id(one))?.is_some() {
            place = Some(one);
        }
    }
    let from = id(place.unwrap_or(to));
    let always = Condition::Always;
    let changed = match what {
        _ if place.is_none() => transaction.set_if(&from, &edit(value), always),
        2..5 => transaction.rename(&from, &id(to), Overwrite::Allowed, always),
        5..7 => transaction.prepare(&from, &value.into(), always),
        7 => transaction.accept(&from, always, &Patch::Keep),
        8 => transaction.abandon(&from, always),
        _ => return transaction.purge(&from, Purge::History, always).map(drop),
    };
    match changed {
        Ok(Change { id: now, .. }) => {
            transaction.copy(&now, &id(COPY), Overwrite::Allowed).map(drop)
        }
        Err(Error::Pending { .. } | Error::NotPending { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Forgets the id, and adds it again: its versions begin again.
fn purge(vault: &Vault, value: &str, writer: &Writer) -> Result<()> {
    let change = vault.write(|transaction| {
        transaction.set_if(&id(PURGED), &edit("before"), Condition::Always)?;
        transaction.purge(&id(PURGED), Purge::All, Condition::Always)?;
        let first = transaction.set_if(&id(PURGED), &edit(value), Condition::Always)?;
        transaction.set_if(&id(PURGED), &edit("after"), Condition::Always)?;
        Ok(first)
    })?;
    if (change.version, change.created) != (1, true) {
        writer.failed(&format!("purged, and at version {} at once", change.version));
    }
    Ok(())
}

/// Whether the credential is there yet; looks at one committed state.
pub(super) fn read(vault: &Vault, writer: &Writer) -> Result<bool> {
    let (found, copy, versions) = vault.read(|snapshot| {
        let mut found = Vec::new();
        for one in PLACES {
            found.extend(snapshot.find(&id(one))?);
        }
        let history = match found.first() {
            Some(found) => snapshot.history(&found.metadata.id)?,
            None => Vec::new(),
        };
        let version = |earlier: credb::Earlier| earlier.credential.metadata.version;
        let versions: Vec<u64> = history.into_iter().map(version).collect();
        Ok((found, snapshot.find(&id(COPY))?, versions))
    })?;
    match (found.as_slice(), copy) {
        ([], None) => return Ok(false),
        ([found], Some(copy)) => {
            if copy.password != found.password || copy.pending.is_some() {
                writer.failed("a copy that is not as what was copied");
            }
            check(found, &versions, writer);
        }
        (found, copy) => {
            let copies = usize::from(copy.is_some());
            writer.failed(&format!("there {} times, with {copies} copies", found.len()));
        }
    }
    Ok(true)
}

/// Earlier versions come before the present one, each once, and what waits is another password.
/// Steps that replace no password (one that waits is stored or given up) leave gaps.
fn check(found: &Credential, versions: &[u64], writer: &Writer) {
    let newest_first = std::iter::once(found.metadata.version).chain(versions.iter().copied());
    if !newest_first.is_sorted_by(|later, earlier| later > earlier) || versions.len() > 10 {
        writer.failed(&format!("{versions:?} before version {}", found.metadata.version));
    }
    if found.pending.as_ref().is_some_and(|pending| pending.password == found.password) {
        writer.failed("the present password still waits");
    }
}
