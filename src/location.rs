//! Where vaults and the machine secret are, by user id and environment.
//!
//! Decides on names only: looks at no file but the password database, and makes none.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// What decides where things are.
///
/// # Examples
///
/// ```
/// use std::path::Path;
/// use credb::location::Locations;
///
/// let locations = Locations { home: Some("/home/ada".into()), ..Locations::default() };
/// let vault = locations.vault_path("default")?;
/// assert_eq!(vault, Path::new("/home/ada/.local/share/credb/default.redb"));
/// # Ok::<(), credb::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Locations {
    /// `$XDG_DATA_HOME`; counts only if it is an absolute path.
    pub xdg_data_home: Option<OsString>,
    /// `$XDG_CONFIG_HOME`; counts only if it is an absolute path.
    pub xdg_config_home: Option<OsString>,
    /// `$HOME`, else the password database's entry.
    pub home: Option<PathBuf>,
    /// Whether the effective user id is 0.
    pub root: bool,
}

impl Locations {
    /// As the process's environment and effective user id say. An empty variable counts as unset.
    #[must_use]
    pub fn of_process() -> Self {
        let user = rustix::process::geteuid();
        Self {
            xdg_data_home: variable("XDG_DATA_HOME"),
            xdg_config_home: variable("XDG_CONFIG_HOME"),
            home: variable("HOME")
                .map(PathBuf::from)
                .filter(|home| home.is_absolute())
                .or_else(|| home_in_password_file(user.as_raw()))
                .or_else(home_in_directory_service),
            root: user.is_root(),
        }
    }

    /// The directory of the vaults that are known by name.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] if it is below the home directory and that is not known.
    pub fn data_dir(&self) -> Result<PathBuf> {
        self.base(self.xdg_data_home.as_deref(), "/var/lib", ".local/share")
    }

    /// The path of the machine secret.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] if it is below the home directory and that is not known.
    pub fn machine_secret(&self) -> Result<PathBuf> {
        let base = self.base(self.xdg_config_home.as_deref(), "/etc", ".config")?;
        Ok(base.join("machine.key"))
    }

    /// The path of the file that says which vault is known at which path.
    ///
    /// # Errors
    ///
    /// As for [`Self::machine_secret`].
    pub fn known_vaults(&self) -> Result<PathBuf> {
        Ok(self.machine_secret()?.with_file_name("known_vaults"))
    }

    /// The file that a `--vault` value means: with a `/` it is a path, taken as it is, else a name
    /// in the data directory.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] if it is neither, with the path that may have been meant, and as for
    /// [`Self::data_dir`].
    pub fn vault_path(&self, name_or_path: &str) -> Result<PathBuf> {
        let invalid = |reason: &str| {
            Err(Error::invalid(
                format!("vault {name_or_path:?}"),
                format!("{reason}./{name_or_path}"),
            ))
        };
        if name_or_path.is_empty() {
            return Err(Error::invalid("vault", "has an empty name"));
        }
        if name_or_path.starts_with('~') {
            return invalid("begins with a ~ that no shell replaced; a file of that name is ");
        }
        if name_or_path.contains('/') {
            return Ok(PathBuf::from(name_or_path));
        }
        if name_or_path.as_bytes().ends_with(b".redb") {
            return invalid("is the name of a file, not of a vault; the file here is ");
        }
        if !is_name(name_or_path) {
            return invalid(
                "is no name: letters, digits and ._- after a letter or digit; a file here is ",
            );
        }
        Ok(self.data_dir()?.join(format!("{name_or_path}.redb")))
    }

    fn base(&self, explicit: Option<&OsStr>, of_root: &str, below_home: &str) -> Result<PathBuf> {
        if let Some(explicit) = explicit.map(Path::new).filter(|path| path.is_absolute()) {
            return Ok(explicit.join("credb"));
        }
        if self.root {
            return Ok(Path::new(of_root).join("credb"));
        }
        let home = self.home.as_deref().ok_or_else(|| {
            Error::invalid(
                "home directory",
                "is not known from HOME or the password database: \
                 name the vault with `--vault` and its key with `--key-file`",
            )
        })?;
        Ok(home.join(below_home).join("credb"))
    }
}

fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

fn home_in_password_file(user: u32) -> Option<PathBuf> {
    home_in(&fs::read("/etc/passwd").ok()?, user)
}

/// The home directory of the user in a password file as passwd(5) describes it.
fn home_in(passwd: &[u8], user: u32) -> Option<PathBuf> {
    passwd.split(|byte| *byte == b'\n').find_map(|line| {
        let fields: Vec<&[u8]> = line.split(|byte| *byte == b':').collect();
        let [_, _, id, _, _, home, _] = fields.as_slice() else { return None };
        let id: u32 = std::str::from_utf8(id).ok()?.parse().ok()?;
        let home = Path::new(OsStr::from_bytes(home));
        (id == user && home.is_absolute()).then(|| home.to_owned())
    })
}

/// Users that only the C library knows of (LDAP and the like). It goes by the real user id, so
/// this counts only where that is the effective one.
fn home_in_directory_service() -> Option<PathBuf> {
    if rustix::process::getuid() != rustix::process::geteuid() {
        return None;
    }
    env::home_dir().filter(|home| home.is_absolute())
}

fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

#[cfg(test)]
mod tests;
