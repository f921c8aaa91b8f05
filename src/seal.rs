//! Fernet: seals plaintexts and opens tokens. Sees no file, no id and no key's origin.
//!
//! Tokens are kept decoded (a quarter smaller, and no two texts for one token) and carry the
//! clear timestamp 0, so that a row does not tell when it changed. The only file that names the
//! crate `fernet`. Format: <https://github.com/fernet/spec/blob/master/Spec.md>.

use data_encoding::BASE64URL;
use fernet::Fernet;
use zeroize::{Zeroize, Zeroizing};

/// The bytes of a Fernet key: 16 to sign, 16 to encrypt.
pub(crate) type Key = Zeroizing<[u8; 32]>;

/// The clear timestamp of every token of ours; a reader with this as the present time opens
/// exactly those and tokens up to a minute later, wherever the clock stands.
const TIMESTAMP: u64 = 0;

/// Foreign tokens carry real times, and the crate refuses those more than a minute ahead of the
/// present time it is given: this is the largest it adds a minute to without overflow.
const END_OF_TIME: u64 = u64::MAX - 60;

/// Seals and opens under one key.
pub(crate) struct Sealer(Fernet);

impl Sealer {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        let text = Zeroizing::new(BASE64URL.encode(key));
        #[expect(clippy::expect_used, reason = "32 bytes in base64 are what the crate checks for")]
        Self(Fernet::new(&text).expect("a key of 32 bytes"))
    }

    /// A token over `plaintext`, decoded.
    pub(crate) fn seal(&self, plaintext: &[u8]) -> Vec<u8> {
        let mut token = Vec::new();
        self.seal_into(plaintext, &mut token);
        token
    }

    /// The same, behind what is there already; its length.
    pub(crate) fn seal_into(&self, plaintext: &[u8], out: &mut Vec<u8>) -> usize {
        let text = self.0.encrypt_at_time(plaintext, TIMESTAMP);
        let text = text.as_bytes();
        let start = out.len();
        #[expect(clippy::expect_used, reason = "the crate writes what it reads")]
        {
            let most = BASE64URL.decode_len(text.len()).expect("whole base64 of the crate's own");
            out.resize(start + most, 0);
            let written = BASE64URL.decode_mut(text, &mut out[start..]);
            out.truncate(start + written.expect("base64 of the crate's own"));
        }
        out.len() - start
    }

    /// The plaintext of a decoded token, or `None`: wrong key or altered.
    pub(crate) fn open(&self, token: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let text = BASE64URL.encode(token);
        self.0.decrypt_at_time(&text, None, TIMESTAMP).ok().map(Zeroizing::new)
    }
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Sealer([redacted])")
    }
}

/// Opens a token that another program made, in its text form; `None`: wrong key or altered.
pub(crate) fn open_foreign(key: &[u8; 32], token: &str) -> Option<Zeroizing<Vec<u8>>> {
    Sealer::new(key).0.decrypt_at_time(token, None, END_OF_TIME).ok().map(Zeroizing::new)
}

/// A token as another program makes it, at `time` in Unix seconds.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn seal_foreign(key: &[u8; 32], plaintext: &[u8], time: u64) -> String {
    Sealer::new(key).0.encrypt_at_time(plaintext, time)
}

/// Fills a new array with random bytes of the operating system.
pub(crate) fn random<const N: usize>() -> Zeroizing<[u8; N]> {
    let mut bytes = Zeroizing::new([0; N]);
    #[expect(clippy::expect_used, reason = "without random numbers nothing here is safe to do")]
    getrandom::getrandom(bytes.as_mut_slice()).expect("random bytes of the operating system");
    bytes
}

/// Wipes a key that is no longer needed and was handed out as a plain array.
pub(crate) fn take_key(bytes: &mut [u8; 32]) -> Key {
    let key = Zeroizing::new(*bytes);
    bytes.zeroize();
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_under_the_same_key_only() {
        let sealer = Sealer::new(&[7; 32]);
        let token = sealer.seal(b"plaintext");
        assert_eq!(sealer.open(&token).unwrap().as_slice(), b"plaintext");
        assert!(Sealer::new(&[8; 32]).open(&token).is_none());
    }

    #[test]
    fn every_altered_byte_is_refused() {
        let sealer = Sealer::new(&[7; 32]);
        let token = sealer.seal(b"plaintext");
        for position in 0..token.len() {
            let mut altered = token.clone();
            altered[position] ^= 1;
            assert!(sealer.open(&altered).is_none(), "byte {position}");
            assert!(sealer.open(&token[..position]).is_none(), "length {position}");
        }
    }

    #[test]
    fn a_token_tells_no_time() {
        let token = Sealer::new(&[7; 32]).seal(b"plaintext");
        assert_eq!(token[..9], [0x80, 0, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn foreign_tokens_of_any_time_open() {
        for time in [0, 1_700_000_000, 4_000_000_000] {
            let token = seal_foreign(&[7; 32], b"x", time);
            assert_eq!(open_foreign(&[7; 32], &token).unwrap().as_slice(), b"x");
        }
    }
}
