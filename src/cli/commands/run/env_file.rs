//! Files of variables: `NAME=VALUE` on a line of its own, `#` before a remark, `export` ignored.
//!
//! Single quotes keep what is between them; in double quotes a backslash stands before `"`, `\`,
//! `$` or `n`. Nothing is expanded but references. No message repeats a value.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use credb::exchange::reference::Template;
use zeroize::Zeroizing;

use super::{Value, Variable, reason};
use crate::cli::report::Failure;

/// The variables in their order. A byte order mark before them is ignored.
pub(super) fn parse(path: &Path, text: &[u8]) -> Result<Vec<(OsString, Variable)>, Failure> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut variables = Vec::new();
    for (position, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let place = format!("{}, line {}", path.display(), position + 1);
        let failed = |reason: String| Failure::invalid(format!("{place},"), reason);
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        let (name, value) = assignment(line).map_err(|reason| failed(reason.to_owned()))?;
        if let Err(error) = Template::parse(&value) {
            return Err(failed(format!("has a reference that {}", reason(error))));
        }
        let name = OsString::from_vec(name.to_vec());
        variables.push((name, Variable { value: Value::Template(value), place }));
    }
    Ok(variables)
}

fn assignment(line: &[u8]) -> Result<(&[u8], Zeroizing<Vec<u8>>), &'static str> {
    let end = line.iter().position(|byte| *byte == b'=').ok_or("has no equals sign")?;
    let (name, value) = (&line[..end], &line[end + 1..]);
    let name = match name.strip_prefix(b"export") {
        Some(rest) if rest.starts_with(b" ") || rest.starts_with(b"\t") => rest.trim_ascii_start(),
        _ => name,
    };
    if !is_name(name) {
        return Err(NOT_A_NAME);
    }
    Ok((name, unquoted(value)?))
}

/// Why a name is refused.
pub(super) const NOT_A_NAME: &str = "has a name that is not made of letters, digits and _";

/// Whether a shell would take it for the name of a variable.
pub(super) fn is_name(name: &[u8]) -> bool {
    let is_inner = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    name.first().is_some_and(|byte| !byte.is_ascii_digit()) && name.iter().all(is_inner)
}

fn unquoted(value: &[u8]) -> Result<Zeroizing<Vec<u8>>, &'static str> {
    let (value, rest) = match value.first() {
        Some(b'\'') => {
            let end = value[1..].iter().position(|byte| *byte == b'\'');
            let end = 1 + end.ok_or("has a quotation mark that is not closed")?;
            (Zeroizing::new(value[1..end].to_vec()), &value[end + 1..])
        }
        Some(b'"') => double_quoted(&value[1..])?,
        _ => {
            let is_remark = |pair: &[u8]| pair[0].is_ascii_whitespace() && pair[1] == b'#';
            let end = value.windows(2).position(is_remark).unwrap_or(value.len());
            (Zeroizing::new(value[..end].trim_ascii().to_vec()), &[][..])
        }
    };
    match rest.trim_ascii_start() {
        [] | [b'#', ..] => Ok(value),
        _ => Err("goes on behind a closing quotation mark"),
    }
}

/// What stands before the closing mark, and what behind it.
fn double_quoted(text: &[u8]) -> Result<(Zeroizing<Vec<u8>>, &[u8]), &'static str> {
    let mut value = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut position = 0;
    while let Some(byte) = text.get(position) {
        match (byte, text.get(position + 1)) {
            (b'"', _) => return Ok((value, &text[position + 1..])),
            (b'\\', Some(b'n')) => value.push(b'\n'),
            (b'\\', Some(next @ (b'"' | b'\\' | b'$'))) => value.push(*next),
            (b'\\', _) => return Err("has a backslash that stands before none of \" \\ $ n"),
            (byte, _) => {
                value.push(*byte);
                position += 1;
                continue;
            }
        }
        position += 2;
    }
    Err("has a quotation mark that is not closed")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(line: &str) -> Result<String, &'static str> {
        let (_, value) = assignment(line.as_bytes())?;
        Ok(String::from_utf8(value.to_vec()).unwrap())
    }

    #[test]
    fn values_lose_their_quotation_marks_and_remarks() {
        for (line, expected) in [
            ("A=b", "b"),
            ("A=", ""),
            ("export A=b", "b"),
            ("A= b c ", "b c"),
            ("A=b # remark", "b"),
            ("A=credb://a#user", "credb://a#user"),
            ("A='b # \"c\" \\n' # remark", "b # \"c\" \\n"),
            (r#"A="b \"c\" \\ \$d\n""#, "b \"c\" \\ $d\n"),
            ("A=$HOME", "$HOME"),
            ("A=b=c", "b=c"),
            ("export=x", "x"),
        ] {
            assert_eq!(value(line).as_deref(), Ok(expected), "{line}");
        }
    }

    #[test]
    fn malformed_lines_are_refused() {
        for line in ["A", "=b", "A B=c", "1A=b", "A-B=c", "A='b", "A=\"b", "A='b'c", r#"A="\x""#] {
            assert!(value(line).is_err(), "{line}");
        }
    }
}
