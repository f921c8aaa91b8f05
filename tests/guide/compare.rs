//! Compares what a document shows with what appeared. `...` in a line stands for any text, and
//! alone on a line for any number of lines; how many spaces stand between words does not matter,
//! since the widths of tables depend on where the reader's files are.

/// What is different, as text to show.
#[derive(Debug)]
pub(crate) struct Difference {
    pub(crate) documented: String,
    pub(crate) actual: String,
}

const ANY: &str = "...";

/// Whether the output is as documented.
pub(crate) fn compare(documented: &[String], output: &str) -> Result<(), Difference> {
    let actual: Vec<String> = output.lines().map(spaced).collect();
    let actual = &actual[..actual.len() - trailing_blanks(&actual)];
    let expected: Vec<String> = documented.iter().map(|line| spaced(line)).collect();
    let expected = &expected[..expected.len() - trailing_blanks(&expected)];
    if lines_match(expected, actual) {
        return Ok(());
    }
    Err(Difference { documented: documented.join("\n"), actual: output.to_owned() })
}

fn spaced(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn trailing_blanks(lines: &[String]) -> usize {
    lines.iter().rev().take_while(|line| line.is_empty()).count()
}

fn lines_match(expected: &[String], actual: &[String]) -> bool {
    match expected.split_first() {
        None => actual.is_empty(),
        Some((first, rest)) if first == ANY => {
            (0..=actual.len()).any(|skipped| lines_match(rest, &actual[skipped..]))
        }
        Some((first, rest)) => match actual.split_first() {
            Some((line, others)) => line_matches(first, line) && lines_match(rest, others),
            None => false,
        },
    }
}

fn line_matches(expected: &str, actual: &str) -> bool {
    let Some((before, after)) = expected.split_once(ANY) else {
        return expected == actual;
    };
    let Some(rest) = actual.strip_prefix(before) else {
        return false;
    };
    let mut starts = rest.char_indices().map(|(start, _)| start).chain([rest.len()]);
    starts.any(|start| line_matches(after, &rest[start..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(documented: &str, output: &str) -> bool {
        let documented: Vec<String> = documented.lines().map(str::to_owned).collect();
        compare(&documented, output).is_ok()
    }

    #[test]
    fn dots_stand_for_any_text_and_any_lines() {
        assert!(fits("a ... c\n...\nz", "a b c\nx\ny\nz\n"));
        assert!(fits("...", ""));
        assert!(fits("on 2026-...", "on 2026-11-23T10:00:00Z"));
        assert!(!fits("a ... c", "a b d"));
        assert!(!fits("a\nb", "a"));
        assert!(!fits("a", "a\nb"));
    }

    #[test]
    fn widths_of_columns_do_not_matter() {
        assert!(fits(" ID  NAME", " ID      NAME   "));
        assert!(!fits("a b", "ab"));
    }
}
