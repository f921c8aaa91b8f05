//! Texts in which references stand for secrets: where they stand, and what comes of the text when
//! they are filled in. Of a text that is JSON only the references themselves change.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

use zeroize::Zeroizing;

use super::find::{Finder, Found};
use super::{Reference, strings};
use crate::error::{Error, Result};
use crate::exchange::node::without_mark;

/// A text in which references stand for secrets: bare ones, `credb://db/app`, and enclosed ones,
/// `{{ credb://db/app }}`. Everything else stays as it is, other braces too.
///
/// A bare reference ends before the first character that is neither a letter, a digit nor one of
/// `-_./@:+=~%#?`. An enclosed one may have any character but white space. Letters right before
/// one, as in `xcredb://db/app`, make it another scheme, which stays as it is. Behind anything else
/// that a scheme can have (a digit, `+`, `-`, `.`, or an option such as `-p`) a bare one is
/// refused: it is to be enclosed.
///
/// In a text that is JSON, references stand in strings, however those are written (`\/` is a
/// slash), and what they stand for is escaped as JSON wants it. Names of members are left alone.
///
/// # Examples
///
/// ```
/// use credb::exchange::reference::Template;
/// # use credb::{Error, Secret};
///
/// let template = Template::parse(b"url = \"mysql://app:{{ credb://db/app }}@localhost\"\n")?;
/// assert_eq!(template.references().count(), 1);
/// let filled = template.fill(|_| Ok::<_, Error>(b"P@ss".to_vec().into()))?;
/// assert_eq!(*filled, b"url = \"mysql://app:P@ss@localhost\"\n");
///
/// let json = Template::parse(br#"{ "url": "credb:\/\/db\/app" }"#)?;
/// let filled = json.fill(|_| Ok::<_, Error>(b"a \"quoted\" one".to_vec().into()))?;
/// assert_eq!(*filled, br#"{ "url": "a \"quoted\" one" }"#);
/// # Ok::<(), Error>(())
/// ```
pub struct Template<'a> {
    text: &'a [u8],
    form: Form,
    /// Each once, in the order in which they first stand.
    references: Vec<Reference>,
    places: Vec<Place>,
}

/// How values are written into a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// As they are.
    Plain,
    /// As the insides of strings.
    Json,
}

/// Where a reference stands.
#[derive(Debug)]
struct Place {
    range: Range<usize>,
    line: usize,
    /// Which of the references.
    reference: usize,
}

/// A text with its references filled in.
pub struct Filled {
    text: Zeroizing<Vec<u8>>,
    /// Where that is which references stood for.
    values: Vec<Range<usize>>,
}

/// A part of a filled text.
pub enum Part<'a> {
    /// What the template said itself.
    Own(&'a [u8]),
    /// What a reference stood for, escaped where the template is JSON.
    Value(&'a [u8]),
}

impl Filled {
    /// All of it.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// All of it.
    #[must_use]
    pub fn into_text(self) -> Zeroizing<Vec<u8>> {
        self.text
    }

    /// How many references were filled in.
    #[must_use]
    pub fn references(&self) -> usize {
        self.values.len()
    }

    /// All of it in its order.
    pub fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        let starts = std::iter::once(0).chain(self.values.iter().map(|value| value.end));
        let ends = self.values.iter().map(|value| value.start).chain([self.text.len()]);
        let own = starts.zip(ends).map(|(start, end)| Part::Own(&self.text[start..end]));
        let values = self.values.iter().map(|value| Some(Part::Value(&self.text[value.clone()])));
        own.zip(values.chain([None])).flat_map(|(own, value)| std::iter::once(own).chain(value))
    }
}

impl<'a> Template<'a> {
    /// Finds the references.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] names the line of a malformed one, and of one that has to be enclosed.
    pub fn parse(text: &'a [u8]) -> Result<Self> {
        let form = if is_json(text) { Form::Json } else { Form::Plain };
        let mut collector = Collector::new(text);
        match form {
            Form::Plain => {
                for found in Finder::new(text) {
                    let range = found.start..found.end;
                    collector.add(range, found.reference)?;
                }
            }
            Form::Json => {
                for string in strings::values(text) {
                    collector.add_string(string)?;
                }
            }
        }
        let Collector { references, places, .. } = collector;
        Ok(Self { text, form, references, places })
    }

    /// The references in their order.
    pub fn references(&self) -> impl Iterator<Item = &Reference> {
        self.places().map(|(_, reference)| reference)
    }

    /// The references in their order, each with its line, from 1.
    pub fn places(&self) -> impl Iterator<Item = (usize, &Reference)> {
        self.places.iter().map(|place| (place.line, &self.references[place.reference]))
    }

    /// The text with what the references stand for. Each reference is asked for once.
    ///
    /// # Errors
    ///
    /// Those of `resolve`, and [`Error::Invalid`] for what is not UTF-8 in a text that is JSON.
    pub fn fill<E: From<Error>>(
        &self,
        resolve: impl FnMut(&Reference) -> Result<Zeroizing<Vec<u8>>, E>,
    ) -> Result<Zeroizing<Vec<u8>>, E> {
        Ok(self.filled(resolve)?.text)
    }

    /// The same, and which parts of it are values.
    ///
    /// # Errors
    ///
    /// As [`Self::fill`].
    pub fn filled<E: From<Error>>(
        &self,
        mut resolve: impl FnMut(&Reference) -> Result<Zeroizing<Vec<u8>>, E>,
    ) -> Result<Filled, E> {
        let mut written = Vec::with_capacity(self.references.len());
        for reference in &self.references {
            let value = resolve(reference)?;
            written.push(match self.form {
                Form::Plain => value,
                Form::Json => escaped(reference, &value)?,
            });
        }
        // In one piece from the start, so that growing leaves no copy behind.
        let added: usize = self.places.iter().map(|place| written[place.reference].len()).sum();
        let mut text = Zeroizing::new(Vec::with_capacity(self.text.len() + added));
        let mut values = Vec::with_capacity(self.places.len());
        let mut done = 0;
        for place in &self.places {
            text.extend_from_slice(&self.text[done..place.range.start]);
            let start = text.len();
            text.extend_from_slice(&written[place.reference]);
            values.push(start..text.len());
            done = place.range.end;
        }
        text.extend_from_slice(&self.text[done..]);
        Ok(Filled { text, values })
    }
}

impl fmt::Debug for Template<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Template").field("places", &self.places).finish_non_exhaustive()
    }
}

impl fmt::Debug for Filled {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Filled")
    }
}

impl From<Reference> for Template<'_> {
    /// The template that is this reference alone.
    fn from(reference: Reference) -> Self {
        let place = Place { range: 0..0, line: 1, reference: 0 };
        Self { text: b"", form: Form::Plain, references: vec![reference], places: vec![place] }
    }
}

/// Gathers the references of a text.
struct Collector<'a> {
    text: &'a [u8],
    known: HashMap<Reference, usize>,
    references: Vec<Reference>,
    places: Vec<Place>,
    /// Up to where lines were counted, and how many ended there.
    counted: usize,
    ended: usize,
}

impl<'a> Collector<'a> {
    fn new(text: &'a [u8]) -> Self {
        let (known, references, places) = Default::default();
        Self { text, known, references, places, counted: 0, ended: 0 }
    }

    /// Adds what is found in a string of a JSON text.
    fn add_string(&mut self, string: Range<usize>) -> Result<()> {
        let written = &self.text[string.clone()];
        let said = strings::said(written);
        let mut places = strings::Places::new(written);
        for Found { start, end, reference } in Finder::new(said.as_deref().map_or(written, |s| s)) {
            let range = match said {
                Some(_) => places.find(start)..places.find(end),
                None => start..end,
            };
            self.add(string.start + range.start..string.start + range.end, reference)?;
        }
        Ok(())
    }

    fn add(&mut self, range: Range<usize>, reference: Result<Reference>) -> Result<()> {
        let lines = self.text[self.counted..range.start].iter().filter(|byte| **byte == b'\n');
        self.ended += lines.count();
        self.counted = range.start;
        let line = self.ended + 1;
        let reference = reference.map_err(|error| on_line(line, error))?;
        let next = self.references.len();
        let index = *self.known.entry(reference).or_insert_with_key(|reference| {
            self.references.push(reference.clone());
            next
        });
        self.places.push(Place { range, line, reference: index });
        Ok(())
    }
}

fn on_line(line: usize, error: Error) -> Error {
    match error {
        Error::Invalid { what, reason } => Error::invalid(format!("{what} on line {line}"), reason),
        other => other,
    }
}

/// Whether a text is JSON, so that what goes into its strings has to be escaped.
fn is_json(text: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(without_mark(text)).is_ok()
}

/// A value as the inside of a JSON string.
fn escaped(reference: &Reference, value: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    let what = || reference.to_string();
    let text = std::str::from_utf8(value)
        .map_err(|_| Error::invalid(what(), "is not UTF-8, and what it goes into is JSON"))?;
    // Room for the longest escapes, so that growing leaves no copy behind.
    let mut escaped = Zeroizing::new(Vec::with_capacity(6 * text.len() + 2));
    serde_json::to_writer(&mut *escaped, text)
        .map_err(|_| Error::invalid(what(), "is not a text"))?;
    escaped.pop();
    escaped.remove(0);
    Ok(escaped)
}
