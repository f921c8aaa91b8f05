//! Makes stored text harmless for a terminal: control characters and marks that reorder or hide
//! text are shown as escapes. Must not touch anything that goes to a pipe or a file.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Text with everything that could drive or deceive a terminal written as an escape.
pub(crate) fn text(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hostile) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_hostile(character) {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    Cow::Owned(escaped)
}

/// Bytes as text, with what is not UTF-8 as `\xNN`.
pub(crate) fn bytes(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(valid) = std::str::from_utf8(bytes) {
        return text(valid);
    }
    let mut escaped = String::new();
    for chunk in bytes.utf8_chunks() {
        escaped.push_str(&text(chunk.valid()));
        for byte in chunk.invalid() {
            push(&mut escaped, format_args!("\\x{byte:02x}"));
        }
    }
    Cow::Owned(escaped)
}

/// JSON with the same characters as `\uNNNN`, which changes no value in it.
pub(crate) fn json(document: &str) -> Cow<'_, str> {
    // Line ends of the document itself are layout; those in strings are escaped already.
    let is_hostile = |character| character != '\n' && is_hostile(character);
    if !document.contains(is_hostile) {
        return Cow::Borrowed(document);
    }
    let mut escaped = String::with_capacity(document.len() + 16);
    for character in document.chars() {
        if is_hostile(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                push(&mut escaped, format_args!("\\u{unit:04x}"));
            }
        } else {
            escaped.push(character);
        }
    }
    Cow::Owned(escaped)
}

/// One cell of a line whose cells end at tabs: what would end the cell or the line is escaped.
pub(crate) fn cell(text: &str) -> Cow<'_, str> {
    if !text.contains(['\t', '\n', '\r']) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace('\t', "\\t").replace('\n', "\\n").replace('\r', "\\r"))
}

/// Whether a terminal would do something else with it than show it.
fn is_hostile(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            // Marks, embeddings, overrides and isolates of the bidirectional algorithm (UAX #9).
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            // Line and paragraph separators, invisible operators, the byte order mark.
            | '\u{2028}' | '\u{2029}' | '\u{200b}' | '\u{2060}'..='\u{2065}'
            | '\u{206a}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            // Tag characters: invisible text.
            | '\u{e0000}'..='\u{e007f}'
        )
}

fn push(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = text.write_fmt(arguments);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_drives_a_terminal_is_shown_instead() {
        for (hostile, shown) in [
            ("a\u{1b}[31mb", "a\\u{1b}[31mb"),
            ("a\rb\n", "a\\rb\\n"),
            ("\u{7f}\u{9b}1m", "\\u{7f}\\u{9b}1m"),
            ("user\u{202e}txt.exe", "user\\u{202e}txt.exe"),
            ("\u{2066}x\u{2069}", "\\u{2066}x\\u{2069}"),
        ] {
            assert_eq!(text(hostile), shown);
        }
    }

    #[test]
    fn honest_text_stays_as_it_is() {
        for honest in ["plain", "d\u{e9}j\u{e0} vu", "\u{65e5}\u{672c}", "\u{1f511}", "C:\\x", ""] {
            assert!(matches!(text(honest), Cow::Borrowed(same) if same == honest));
        }
    }

    #[test]
    fn bytes_that_are_not_text_are_shown_in_hex() {
        assert_eq!(bytes(b"a\xff\xfeb\x07"), "a\\xff\\xfeb\\u{7}");
        assert_eq!(bytes(b"plain"), "plain");
    }

    #[test]
    fn escaped_json_has_the_same_value() {
        let value = serde_json::json!({"k\u{9b}": "a\u{202e}\u{7f}\u{e0001}\n\u{1f511}"});
        let document = serde_json::to_string_pretty(&value).unwrap();
        let escaped = json(&document);
        assert!(!escaped.contains(|character| character != '\n' && is_hostile(character)));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&escaped).unwrap(), value);
    }

    #[test]
    fn a_cell_stays_one_cell() {
        assert_eq!(cell("a\tb\nc\r"), "a\\tb\\nc\\r");
        assert_eq!(cell("DOMAIN\\user"), "DOMAIN\\user");
    }
}
