//! State tokens: which state of which vault, in a line of text that holds nothing secret.

use std::fmt;
use std::str::FromStr;

use data_encoding::HEXLOWER;

use super::manifest::Manifest;
use super::settings::Settings;
use crate::error::{Error, Result};
use crate::keys::VaultKey;

const PREFIX: &str = "credb1";

/// A state of a vault: its incarnation, its generation, and a MAC that ties both to what the
/// vault held. A vault that was rolled back to a copy has a lower generation than a token of a
/// later state, or the same one with another MAC; a restored one has another incarnation.
///
/// Shown as `credb1-INCARNATION-GENERATION-MAC`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateToken {
    incarnation: [u8; 8],
    generation: u64,
    mac: [u8; 16],
}

/// How a vault relates to a state token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Since {
    /// It is in that very state.
    Same,
    /// It has gone on from a state of that generation.
    Later,
    /// It is older than that state: somebody put an older file in its place.
    Older,
    /// It is another vault, a restored one, or one that went another way from an older state.
    Another,
}

impl StateToken {
    pub(super) fn of(key: &VaultKey, settings: &Settings, manifest: &Manifest) -> Self {
        let mut incarnation = [0; 8];
        incarnation.copy_from_slice(&settings.incarnation()[..8]);
        let mut mac = [0; 16];
        mac.copy_from_slice(&manifest.digest(key, settings.incarnation())[..16]);
        Self { incarnation, generation: manifest.generation(), mac }
    }

    /// How the vault in the state `self` relates to an earlier token.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Since {
        if self.incarnation != earlier.incarnation {
            return Since::Another;
        }
        match self.generation.cmp(&earlier.generation) {
            std::cmp::Ordering::Less => Since::Older,
            std::cmp::Ordering::Greater => Since::Later,
            std::cmp::Ordering::Equal if self.mac == earlier.mac => Since::Same,
            std::cmp::Ordering::Equal => Since::Another,
        }
    }
}

impl fmt::Display for StateToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (incarnation, mac) = (HEXLOWER.encode(&self.incarnation), HEXLOWER.encode(&self.mac));
        write!(formatter, "{PREFIX}-{incarnation}-{}-{mac}", self.generation)
    }
}

impl FromStr for StateToken {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parse = || {
            let mut parts = text.trim().split('-');
            let mut part = || parts.next();
            if part()? != PREFIX {
                return None;
            }
            let incarnation = HEXLOWER.decode(part()?.as_bytes()).ok()?.try_into().ok()?;
            let generation = part()?.parse().ok()?;
            let mac = HEXLOWER.decode(part()?.as_bytes()).ok()?.try_into().ok()?;
            parts.next().is_none().then_some(Self { incarnation, generation, mac })
        };
        let form = || format!("is malformed: it has the form {PREFIX}-INCARNATION-GENERATION-MAC");
        parse().ok_or_else(|| Error::invalid("state token", form()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(incarnation: u8, generation: u64, mac: u8) -> StateToken {
        StateToken { incarnation: [incarnation; 8], generation, mac: [mac; 16] }
    }

    #[test]
    fn a_token_comes_back_from_its_text() {
        let token = token(1, 42, 2);
        assert_eq!(token.to_string().parse::<StateToken>().unwrap(), token);
        for wrong in ["", "credb1", "credb1-01-1-02", "credb2-0101010101010101-1-00"] {
            assert!(wrong.parse::<StateToken>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn going_back_is_told_from_going_on() {
        let seen = token(1, 5, 1);
        assert_eq!(token(1, 5, 1).since(&seen), Since::Same);
        assert_eq!(token(1, 6, 9).since(&seen), Since::Later);
        assert_eq!(token(1, 4, 1).since(&seen), Since::Older);
        assert_eq!(token(1, 5, 2).since(&seen), Since::Another);
        assert_eq!(token(2, 6, 1).since(&seen), Since::Another);
    }
}
