//! The vault that is damaged, and what is known to be in it.

use std::collections::BTreeMap;
use std::path::Path;

use credb::{Edit, KeySource, NewKey, Options, Result, Vault};

use crate::id;

/// The host name of its key.
pub(crate) const HOST: &str = "host-a";

/// A credential that was removed, at version 2.
pub(crate) const REMOVED: &str = "removed";

/// Versions and passwords by id.
pub(crate) type Contents = BTreeMap<String, (u64, Vec<u8>)>;

/// What is in the vault after its last commit, and what was before it.
pub(crate) struct Known {
    pub(crate) last: Contents,
    pub(crate) before: Contents,
}

/// The password of this version.
pub(crate) fn password(name: &str, version: u64) -> Vec<u8> {
    let length = 24 + name.len() * 37 % 400;
    format!("{name} {version} ").into_bytes().into_iter().cycle().take(length).collect()
}

fn names() -> impl Iterator<Item = String> {
    (0..16).map(|number| format!("service-{}/{number}", "x".repeat(number % 7)))
}

impl Known {
    /// What [`make`] puts in.
    pub(crate) fn new() -> Self {
        let contents = |version: &dyn Fn(usize) -> u64| -> Contents {
            let names = names().enumerate();
            names
                .map(|(at, name)| (name.clone(), (version(at), password(&name, version(at)))))
                .collect()
        };
        // The first of each three is at version 2; the last commit changed the very first.
        let before = contents(&|at| if at % 3 == 0 { 2 } else { 1 });
        let mut last = before.clone();
        let first = names().next().expect("a name");
        last.insert(first.clone(), (3, password(&first, 3)));
        Self { last, before }
    }
}

/// Makes the vault.
pub(crate) fn make(path: &Path) -> Result<()> {
    let vault = Vault::create(path, &Options::new(), &NewKey::Hostname(HOST.to_owned()))?;
    let set = |name: &str, version| {
        vault.set(&id(name), &Edit::new().password(&password(name, version)[..])).map(drop)
    };
    set(REMOVED, 1)?;
    for (at, name) in names().enumerate() {
        set(&name, 1)?;
        if at % 3 == 0 {
            set(&name, 2)?;
        }
    }
    vault.remove(&id(REMOVED))?;
    // A small file: free pages are only those of the changes that follow.
    vault.compact(&|_, _| {})?;
    vault.add_slot(&NewKey::Hostname("host-b".to_owned()), Some("second"))?;
    let first = names().next().expect("a name");
    set(&first, 3)
}

/// Opens it as the terminal program does.
pub(crate) fn open(path: &Path) -> Result<Vault> {
    let options = Options::new().one_shot().wait_in_all(std::time::Duration::from_secs(2));
    Vault::open(path, &options, &[KeySource::Hostname(HOST.to_owned())])
}
