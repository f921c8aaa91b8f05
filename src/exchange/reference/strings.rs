//! The strings of a JSON text, where they stand in it: what they say, and how that is written.
//!
//! For a text that is known to be JSON. Of any other it gives something, within its bounds.

use std::ops::Range;

use zeroize::Zeroizing;

/// The insides of all strings that are values, without their quotation marks. Names of members
/// are none.
pub(super) fn values(text: &[u8]) -> impl Iterator<Item = Range<usize>> + use<'_> {
    let mut position = 0;
    std::iter::from_fn(move || {
        loop {
            let start = position + text[position..].iter().position(|byte| *byte == b'"')? + 1;
            let end = end_of_string(text, start)?;
            position = end + 1;
            let is_name = text[position..].trim_ascii_start().starts_with(b":");
            if !is_name {
                return Some(start..end);
            }
        }
    })
}

/// Where the closing quotation mark is.
fn end_of_string(text: &[u8], start: usize) -> Option<usize> {
    let mut position = start;
    loop {
        match text.get(position)? {
            b'"' => return Some(position),
            b'\\' => position += 2,
            _ => position += 1,
        }
    }
}

/// What the inside of a string says; `None` if that is what is written. Half of a surrogate pair
/// becomes three bytes that are not UTF-8.
pub(super) fn said(written: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    if !written.contains(&b'\\') {
        return None;
    }
    // No character is longer than what it is written as: growing leaves no copy behind.
    let mut said = Zeroizing::new(Vec::with_capacity(written.len()));
    let mut rest = written;
    while !rest.is_empty() {
        let unit = Unit::first(rest);
        said.extend_from_slice(&unit.bytes[..unit.said]);
        rest = &rest[unit.written..];
    }
    Some(said)
}

/// Finds where a place in what a string says is in what is written, from one place to the next.
pub(super) struct Places<'a> {
    written: &'a [u8],
    at: usize,
    said: usize,
}

impl<'a> Places<'a> {
    pub(super) fn new(written: &'a [u8]) -> Self {
        Self { written, at: 0, said: 0 }
    }

    /// The place that is so many bytes from the beginning of what is said, and no earlier than
    /// the last one.
    pub(super) fn find(&mut self, said: usize) -> usize {
        while self.said < said && self.at < self.written.len() {
            let unit = Unit::first(&self.written[self.at..]);
            self.at += unit.written;
            self.said += unit.said;
        }
        self.at
    }
}

/// An escape, or a byte that stands for itself.
struct Unit {
    /// Of how many bytes it is.
    written: usize,
    /// What it says, and how many bytes of this.
    bytes: [u8; 4],
    said: usize,
}

impl Unit {
    /// What this begins with; it has at least one byte.
    fn first(rest: &[u8]) -> Self {
        let one = |written, byte| Self { written, bytes: [byte, 0, 0, 0], said: 1 };
        let byte = match rest {
            [b'\\', b'u', tail @ ..] => {
                return hex(tail).map_or(one(1, b'\\'), |code| Self::character(code, &tail[4..]));
            }
            [b'\\', b'b', ..] => 8,
            [b'\\', b'f', ..] => 12,
            [b'\\', b'n', ..] => b'\n',
            [b'\\', b'r', ..] => b'\r',
            [b'\\', b't', ..] => b'\t',
            [b'\\', byte, ..] => *byte,
            _ => return one(1, rest[0]),
        };
        one(2, byte)
    }

    /// The character whose first code is this, before `tail`.
    fn character(code: u32, tail: &[u8]) -> Self {
        if let (0xd800..0xdc00, [b'\\', b'u', low @ ..]) = (code, tail)
            && let Some(low @ 0xdc00..0xe000) = hex(low)
        {
            return Self::encoded(12, 0x1_0000 + ((code - 0xd800) << 10) + (low - 0xdc00));
        }
        Self::encoded(6, code)
    }

    /// As UTF-8 would have it, also for what it has no character for.
    fn encoded(written: usize, code: u32) -> Self {
        let mut bytes = [0; 4];
        if let Some(character) = char::from_u32(code) {
            let said = character.encode_utf8(&mut bytes).len();
            return Self { written, bytes, said };
        }
        // Half of a pair: 0xd800 to 0xdfff.
        let [_, _, high, low] = code.to_be_bytes();
        let middle = 0x80 | (high & 0x0f) << 2 | low >> 6;
        Self { written, bytes: [0xe0 | high >> 4, middle, 0x80 | low & 0x3f, 0], said: 3 }
    }
}

/// The number of four hexadecimal digits.
fn hex(text: &[u8]) -> Option<u32> {
    let digits = text.get(..4)?;
    digits.iter().try_fold(0, |number, digit| Some(number << 4 | char::from(*digit).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(text: &str) -> Vec<&str> {
        values(text.as_bytes()).map(|range| &text[range]).collect()
    }

    fn text(written: &str) -> Vec<u8> {
        said(written.as_bytes()).map_or(written.into(), |said| said.to_vec())
    }

    #[test]
    fn strings_are_found_and_names_are_none() {
        let text = r#" {"a" : ["b", "\"", "\\"], "c":"d:\"", "e"
            :"", "":1}"#;
        assert_eq!(strings(text), ["b", r#"\""#, r"\\", r#"d:\""#, ""]);
        assert_eq!(strings(r#""a""#), ["a"]);
        for malformed in ["\"", "\"\\", "\"\\\"", "x"] {
            assert!(strings(malformed).is_empty(), "{malformed}");
        }
    }

    #[test]
    fn escapes_say_what_json_says_they_do() {
        for written in [r#"\"\\\/\b\f\n\r\t"#, r"caf\u00e9 \u20AC", r"\ud83d\udd11x", "\u{e9}"] {
            let expected: String = serde_json::from_str(&format!("\"{written}\"")).unwrap();
            assert_eq!(text(written), expected.into_bytes(), "{written}");
        }
        for half in [r"\ud83d", r"\ud83dx", r"\udd11", r"\ud83d\ud83d\udd11", r"\ud83d\u0041"] {
            assert!(String::from_utf8(text(half)).is_err(), "{half}");
        }
        for malformed in [r"\", r"\u12", r"\uzzzz"] {
            assert!(!text(malformed).is_empty(), "{malformed}");
        }
    }

    #[test]
    fn a_place_is_found_whatever_is_escaped_before_it() {
        let written = r"\u00e9x\ud83d\udd11\/y";
        let mut places = Places::new(written.as_bytes());
        let found: Vec<_> = [0, 2, 3, 7, 8, 9].map(|place| places.find(place)).into();
        assert_eq!(found, [0, 6, 7, 19, 21, 22]);
    }
}
