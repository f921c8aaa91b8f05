//! A configuration with references in the place of all secrets that the vault has, in a copy in
//! memory, and which of them are left and why.
//!
//! Unlike a rewritten file this is about every secret in clear, also of entries that are not taken
//! over: none may come out unnoticed.

use std::collections::HashMap;
use std::path::Path;

use zeroize::Zeroizing;

use super::rewrite::{secrets, with_references};
use super::{InClear, read};
use crate::credential::CredentialId;
use crate::error::Result;

/// The text, and where a secret was left in clear and why, as the rest of a sentence.
type VaultFirst = (Zeroizing<Vec<u8>>, Vec<(String, String)>);

/// Puts references in the place of what `is_stored` in the vault.
///
/// # Errors
///
/// Those of [`read`] and of `is_stored`.
pub(in crate::exchange) fn vault_first(
    bytes: &[u8],
    is_stored: impl Fn(&CredentialId) -> Result<bool>,
) -> Result<VaultFirst> {
    // A host name opens vaults only, and this is none.
    let import = read(Path::new("the configuration"), bytes, "")?;
    let places = secrets(bytes);
    let not_taken = import.skipped.iter().chain(&import.refused);
    let reasons: HashMap<&str, &str> =
        not_taken.map(|entry| (entry.position.as_str(), entry.reason.as_str())).collect();
    let mut taken = Vec::new();
    let mut left = Vec::new();
    for entry in &import.in_clear {
        let stored = match &entry.id {
            Some(id) if is_stored(id)? => Some(id),
            _ => None,
        };
        if let Some((id, places)) = stored.zip(places.get(&entry.position)) {
            taken.extend(places.iter().map(|place| (place.clone(), id)));
        } else {
            let reason = why_left(entry, reasons.get(entry.position.as_str()).copied());
            left.push((entry.position.clone(), reason));
        }
    }
    taken.sort_by_key(|(place, _)| place.start);
    Ok((with_references(bytes, &taken), left))
}

fn why_left(entry: &InClear, reason: Option<&str>) -> String {
    let missing = entry.id.as_ref().map(|id| format!("the vault has no \"{id}\""));
    let reasons = [reason.map(str::to_owned), missing];
    reasons.into_iter().flatten().collect::<Vec<_>>().join(", and ")
}
