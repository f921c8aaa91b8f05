//! Passphrases: Argon2id (RFC 9106) over memory that is bounded before it is taken, and wiped.
//!
//! The cost stands in the slot, in clear, and may have been written by somebody who wants this
//! machine to run out of memory: nothing is allocated for a cost beyond the limits.

use std::fmt;
use std::path::Path;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use zeroize::{Zeroize, Zeroizing};

use super::key_file::{self, Reading};
use crate::codec::{self, Malformed};
use crate::error::{Error, Result};
use crate::seal::Key;

/// The longest passphrase in bytes, in its normal form.
const LONGEST: usize = 1_024;

/// The most memory that a slot may ask for, in KiB: 2 GiB, the first choice of RFC 9106.
const MOST_MEMORY: u32 = 2 * 1_048_576;

/// The least memory of a new slot, in KiB.
const LEAST_MEMORY: u32 = 8 * 1_024;

/// The most passes over the memory.
const MOST_PASSES: u32 = 64;

/// The most memory times passes, in KiB: some ten seconds of one processor.
const MOST_WORK: u64 = 16 * 1_048_576;

/// The most lanes. We make slots of one lane: our derivation has one thread, and more lanes would
/// help only those who have more.
const MOST_LANES: u32 = 16;

/// A passphrase in Unicode's normal form C, so that it opens whatever keyboard it is typed on.
///
/// # Examples
///
/// ```
/// use credb::Passphrase;
///
/// let typed = Passphrase::new("cafe\u{301}")?;
/// assert_eq!(typed.expose(), "caf\u{e9}");
/// assert_eq!(format!("{typed:?}"), "[redacted]");
/// # Ok::<(), credb::Error>(())
/// ```
#[derive(Clone)]
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// Takes a passphrase of 1 to 1,024 bytes without control characters.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`].
    pub fn new(text: &str) -> Result<Self> {
        let invalid = |reason: &str| Error::invalid("passphrase", reason);
        // The normal form may be up to three times as long.
        if text.len() > LONGEST {
            return Err(Error::too_large("passphrase", text.len(), LONGEST, "bytes"));
        }
        if text.is_empty() {
            return Err(invalid("is empty"));
        }
        if text.chars().any(char::is_control) {
            return Err(invalid("has a control character, such as the end of a line"));
        }
        let mut normal = Zeroizing::new(String::with_capacity(3 * LONGEST));
        normal.extend(text.nfc());
        Ok(Self(normal))
    }

    /// The passphrase of a file's or a pipe's bytes: one final end of line is dropped.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let line = line.strip_suffix(b"\r").filter(|_| line.len() < bytes.len()).unwrap_or(line);
        let text =
            std::str::from_utf8(line).map_err(|_| Error::invalid("passphrase", "is not UTF-8"))?;
        Self::new(text)
    }

    /// The passphrase in a file that is refused, like a key file, if others can read it.
    ///
    /// # Errors
    ///
    /// [`Error::KeyUnusable`] and [`Error::Invalid`].
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = key_file::read_bytes("passphrase file", path, Reading::ExceptDelivered)?;
        Self::from_bytes(&bytes)
    }

    pub(super) fn secret(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.0.as_bytes().to_vec())
    }

    /// The passphrase itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

/// What each guess at a passphrase costs: Argon2id's memory and passes over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct KdfCost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl KdfCost {
    /// A cost of this many MiB (8 to 2,048) and passes (1 to 64), together at most 16,384 MiB.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] beyond these limits.
    pub fn new(memory_mib: u32, passes: u32) -> Result<Self> {
        let cost = Self { memory_kib: memory_mib.saturating_mul(1_024), passes, lanes: 1 };
        if cost.memory_kib < LEAST_MEMORY || cost.check().is_err() {
            let reason = "is 8 to 2048 MiB and 1 to 64 passes, multiplied at most 16384";
            return Err(Error::invalid("cost of a passphrase", reason));
        }
        Ok(cost)
    }

    /// The memory in MiB.
    #[must_use]
    pub fn memory_mib(self) -> u32 {
        self.memory_kib / 1_024
    }

    /// The passes over the memory.
    #[must_use]
    pub fn passes(self) -> u32 {
        self.passes
    }

    /// As it stands in a slot.
    pub(super) fn to_parameters(self) -> Vec<u8> {
        codec::encode_plain(&self).to_vec()
    }

    /// The cost in a slot that anybody may have written.
    ///
    /// # Errors
    ///
    /// A reason, also if it is beyond the limits.
    pub(super) fn from_parameters(bytes: &[u8]) -> Result<Self, Malformed> {
        let cost: Self = codec::decode_plain(bytes)?;
        cost.check()?;
        Ok(cost)
    }

    fn check(self) -> Result<(), Malformed> {
        let work = u64::from(self.memory_kib) * u64::from(self.passes);
        let within = (1..=MOST_LANES).contains(&self.lanes)
            && (8 * self.lanes..=MOST_MEMORY).contains(&self.memory_kib)
            && (1..=MOST_PASSES).contains(&self.passes)
            && work <= MOST_WORK;
        if within { Ok(()) } else { Err("its cost is beyond the limits") }
    }

    /// The key of a secret, or `None` if there is no memory for it.
    pub(super) fn derive(self, secret: &[u8], salt: &[u8]) -> Option<Key> {
        #[expect(clippy::expect_used, reason = "a cost within our limits is within Argon2's")]
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(32))
            .expect("a cost within Argon2's limits");
        let mut memory = Memory::of(params.block_count())?;
        let mut key: Key = Key::default();
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into_with_memory(secret, salt, key.as_mut_slice(), &mut memory.0)
            .ok()?;
        Some(key)
    }
}

impl Default for KdfCost {
    /// 64 MiB and 3 passes, the second choice of RFC 9106 with one lane.
    fn default() -> Self {
        Self { memory_kib: 64 * 1_024, passes: 3, lanes: 1 }
    }
}

/// What Argon2 worked on; wiped when dropped.
struct Memory(Vec<Block>);

impl Memory {
    fn of(blocks: usize) -> Option<Self> {
        let mut memory = Vec::new();
        memory.try_reserve_exact(blocks).ok()?;
        memory.resize(blocks, Block::new());
        Some(Self(memory))
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(Zeroize::zeroize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passphrase_is_the_same_however_it_is_typed() {
        let composed = Passphrase::new("\u{c5}ngstr\u{f6}m").unwrap();
        for same in ["A\u{30a}ngstro\u{308}m", "\u{212b}ngstr\u{f6}m"] {
            assert_eq!(Passphrase::new(same).unwrap().expose(), composed.expose());
        }
        for (bytes, text) in [(&b"a b\n"[..], "a b"), (b"a b\r\n", "a b"), (b" a b ", " a b ")] {
            assert_eq!(Passphrase::from_bytes(bytes).unwrap().expose(), text);
        }
        for wrong in [&b""[..], b"\n", b"a\n\n", b"a\nb", b"a\r", b"\xff", &[b'x'; 1_025]] {
            assert!(Passphrase::from_bytes(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn absurd_costs_are_refused_before_memory_is_taken() {
        let parameters = |memory_kib, passes, lanes| {
            let cost = KdfCost { memory_kib, passes, lanes };
            KdfCost::from_parameters(&cost.to_parameters())
        };
        assert_eq!(parameters(64 * 1_024, 3, 1), Ok(KdfCost::default()));
        assert!(parameters(8, 1, 1).is_ok());
        assert!(parameters(MOST_MEMORY, 8, 16).is_ok());
        let absurd = [
            (u32::MAX, 1, 1),
            (MOST_MEMORY + 1, 1, 1),
            (MOST_MEMORY, 9, 1),
            (1_024, 65, 1),
            (1_024, u32::MAX, 1),
            (1_024, 0, 1),
            (1_024, 1, 0),
            (1_024, 1, 17),
            (7, 1, 1),
            (0, 1, 1),
        ];
        for (memory, passes, lanes) in absurd {
            assert!(parameters(memory, passes, lanes).is_err(), "{memory} {passes} {lanes}");
        }
        for (memory, passes) in [(7, 1), (8, 0), (2_049, 1), (2_048, 9), (u32::MAX, 1), (64, 65)] {
            assert!(KdfCost::new(memory, passes).is_err(), "{memory} {passes}");
        }
        assert_eq!(KdfCost::new(64, 3).unwrap(), KdfCost::default());
    }

    #[test]
    fn the_key_is_argon2id_as_others_compute_it() {
        // Python's cryptography: Argon2id(salt=bytes(range(16)), length=32, iterations=2, lanes=1,
        // memory_cost=64).derive(b"secret").
        let cost = KdfCost { memory_kib: 64, passes: 2, lanes: 1 };
        let salt: [u8; 16] = std::array::from_fn(|position| u8::try_from(position).unwrap());
        let key = cost.derive(b"secret", &salt).unwrap();
        let expected = "7d05e7bb695c4555bcecf53bc12c42ca37fb76425a0931fd95452cd8bf8f24cc";
        assert_eq!(data_encoding::HEXLOWER.encode(key.as_slice()), expected);
    }
}
