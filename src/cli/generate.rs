//! Random passwords: which characters or words, how many, and each as likely as any other.
//!
//! All randomness is the system's; draws that would favour a part of an alphabet are thrown away.

use credb::{Error, Secret};
use diceware_wordlists::Wordlist;
use zeroize::Zeroizing;

use super::args::PolicyArgs;
use super::report::Failure;

const HEX: &[u8; 16] = b"0123456789abcdef";
/// The first 62 are the letters and digits.
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// No quotation marks, backslash, dollar sign or white space: it survives shells and files.
const WITH_SYMBOLS: &[u8; 85] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#%&()*+,-./:;<=>?@[]^_";
/// How many characters there are if none are asked for.
const USUAL_LENGTH: usize = 32;

/// What a password is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    /// So many letters and digits.
    Alphanumeric(usize),
    /// So many letters, digits and symbols, at least one of each kind.
    Symbols(usize),
    /// So many hexadecimal digits.
    Hex(usize),
    /// So many characters of the base64 alphabet.
    Base64(usize),
    /// So many words, with dashes between them.
    Words(usize),
}

impl Policy {
    /// The policy that the options name; the parser has seen to it that they fit together.
    pub(crate) fn of(args: &PolicyArgs) -> Self {
        let length = args.length.map_or(USUAL_LENGTH, usize::from);
        match args {
            PolicyArgs { words: Some(words), .. } => Self::Words(usize::from(*words)),
            PolicyArgs { symbols: true, .. } => Self::Symbols(length),
            PolicyArgs { hex: true, .. } => Self::Hex(length),
            PolicyArgs { base64: true, .. } => Self::Base64(length),
            _ => Self::Alphanumeric(length),
        }
    }

    /// The policy of `set --generate[=LENGTH]` with these options.
    pub(crate) fn for_set(length: Option<u16>, args: &PolicyArgs) -> Result<Self, Failure> {
        let Some(length) = length else { return Ok(Self::of(args)) };
        if args.length.is_some() {
            return Err(Failure::usage("--generate=LENGTH cannot be used with --length"));
        }
        if args.words.is_some() {
            return Err(Failure::usage("--generate=LENGTH cannot be used with --words"));
        }
        Ok(Self::of(&PolicyArgs { length: Some(length), ..*args }))
    }

    /// A new password.
    pub(crate) fn password(self) -> credb::Result<Secret> {
        let mut random = Random::default();
        match self {
            Self::Alphanumeric(length) => characters(&mut random, &BASE64[..62], length),
            Self::Hex(length) => characters(&mut random, HEX, length),
            Self::Base64(length) => characters(&mut random, BASE64, length),
            // Drawing all of it again keeps those that are left equally likely.
            Self::Symbols(length) => loop {
                let password = characters(&mut random, WITH_SYMBOLS, length)?;
                if has_every_kind(password.expose()) {
                    return Ok(password);
                }
            },
            Self::Words(count) => words(&mut random, count),
        }
    }
}

fn characters(random: &mut Random, alphabet: &[u8], length: usize) -> credb::Result<Secret> {
    let mut password = Zeroizing::new(Vec::with_capacity(length));
    for _ in 0..length {
        password.push(alphabet[random.below(alphabet.len())?]);
    }
    Ok(Secret::new(std::mem::take(&mut *password)))
}

fn words(random: &mut Random, count: usize) -> credb::Result<Secret> {
    let list = Wordlist::EffLong.get_list();
    let longest = list.iter().map(|word| word.len()).max().unwrap_or_default();
    let mut password = Zeroizing::new(Vec::with_capacity(count * (longest + 1)));
    for position in 0..count {
        if position > 0 {
            password.push(b'-');
        }
        password.extend_from_slice(list[random.below(list.len())?].as_bytes());
    }
    Ok(Secret::new(std::mem::take(&mut *password)))
}

fn has_every_kind(password: &[u8]) -> bool {
    let has = |is_kind: fn(&u8) -> bool| password.iter().any(is_kind);
    has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_lowercase)
        && has(u8::is_ascii_digit)
        && has(u8::is_ascii_punctuation)
}

/// The system's random numbers, fetched some at a time.
#[derive(Default)]
struct Random {
    bytes: Zeroizing<Vec<u8>>,
}

impl Random {
    /// A number below `bound`, each equally likely.
    fn below(&mut self, bound: usize) -> credb::Result<usize> {
        loop {
            let drawn = [self.byte()?, self.byte()?];
            if let Some(number) = fair(u16::from_le_bytes(drawn), bound) {
                return Ok(number);
            }
        }
    }

    fn byte(&mut self) -> credb::Result<u8> {
        if self.bytes.is_empty() {
            self.bytes.resize(256, 0);
            getrandom::getrandom(&mut self.bytes).map_err(|error| Error::Io {
                action: "read",
                path: "the system's random numbers".into(),
                source: std::io::Error::other(error.to_string()),
            })?;
        }
        Ok(self.bytes.pop().unwrap_or_default())
    }
}

/// What a draw means below `bound`; nothing if it is in the incomplete last round, which would
/// favour small numbers.
fn fair(drawn: u16, bound: usize) -> Option<usize> {
    let draws = usize::from(u16::MAX) + 1;
    let drawn = usize::from(drawn);
    (drawn < draws - draws % bound).then(|| drawn % bound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_below_a_bound_is_equally_likely() {
        for bound in [10, 16, 62, 64, WITH_SYMBOLS.len(), Wordlist::EffLong.get_list().len()] {
            let mut counts = vec![0; bound];
            for drawn in 0..=u16::MAX {
                if let Some(number) = fair(drawn, bound) {
                    counts[number] += 1;
                }
            }
            assert!(counts.iter().all(|count| *count == 65_536 / bound), "{bound}");
        }
    }

    #[test]
    fn a_password_has_exactly_the_length_and_characters_asked_for() {
        for length in [8, 31, 32, 64, 1_024] {
            for (policy, is_allowed) in [
                (Policy::Alphanumeric(length), u8::is_ascii_alphanumeric as fn(&u8) -> bool),
                (Policy::Symbols(length), |byte| WITH_SYMBOLS.contains(byte)),
                (Policy::Hex(length), |byte| HEX.contains(byte)),
                (Policy::Base64(length), |byte| BASE64.contains(byte)),
            ] {
                let password = policy.password().unwrap();
                assert_eq!(password.len(), length, "{policy:?}");
                assert!(password.expose().iter().all(is_allowed), "{policy:?}");
                assert_ne!(password, policy.password().unwrap());
            }
        }
    }

    #[test]
    fn symbols_come_with_every_kind() {
        for _ in 0..200 {
            assert!(has_every_kind(Policy::Symbols(8).password().unwrap().expose()));
        }
        for lacking in [b"AAAA1111!".as_slice(), b"aaaa1111!", b"AAaa!!", b"AAaa11"] {
            assert!(!has_every_kind(lacking));
        }
    }

    #[test]
    fn words_are_those_of_the_list() {
        let list = Wordlist::EffLong.get_list();
        assert_eq!(list.len(), 7_776);
        let alone = Policy::Words(1).password().unwrap();
        assert!(list.contains(&alone.expose_str().unwrap()));
        let many = Policy::Words(40).password().unwrap();
        assert!(many.expose_str().unwrap().matches('-').count() >= 39);
    }
}
