//! One result as text: lines or a table, escaped for a terminal, exact for a pipe or file, and
//! written only when it is complete.

use std::io::Write as _;

use chrono::{DateTime, Utc};
use comfy_table::{Attribute, Cell, ContentArrangement, Table, presets};
use credb::exchange::json;
use zeroize::Zeroizing;

use super::escape;
use super::output::{Output, to_stdout};
use super::report::Failure;
use super::when;

/// Text that is going to a terminal or to a pipe or file.
pub(crate) struct Page<'a> {
    output: &'a Output,
    reader: Reader,
    bytes: Zeroizing<Vec<u8>>,
    escaped: bool,
}

/// Who reads a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// A terminal, which must not be driven by stored text.
    Terminal,
    /// A program, which gets exact bytes.
    Program,
}

impl Reader {
    /// A time as this reader takes it: local and short, or exact in UTC.
    pub(crate) fn time(self, time: DateTime<Utc>) -> String {
        match self {
            Self::Terminal => when::short(time),
            Self::Program => json::time(time),
        }
    }
}

impl<'a> Page<'a> {
    /// An empty page for stdout.
    pub(crate) fn new(output: &'a Output) -> Self {
        let reader = if output.is_terminal() { Reader::Terminal } else { Reader::Program };
        Self::for_reader(output, reader)
    }

    /// An empty page for this reader.
    pub(crate) fn for_reader(output: &'a Output, reader: Reader) -> Self {
        Self { output, reader, bytes: Zeroizing::default(), escaped: false }
    }

    /// Who reads it.
    pub(crate) fn reader(&self) -> Reader {
        self.reader
    }

    /// Adds text or a secret, escaped if a terminal reads it.
    pub(crate) fn stored(&mut self, stored: &[u8]) {
        match self.reader {
            Reader::Program => self.push(stored),
            Reader::Terminal => {
                let shown = Zeroizing::new(escape::bytes(stored).into_owned());
                self.escaped |= shown.as_bytes() != stored;
                self.push(shown.as_bytes());
            }
        }
    }

    /// Adds bytes as they are: our own text, or what was found harmless.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        // Growing by hand leaves no copy of a secret in memory that was given back.
        if self.bytes.capacity() - self.bytes.len() < bytes.len() {
            let size = (self.bytes.len() + bytes.len()).next_power_of_two().max(256);
            let mut larger = Zeroizing::new(Vec::with_capacity(size));
            larger.extend_from_slice(&self.bytes);
            self.bytes = larger;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Adds a line that says what it shows.
    pub(crate) fn labelled(&mut self, label: &str, stored: &[u8]) {
        let mut text = Vec::with_capacity(32);
        // Writing to memory cannot fail.
        let _ = write!(text, "{:<18}", format!("{label}:"));
        self.push(&text);
        self.stored(stored);
        self.push(b"\n");
    }

    /// Adds a line about something that is named by stored text itself.
    pub(crate) fn labelled_by_stored(&mut self, label: &str, name: &str, stored: &[u8]) {
        self.push(label.as_bytes());
        self.push(b" ");
        self.stored(name.as_bytes());
        self.push(b": ");
        self.stored(stored);
        self.push(b"\n");
    }

    /// Adds a table, in a pipe as lines of cells between tabs and without the header.
    pub(crate) fn table(&mut self, header: &[&str], rows: &[Vec<String>]) {
        match self.reader {
            Reader::Program => {
                for row in rows {
                    let cells: Vec<_> = row.iter().map(|text| escape::cell(text)).collect();
                    self.push(cells.join("\t").as_bytes());
                    self.push(b"\n");
                }
            }
            Reader::Terminal if rows.is_empty() => {}
            Reader::Terminal => self.drawn_table(header, rows),
        }
    }

    /// Writes the page to stdout.
    pub(crate) fn print(self) -> Result<(), Failure> {
        to_stdout(&self.bytes)?;
        if self.escaped {
            self.output.note("some characters are shown as escapes; a pipe gets the exact bytes");
        }
        Ok(())
    }

    /// The bytes, for a file.
    pub(crate) fn into_bytes(self) -> Zeroizing<Vec<u8>> {
        self.bytes
    }

    fn drawn_table(&mut self, header: &[&str], rows: &[Vec<String>]) {
        let mut table = Table::new();
        table
            .load_preset(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(terminal_width());
        if self.output.is_coloured() {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        table.set_header(header.iter().map(|name| Cell::new(name).add_attribute(Attribute::Bold)));
        for row in rows {
            table.add_row(row.iter().map(|text| self.shown(text)).collect::<Vec<_>>());
        }
        let drawn = table.trim_fmt();
        self.push(drawn.as_bytes());
        self.push(b"\n");
    }

    fn shown(&mut self, text: &str) -> String {
        let shown = escape::text(text);
        self.escaped |= shown != text;
        shown.into_owned()
    }
}

fn terminal_width() -> u16 {
    match rustix::termios::tcgetwinsize(rustix::stdio::stdout()) {
        Ok(size) if size.ws_col > 0 => size.ws_col,
        _ => 80,
    }
}
