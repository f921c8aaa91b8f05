//! Random passwords of letters and digits.

use credb::{Error, Secret};
use zeroize::Zeroizing;

const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// The largest multiple of the alphabet's size in a byte: what is above would favour its start.
const FAIR: u8 = 248;

/// A password of `length` letters and digits, each as likely as any other.
pub(crate) fn password(length: usize) -> credb::Result<Secret> {
    let mut password = Vec::with_capacity(length);
    let mut random = Zeroizing::new([0_u8; 64]);
    while password.len() < length {
        getrandom::getrandom(random.as_mut_slice()).map_err(|error| Error::Io {
            action: "read",
            path: "the system's random numbers".into(),
            source: std::io::Error::other(error.to_string()),
        })?;
        let missing = length - password.len();
        password.extend(random.iter().filter_map(|byte| letter(*byte)).take(missing));
    }
    Ok(Secret::new(password))
}

fn letter(byte: u8) -> Option<u8> {
    (byte < FAIR).then(|| ALPHABET[usize::from(byte) % ALPHABET.len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_is_equally_likely() {
        let mut counts = [0; 256];
        for byte in 0..=u8::MAX {
            if let Some(letter) = letter(byte) {
                counts[usize::from(letter)] += 1;
            }
        }
        for letter in ALPHABET {
            assert_eq!(counts[usize::from(*letter)], 4, "{}", char::from(*letter));
        }
        assert_eq!(counts.iter().sum::<i32>(), 248);
    }

    #[test]
    fn a_password_has_exactly_the_length_asked_for() {
        for length in [8, 32, 63, 64, 65, 1_024] {
            let password = password(length).unwrap();
            assert_eq!(password.len(), length);
            assert!(password.expose().iter().all(u8::is_ascii_alphanumeric));
        }
        assert_ne!(password(32).unwrap(), password(32).unwrap());
    }
}
