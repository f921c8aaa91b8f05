//! What a worker does with one image: reads all, changes something, verifies, copies; and compares
//! each answer with what it must be.

use std::fmt::Debug;
use std::path::Path;

use credb::{Condition, CredentialId, Edit, Error, Overwrite, Query, Result};

use crate::id;
use crate::image::Image;
use crate::vault::{Contents, Known, REMOVED, open, password};

/// Each is done on a fresh copy of the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Read,
    Change,
    Verify,
    Copy,
}

impl Step {
    pub(crate) const ALL: [Self; 4] = [Self::Read, Self::Change, Self::Verify, Self::Copy];
}

/// What is wrong with the answers.
pub(crate) type Violations = Vec<String>;

/// Does the step and returns what was wrong, and the errors that were answered.
pub(crate) fn check(path: &Path, image: Image, step: Step, known: &Known) -> Check {
    let replayed = image.may_replay().then(|| known.before.clone());
    let mut check = Check::of(known.last.clone(), replayed);
    if image.may_serve_the_commit_before() && serves(path, &known.before) {
        check.contents = known.before.clone();
    }
    match step {
        Step::Read => check.read(path),
        Step::Change => {
            check.change(path);
            check.read(path);
        }
        Step::Verify => {
            let verified = open(path).and_then(|vault| vault.verify(&|_, _| {}));
            let verified = check.accept("verify", verified);
            check.read(path);
            if verified.is_some_and(|verified| verified.is_ok()) {
                // What verifies is as it was last written.
                let wrong = check.errors.len() + check.stale;
                check.holds(wrong == 0, "verify", &"all is well, it said");
            }
        }
        Step::Copy => check.copy(path),
    }
    check
}

/// One image, as its answers come in.
pub(crate) struct Check {
    /// What must be there.
    contents: Contents,
    /// What may be there too, since a whole page of an earlier commit took a place: that a row is
    /// the newest no reader can know. Verification does.
    replayed: Option<Contents>,
    pub(crate) stale: usize,
    pub(crate) violations: Violations,
    /// The kinds of the errors.
    pub(crate) errors: Vec<&'static str>,
}

impl Check {
    fn of(contents: Contents, replayed: Option<Contents>) -> Self {
        Self { contents, replayed, stale: 0, violations: vec![], errors: vec![] }
    }

    /// In a few words.
    pub(crate) fn summary(&self) -> String {
        let mut kinds = self.errors.clone();
        kinds.extend((self.stale > 0).then_some("an earlier row"));
        kinds.sort_unstable();
        kinds.dedup();
        if kinds.is_empty() { "all right".to_owned() } else { kinds.join(", ") }
    }

    fn read(&mut self, path: &Path) {
        let Some(vault) = self.accept("open", open(path)) else { return };
        if let Some(info) = self.accept("info", vault.info()) {
            let count = self.contents.len() as u64;
            self.holds(info.credentials == count, "info", &info.credentials);
        }
        for (name, (version, password)) in self.contents.clone() {
            let found = vault.get(&id(&name));
            if let Some(found) = self.accept(&format!("get {name}"), found) {
                let is = |(version, password): &(u64, Vec<u8>)| {
                    found.password.expose() == password && found.metadata.version == *version
                };
                let earlier = self.replayed.as_ref().and_then(|contents| contents.get(&name));
                let stale = !is(&(version, password.clone())) && earlier.is_some_and(is);
                let same =
                    (stale || is(&(version, password))) && found.metadata.id.as_str() == name;
                self.stale += usize::from(stale);
                self.holds(same, &format!("get {name}"), &found.metadata);
            }
        }
        self.read_history(&vault);
        for absent in [REMOVED, "never there"] {
            if !self.contents.contains_key(absent) {
                let found = vault.get(&id(absent));
                self.absent(&format!("get {absent}"), found);
            }
        }
        if let Some(listed) = self.accept("list", vault.list(&Query::all())) {
            let listed: Vec<(String, u64)> =
                listed.iter().map(|found| (found.id.to_string(), found.version)).collect();
            let same_ids = listed.iter().map(|(name, _)| name).eq(self.contents.keys());
            let is = |contents: &Contents, (name, version): &(String, u64)| {
                contents.get(name).is_some_and(|(known, _)| known == version)
            };
            let same = same_ids && listed.iter().all(|row| is(&self.contents, row));
            let earlier = self.replayed.as_ref();
            let stale = !same
                && same_ids
                && listed.iter().all(|row| {
                    is(&self.contents, row) || earlier.is_some_and(|earlier| is(earlier, row))
                });
            self.stale += usize::from(stale);
            self.holds(same || stale, "list", &listed);
        }
    }

    /// Each earlier version is the one that was stored under that number. That none is missing no
    /// reader can know; verification does.
    fn read_history(&mut self, vault: &credb::Vault) {
        for (name, (version, _)) in self.contents.clone() {
            let Some(history) = self.accept("history", vault.history(&id(&name))) else { continue };
            let versions: Vec<u64> =
                history.iter().map(|earlier| earlier.credential.metadata.version).collect();
            for earlier in history {
                let metadata = &earlier.credential.metadata;
                let same = earlier.credential.password.expose()
                    == password(&name, metadata.version)
                    && metadata.id.as_str() == name;
                self.holds(same, &format!("history {name}"), metadata);
            }
            if !versions.iter().copied().eq((1..version).rev()) {
                self.stale += 1;
            }
            // "Not kept" would be a wrong answer.
            let first = (version > 1).then(|| vault.version(&id(&name), 1));
            if let Some(first) = first.and_then(|first| self.accept("version", first)) {
                let same = first.password.expose() == password(&name, 1);
                self.holds(same, &format!("version 1 of {name}"), &first.metadata);
            }
        }
    }

    /// What a caller would do to change something; each change is as the answer says.
    fn change(&mut self, path: &Path) {
        let Some(vault) = self.accept("open", open(path)) else { return };
        let names: Vec<String> = self.contents.keys().cloned().collect();
        for (name, condition) in [
            (names[0].as_str(), Condition::Always),
            (&names[13], Condition::IfVersion(self.contents[&names[13]].0)),
            ("new", Condition::IfAbsent),
            (REMOVED, Condition::Always),
        ] {
            let before = if name == REMOVED { 1 } else { self.version(name) };
            let edit = Edit::new().password(&password(name, before + 1)[..]);
            let what = format!("set {name}");
            if let Some(change) = self.accept(&what, vault.set_if(&id(name), &edit, condition)) {
                let earlier = self.replayed.as_ref().and_then(|earlier| earlier.get(name));
                let stale = earlier.is_some_and(|(version, _)| change.version == version + 1);
                let same = (stale || change.version == before + 1)
                    && change.created != self.contents.contains_key(name);
                self.holds(same, &what, &change);
                let value = (change.version, password(name, before + 1));
                self.contents.insert(name.to_owned(), value);
            }
        }
        if self.accept("remove", vault.remove(&id(&names[7]))).is_some() {
            self.contents.remove(&names[7]);
        }
        self.absent("remove", vault.remove(&id("never there")));
    }

    /// A copy is one of the newest state, whole, or is not made: it is verified before it is
    /// placed.
    fn copy(&mut self, path: &Path) {
        let copy = path.with_extension("copy");
        let made = open(path).and_then(|vault| vault.backup(&copy, Overwrite::Allowed, &|_, _| {}));
        let Some(made) = self.accept("backup", made) else { return };
        let mut copied = Self::of(self.contents.clone(), None);
        copied.read(&copy);
        let same = made.credentials == self.contents.len() as u64;
        self.holds(same && copied.errors.is_empty() && copied.stale == 0, "backup", &made);
        self.violations.append(&mut copied.violations);
    }

    fn version(&self, name: &str) -> u64 {
        self.contents.get(name).map_or(0, |(version, _)| *version)
    }

    /// The value, or `None` after an error that is an honest one.
    fn accept<T>(&mut self, what: &str, result: Result<T>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                let kind = kind(&error);
                self.errors.push(kind);
                let replayed =
                    self.replayed.is_some() && matches!(error, Error::VersionMismatch { .. });
                self.holds(honest(&error) || replayed, what, &error);
                None
            }
        }
    }

    /// Nothing there, or an error that is an honest one.
    fn absent<T: Debug>(&mut self, what: &str, result: Result<T>) {
        match result {
            Err(Error::NotFound { .. }) => {}
            Err(error) => {
                self.accept(what, Err::<T, _>(error));
            }
            Ok(found) => self.holds(false, what, &found),
        }
    }

    fn holds(&mut self, holds: bool, what: &str, found: &dyn Debug) {
        if !holds {
            self.violations.push(format!("{what}: {found:?}"));
        }
    }
}

/// Whether the error says that the file is damaged, or of another kind.
fn honest(error: &Error) -> bool {
    match error {
        // The slot that this key would open is damaged, and the message says so.
        Error::Locked { attempts, .. } => {
            attempts.iter().any(|attempt| attempt.reason.contains("damaged"))
        }
        Error::Corrupt { .. }
        | Error::NotAVault { .. }
        | Error::NewerFormat { .. }
        | Error::Poisoned => true,
        _ => false,
    }
}

fn kind(error: &Error) -> &'static str {
    match error {
        Error::Corrupt { .. } => "damaged",
        Error::NotAVault { .. } => "not a vault",
        Error::NewerFormat { .. } => "newer format",
        Error::Poisoned => "poisoned",
        Error::Busy { .. } => "busy",
        Error::Io { .. } => "io",
        Error::OutcomeUnknown { .. } => "outcome unknown",
        Error::Locked { .. } => "locked",
        Error::NotFound { .. } => "not found",
        _ => "other",
    }
}

/// Whether the image serves exactly these contents.
fn serves(path: &Path, contents: &Contents) -> bool {
    let same = |(name, (version, password)): (&String, &(u64, Vec<u8>))| -> Result<bool> {
        let found = open(path)?.get(&CredentialId::new(name)?)?;
        Ok(found.password.expose() == password && found.metadata.version == *version)
    };
    contents.iter().all(|entry| same(entry).unwrap_or(false))
}
