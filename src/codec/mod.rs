//! Values to bytes and back: versioned, bounded, padded. The only file that names bincode.
//!
//! A sealed value is laid out as `length (u32, big-endian) | body | zeros`, the body as a format
//! byte and the bincode-1 layout of a value bound to its vault and table. docs/format.md has the
//! bytes and vectors.

mod history;
mod row;

use bincode::enc::write::SizeWriter;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

pub(crate) use self::history::HistoryRow;
pub(crate) use self::row::{IndexRow, RecordRow, RecordState, from_micros, micros};

/// The largest body in bytes: a credential at all its limits, with room.
const BODY_LIMIT: usize = 2 * 1_048_576;

/// The smallest padded plaintext in bytes, so that most rows have one size.
const SMALLEST: usize = 256;

/// The first byte of every encoded value.
const FORMAT: u8 = 1;

/// Why bytes are not the value they should be.
pub(crate) type Malformed = &'static str;

/// The table a plaintext belongs to, as it stands inside of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Binding {
    Slots = 2,
    Epochs = 3,
    Records = 4,
    Index = 5,
    History = 6,
    Settings = 7,
    Manifest = 8,
    SlotDetails = 10,
}

/// A value together with where it belongs.
#[derive(Serialize, Deserialize)]
struct Bound<T> {
    vault: [u8; 16],
    table: u8,
    value: T,
}

/// The plaintext to seal for `value`, bound to its vault and table, padded.
pub(crate) fn encode<T: Serialize>(
    vault: &[u8; 16],
    table: Binding,
    value: &T,
) -> Zeroizing<Vec<u8>> {
    let value = Bound { vault: *vault, table: table as u8, value };
    let body = plain_length(&value);
    #[expect(clippy::expect_used, reason = "limits of credentials keep bodies far below 4 GiB")]
    let length = u32::try_from(body).expect("a body of bounded length");
    let padded = padded_length(body + 4);
    let mut bytes = Zeroizing::new(Vec::with_capacity(padded));
    bytes.extend_from_slice(&length.to_be_bytes());
    append_plain(&mut bytes, &value);
    bytes.resize(padded, 0);
    bytes
}

/// The value of an opened plaintext.
///
/// # Errors
///
/// A reason, if the padding or the layout is not exactly as written by [`encode`], or if the
/// value belongs to another vault or table.
pub(crate) fn decode<T: DeserializeOwned>(
    vault: &[u8; 16],
    table: Binding,
    plaintext: &[u8],
) -> Result<T, Malformed> {
    let bound: Bound<T> = decode_plain(unpad(plaintext)?)?;
    if bound.vault != *vault {
        return Err("it belongs to another vault");
    }
    if bound.table != table as u8 {
        return Err("it belongs to another table");
    }
    Ok(bound.value)
}

/// A format byte and the value, unpadded and bound to nothing: for rows that are not sealed.
pub(crate) fn encode_plain<T: Serialize>(value: &T) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(plain_length(value)));
    append_plain(&mut bytes, value);
    bytes
}

/// The bytes that [`append_plain`] adds: a buffer that has to grow leaves copies of secrets behind.
fn plain_length<T: Serialize>(value: &T) -> usize {
    let mut size = SizeWriter::default();
    let written = bincode::serde::encode_into_writer(value, &mut size, bincode::config::legacy());
    #[expect(clippy::expect_used, reason = "counting bytes fails for no value of ours")]
    written.expect("a value that can be encoded");
    1 + size.bytes_written
}

fn append_plain<T: Serialize>(bytes: &mut Vec<u8>, value: &T) {
    bytes.push(FORMAT);
    let written = bincode::serde::encode_into_std_write(value, bytes, bincode::config::legacy());
    #[expect(clippy::expect_used, reason = "writing to memory fails for no value of ours")]
    written.expect("a value that can be encoded");
}

/// The value of [`encode_plain`]'s bytes.
///
/// # Errors
///
/// A reason, if the bytes are anything but exactly one value of this type and format.
pub(crate) fn decode_plain<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Malformed> {
    let (format, body) = bytes.split_first().ok_or("it is empty")?;
    if *format != FORMAT {
        return Err("its format byte is unknown");
    }
    let config = bincode::config::legacy().with_limit::<BODY_LIMIT>();
    match bincode::serde::decode_from_slice(body, config) {
        Ok((value, read)) if read == body.len() => Ok(value),
        Ok(_) => Err("bytes follow its value"),
        Err(_) => Err("its layout is malformed"),
    }
}

fn unpad(plaintext: &[u8]) -> Result<&[u8], Malformed> {
    let (length, rest) = plaintext.split_first_chunk::<4>().ok_or("it is too short")?;
    let length = u32::from_be_bytes(*length) as usize;
    if length > rest.len() || plaintext.len() != padded_length(length + 4) {
        return Err("its length is wrong");
    }
    let (body, padding) = rest.split_at(length);
    if padding.iter().any(|byte| *byte != 0) {
        return Err("its padding is not zero");
    }
    Ok(body)
}

/// Padme: rounds up so that at most `log2 log2 n` bits of the length show and at most 12 % is
/// added. Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and Communication with
/// PURBs", 2019.
fn padded_length(length: usize) -> usize {
    if length <= SMALLEST {
        return SMALLEST;
    }
    let exponent = length.ilog2();
    let low_bits = exponent - (exponent.ilog2() + 1);
    let mask = (1_usize << low_bits) - 1;
    (length + mask) & !mask
}

#[cfg(test)]
mod tests {
    use super::*;

    const VAULT: [u8; 16] = [9; 16];

    #[test]
    fn padding_hides_small_differences() {
        assert_eq!(padded_length(1), 256);
        assert_eq!(padded_length(256), 256);
        assert_eq!(padded_length(257), 272);
        assert_eq!(padded_length(65_000), 65_536);
        for length in [300, 4_097, 1_000_000] {
            let padded = padded_length(length);
            assert!(padded >= length && padded <= length + length / 8);
            assert_eq!(padded_length(padded), padded, "padding twice changes nothing");
        }
    }

    #[test]
    fn what_is_encoded_comes_back() {
        let value = ("text".to_owned(), vec![1_u64, 2]);
        let bytes = encode(&VAULT, Binding::Records, &value);
        assert_eq!((bytes.len(), bytes.capacity()), (256, 256), "it never had to grow");
        assert_eq!(decode::<(String, Vec<u64>)>(&VAULT, Binding::Records, &bytes), Ok(value));
    }

    #[test]
    fn another_place_is_refused() {
        let bytes = encode(&VAULT, Binding::Records, &1_u64);
        assert!(decode::<u64>(&[8; 16], Binding::Records, &bytes).is_err());
        assert!(decode::<u64>(&VAULT, Binding::Index, &bytes).is_err());
    }

    #[test]
    fn every_altered_byte_of_the_frame_is_refused() {
        let bytes = encode(&VAULT, Binding::Records, &1_u64);
        for position in 0..bytes.len() {
            let mut altered = bytes.to_vec();
            altered[position] ^= 0x81;
            assert_ne!(decode::<u64>(&VAULT, Binding::Records, &altered), Ok(1), "{position}");
        }
    }

    #[test]
    fn a_length_that_promises_too_much_is_refused_without_allocating() {
        let mut bytes = vec![FORMAT];
        bytes.extend_from_slice(&u64::MAX.to_le_bytes());
        assert!(decode_plain::<String>(&bytes).is_err());
        assert!(decode_plain::<Vec<u64>>(&bytes).is_err());
    }
}
