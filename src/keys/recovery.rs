//! Recovery codes: 160 random bits that a person writes down.
//!
//! Crockford's base32 (no I, L, O, U; those misread are taken as what they look like) in groups
//! of four, the last group a checksum. Source: <https://www.crockford.com/base32.html>.

use std::fmt;

use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use crate::error::{Error, Result};
use crate::seal::random;

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The digits that carry the 160 bits.
const DIGITS: usize = 32;

/// The digits of the checksum: 20 bits.
const CHECK_DIGITS: usize = 4;

/// The longest text that is looked at, in bytes: a code with a space after each digit.
const LONGEST: usize = 256;

/// A recovery code: 160 random bits, shown once in groups with a checksum.
#[derive(Clone)]
pub struct RecoveryCode(Zeroizing<[u8; 20]>);

impl RecoveryCode {
    /// A new random code.
    #[must_use]
    pub fn generate() -> Self {
        Self(random())
    }

    /// Reads a code as a person types it: case, spaces and dashes do not matter.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] if it has the wrong length, a wrong character or a wrong checksum.
    pub fn parse(text: &str) -> Result<Self> {
        let invalid = |reason: &str| Error::invalid("recovery code", reason);
        if text.len() > LONGEST {
            return Err(invalid("is too long"));
        }
        let mut digits = Zeroizing::new(Vec::with_capacity(LONGEST));
        for character in text.chars().filter(|c| !c.is_whitespace() && *c != '-') {
            digits.push(digit(character).ok_or_else(|| invalid("has a wrong character"))?);
        }
        if digits.len() != DIGITS + CHECK_DIGITS {
            return Err(invalid("has the wrong length"));
        }
        let mut bytes = Zeroizing::new([0; 20]);
        for (group, out) in digits[..DIGITS].chunks(8).zip(bytes.chunks_mut(5)) {
            let bits = group.iter().fold(0_u64, |bits, digit| bits << 5 | u64::from(*digit));
            out.copy_from_slice(&bits.to_be_bytes()[3..]);
        }
        if digits[DIGITS..] != checksum(&bytes) {
            return Err(invalid("has a wrong checksum: a digit is wrong"));
        }
        Ok(Self(bytes))
    }

    /// The code in groups, to be shown once. Wipe it after use.
    #[must_use]
    pub fn expose(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(64));
        let digits = self.0.chunks(5).flat_map(|chunk| {
            let bits = chunk.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
            (0..8).rev().map(move |place| (bits >> (5 * place) & 31) as usize)
        });
        let check = checksum(&self.0);
        for (position, value) in digits.chain(check.map(usize::from)).enumerate() {
            if position > 0 && position % 4 == 0 {
                text.push('-');
            }
            text.push(char::from(ALPHABET[value]));
        }
        text
    }

    pub(super) fn secret(&self) -> &[u8] {
        self.0.as_slice()
    }
}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

fn digit(character: char) -> Option<u8> {
    let character = match character.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    let position = ALPHABET.iter().position(|own| char::from(*own) == character)?;
    u8::try_from(position).ok()
}

/// The first 20 bits of SHA-256 over a fixed prefix and the code, as digits.
fn checksum(bytes: &[u8; 20]) -> [u8; CHECK_DIGITS] {
    let mut hash: [u8; 32] =
        Sha256::new().chain_update(b"credb recovery code").chain_update(bytes).finalize().into();
    let bits = u32::from_be_bytes([0, hash[0], hash[1], hash[2]]) >> 4;
    hash.zeroize();
    [15, 10, 5, 0].map(|shift| (bits >> shift & 31) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_comes_back_as_typed_by_a_person() {
        let code = RecoveryCode::generate();
        let text = code.expose();
        assert_eq!(text.len(), 36 + 8);
        for typed in [text.to_string(), text.to_lowercase(), text.replace('-', " ")] {
            assert_eq!(RecoveryCode::parse(&typed).unwrap().secret(), code.secret());
        }
        let misread = text.replace('0', "o").replace('1', "l");
        assert_eq!(RecoveryCode::parse(&misread).unwrap().secret(), code.secret());
    }

    #[test]
    fn the_code_of_known_bits_is_known() {
        let code = RecoveryCode(Zeroizing::new([0; 20]));
        assert!(code.expose().starts_with("0000-0000-0000-0000-0000-0000-0000-0000-"));
        let code = RecoveryCode(Zeroizing::new([0xff; 20]));
        assert!(code.expose().starts_with("ZZZZ-ZZZZ-"));
    }

    #[test]
    fn a_single_wrong_digit_is_found() {
        let text = RecoveryCode(Zeroizing::new([0; 20])).expose().to_string();
        for position in (0..39).filter(|position| position % 5 != 4) {
            let mut wrong = text.clone().into_bytes();
            wrong[position] = b'7';
            let wrong = String::from_utf8(wrong).unwrap();
            assert!(RecoveryCode::parse(&wrong).is_err(), "{wrong}");
        }
        assert!(RecoveryCode::parse("").is_err());
        assert!(RecoveryCode::parse(&"0".repeat(1_000)).is_err());
        assert!(RecoveryCode::parse("0000-0000-0000-0000-0000-0000-0000-0000-U").is_err());
    }
}
