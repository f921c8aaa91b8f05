//! Which keys are tried, and which key a KIND on the command line means.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use credb::location::Locations;
use credb::{KeySource, NewKey, RecoveryCode};

use super::globals::{Globals, OnlyKey};
use super::passphrase;
use super::report::{Failure, with_causes};

/// The keys to try, in order: the one asked for alone, else the machine's, then host names.
pub(crate) fn sources(globals: &Globals, locations: &Locations) -> Result<Vec<KeySource>, Failure> {
    match &globals.key {
        Some(OnlyKey::File(path)) => return Ok(vec![KeySource::KeyFile(path.clone())]),
        Some(OnlyKey::Recovery(path)) => return Ok(vec![KeySource::RecoveryFile(path.clone())]),
        Some(OnlyKey::Passphrase(path, _)) => return Ok(vec![passphrase::source(path)?]),
        None => {}
    }
    at_hand(globals, locations)
}

/// The keys that are tried where none is asked for.
pub(crate) fn at_hand(globals: &Globals, locations: &Locations) -> Result<Vec<KeySource>, Failure> {
    let machine = locations.machine_secret().map_err(|error| nowhere(&error))?;
    let names = hostname_candidates(globals).into_iter().map(KeySource::Hostname);
    Ok(std::iter::once(KeySource::Machine(machine)).chain(names).collect())
}

/// The key that a KIND means: `machine`, `hostname`, `file:PATH` or `recovery`.
pub(crate) fn new_key(
    kind: &OsStr,
    globals: &Globals,
    locations: &Locations,
) -> Result<NewKey, Failure> {
    if let Some(path) = kind.as_bytes().strip_prefix(b"file:") {
        if path.is_empty() {
            return Err(Failure::usage("file: needs a path"));
        }
        if path.starts_with(b"~") {
            // No shell expands it here, and a directory of that name is never meant.
            let hint = "write it as file:\"$HOME\"/… or file:./~…";
            return Err(Failure::usage("a path after file: cannot begin with ~").with_hint(hint));
        }
        return Ok(NewKey::File(OsStr::from_bytes(path).into()));
    }
    match kind.to_str() {
        Some("machine") => {
            Ok(NewKey::Machine(locations.machine_secret().map_err(|error| nowhere(&error))?))
        }
        Some("hostname") => Ok(NewKey::Hostname(hostname(globals)?)),
        Some("recovery") => Ok(NewKey::Recovery(RecoveryCode::generate())),
        _ => Err(Failure::usage(format!(
            "unknown kind of key '{}': it is machine, hostname, file:PATH, recovery or passphrase",
            kind.to_string_lossy()
        ))),
    }
}

/// The host name asked for, else this host's.
pub(crate) fn hostname(globals: &Globals) -> Result<String, Failure> {
    hostname_candidates(globals)
        .into_iter()
        .next()
        .ok_or_else(|| Failure::usage("this host has no usable name: name one with --hostname"))
}

/// An error about where things are, as one of the command line.
pub(crate) fn nowhere(error: &credb::Error) -> Failure {
    Failure::usage(with_causes(error))
}

/// This host's present name, whatever name was asked for.
pub(crate) fn own_hostname() -> Result<String, Failure> {
    own_names().into_iter().next().ok_or_else(|| Failure::usage("this host has no usable name"))
}

fn hostname_candidates(globals: &Globals) -> Vec<String> {
    globals.hostname.as_ref().map_or_else(own_names, |name| vec![name.clone()])
}

/// This host's name, and its first label.
fn own_names() -> Vec<String> {
    let own = hostname::get().map(OsString::into_string);
    let Ok(Ok(name)) = own else { return Vec::new() };
    let first_label = name.split('.').next().unwrap_or_default().to_owned();
    let mut names = vec![name];
    if !first_label.is_empty() && first_label != names[0] {
        names.push(first_label);
    }
    names.retain(|name| !name.is_empty());
    names
}
