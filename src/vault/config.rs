//! Settings of a vault that its user chooses; they hold for all processes that use it.

use std::time::Duration;

use chrono::{SubsecRound, Utc};

use super::Vault;
use super::header::{self, Intent};
use super::manifest::Manifest;
use super::settings::{self, Settings};
use super::snapshot::Snapshot;
use crate::error::{Error, Result};
use crate::store::{Table, Verdict};

const HISTORY_KEEP: &str = "history.keep";
const PASSWORD_MAX_AGE: &str = "password.max_age";
const ROTATION_MAX_AGE: &str = "rotation.max_age";

/// The value of an age that is never reached.
const NEVER: &str = "never";

/// The most earlier versions of each credential that a vault can be told to keep.
const MOST_KEPT: usize = 1_000;

/// The highest age that can be chosen: a hundred years.
const HIGHEST_AGE: Duration = Duration::from_secs(36_525 * 86_400);

/// The age from which on keys are due if nothing was chosen: a year.
const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// What a vault's user can choose. [`Config::default`] holds where nothing was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// How many earlier versions of each credential are kept: 0 to 1,000, and 10 by default.
    pub history_keep: usize,
    /// The age from which on a password is due to be changed, in whole seconds; none by default.
    pub password_max_age: Option<Duration>,
    /// The age from which on the vault's own keys are due to be rotated, in whole seconds: 365
    /// days by default. Nothing but a finding follows from it.
    pub rotation_max_age: Option<Duration>,
}

impl Default for Config {
    fn default() -> Self {
        Self { history_keep: 10, password_max_age: None, rotation_max_age: Some(YEAR) }
    }
}

impl Config {
    /// The choices among the entries of the settings.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] if one of them is none that [`Self::check`] lets through.
    pub(super) fn of(settings: &Settings) -> Result<Self> {
        let malformed =
            |name| move || Error::corrupt("the settings row", format!("its {name} is malformed"));
        let mut config = Self::default();
        if let Some(text) = settings.entry(HISTORY_KEEP) {
            config.history_keep = text.parse().map_err(|_| malformed(HISTORY_KEEP)())?;
        }
        if let Some(text) = settings.entry(PASSWORD_MAX_AGE) {
            let seconds = text.parse().map_err(|_| malformed(PASSWORD_MAX_AGE)())?;
            config.password_max_age = Some(Duration::from_secs(seconds));
        }
        match settings.entry(ROTATION_MAX_AGE) {
            None => {}
            Some(NEVER) => config.rotation_max_age = None,
            Some(text) => {
                let seconds = text.parse().map_err(|_| malformed(ROTATION_MAX_AGE)())?;
                config.rotation_max_age = Some(Duration::from_secs(seconds));
            }
        }
        config.check().map_err(|error| Error::corrupt("the settings row", error.to_string()))?;
        Ok(config)
    }

    /// # Errors
    ///
    /// [`Error::Invalid`] for what is beyond its limit.
    fn check(&self) -> Result<()> {
        if self.history_keep > MOST_KEPT {
            let reason = format!("is {}, and at most {MOST_KEPT} are kept", self.history_keep);
            return Err(Error::invalid(HISTORY_KEEP, reason));
        }
        let ages =
            [(PASSWORD_MAX_AGE, self.password_max_age), (ROTATION_MAX_AGE, self.rotation_max_age)];
        for (name, age) in ages {
            match age {
                Some(age) if age.as_secs() == 0 => {
                    return Err(Error::invalid(name, "is less than a second"));
                }
                Some(age) if age > HIGHEST_AGE => {
                    return Err(Error::invalid(name, "is more than a hundred years"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Writes the choices into the entries. What is as by default needs none.
    fn enter(&self, settings: &mut Settings) {
        let default = Self::default();
        let keep = Some(self.history_keep).filter(|keep| *keep != default.history_keep);
        settings.enter(HISTORY_KEEP, keep.map(|keep| keep.to_string()));
        let seconds = |age: Duration| age.as_secs().to_string();
        settings.enter(PASSWORD_MAX_AGE, self.password_max_age.map(seconds));
        let age = self.rotation_max_age.map_or_else(|| NEVER.to_owned(), seconds);
        let chosen = self.rotation_max_age != default.rotation_max_age;
        settings.enter(ROTATION_MAX_AGE, chosen.then_some(age));
    }
}

impl Snapshot<'_> {
    /// What was chosen for this vault.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] and [`Error::Io`].
    pub fn config(&self) -> Result<Config> {
        Config::of(&Settings::read(self.rows(), self.keys().vault_key())?)
    }
}

impl Vault {
    /// What was chosen for this vault.
    ///
    /// # Errors
    ///
    /// Those of [`Vault::read`].
    pub fn config(&self) -> Result<Config> {
        #[expect(clippy::redundant_closure_for_method_calls, reason = "the method is less general")]
        self.read(|snapshot| snapshot.config())
    }

    /// Changes what was chosen for this vault, and returns it. Nothing is written if nothing
    /// changes. `change` may run more than once.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for a choice beyond its limit, and those of [`Vault::write`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use credb::{NewKey, Options, Vault};
    /// # fn main() -> credb::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let path = dir.path().join("v.redb");
    /// let vault = Vault::create(&path, &Options::new(), &NewKey::Hostname("host-a".into()))?;
    /// vault.configure(|config| config.history_keep = 50)?;
    /// assert_eq!(vault.config()?.history_keep, 50);
    /// # Ok(())
    /// # }
    /// ```
    pub fn configure(&self, change: impl Fn(&mut Config)) -> Result<Config> {
        let now = Utc::now().trunc_subsecs(6);
        self.store.write(|rows| {
            header::check(rows, self.path(), Intent::Write)?;
            let keys = self.keys.at(rows)?;
            let key = keys.vault_key();
            let mut settings = Settings::read(rows, key)?;
            let before = Config::of(&settings)?;
            let mut config = before.clone();
            change(&mut config);
            config.check()?;
            if config == before {
                return Ok(Verdict::Rollback(config));
            }
            config.enter(&mut settings);
            rows.put(Table::Settings, settings::KEY, &settings.seal(key))?;
            let mut manifest = Manifest::read(rows, key)?;
            manifest.renew_fixed(rows, key)?;
            manifest.write(rows, key, now)?;
            Ok(Verdict::Commit(config))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::NewKey;
    use crate::vault::Options;

    #[test]
    fn settings_are_kept_and_verify_and_what_is_as_by_default_has_no_entry() {
        let dir = tempfile::tempdir().unwrap();
        let key = NewKey::Hostname("host-a".to_owned());
        let vault = Vault::create(&dir.path().join("v.redb"), &Options::new(), &key).unwrap();
        let entries = || {
            let read = |name: &str| {
                let settings = |rows: &dyn crate::store::ReadRows| {
                    Settings::read(rows, vault.keys.at(rows)?.vault_key())
                };
                vault.store.read(settings).unwrap().entry(name).map(str::to_owned)
            };
            (read(HISTORY_KEEP), read(PASSWORD_MAX_AGE), read(ROTATION_MAX_AGE))
        };
        assert_eq!(vault.config().unwrap(), Config::default());
        let age = Some(Duration::from_secs(90 * 86_400));
        let generation = vault.info().unwrap().generation;
        let change = |config: &mut Config| {
            config.password_max_age = age;
            config.history_keep = 0;
            config.rotation_max_age = None;
        };
        vault.configure(change).unwrap();
        vault.configure(change).unwrap();
        assert_eq!(vault.info().unwrap().generation, generation + 1, "the same again is no write");
        let entry = |text: &str| Some(text.to_owned());
        assert_eq!(entries(), (entry("0"), entry("7776000"), entry("never")));
        assert_eq!(vault.config().unwrap().rotation_max_age, None);
        assert!(vault.verify(&|_, _| {}).unwrap().is_ok());
        for (keep, age) in [(1_001, age), (0, Some(Duration::ZERO)), (0, Some(Duration::MAX))] {
            let change = |config: &mut Config| {
                (config.history_keep, config.password_max_age) = (keep, age);
            };
            let refused = vault.configure(change);
            assert!(matches!(refused, Err(Error::Invalid { .. })), "{refused:?}");
        }
        assert_eq!(vault.configure(|config| *config = Config::default()).unwrap().history_keep, 10);
        assert_eq!(entries(), (None, None, None));
    }
}
