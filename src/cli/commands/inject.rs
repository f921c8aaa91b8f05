//! `inject`: fills a template with what its references stand for, whole or not at all.

use std::path::Path;

use credb::exchange::json;
use credb::exchange::reference::{Part, Template};
use credb::exchange::resolve::Resolved;
use serde_json::{Map, Value, json};

use super::path_text;
use super::resolve::{self, Places};
use super::sink::{Sink, mode};
use crate::cli::args::InjectArgs;
use crate::cli::context::Context;
use crate::cli::input::Place;
use crate::cli::prompt::Prompt;
use crate::cli::report::Failure;

/// Writes the filled template.
pub(super) fn run(context: &Context, args: InjectArgs) -> Result<(), Failure> {
    let mode = mode(args.out.file_mode.as_deref())?;
    if args.in_file.is_none() && Prompt::stdin_is_terminal() {
        return Err(Failure::usage("a template is needed: name it with --in-file, or pipe it in"));
    }
    let text = Place::of_document(args.in_file.as_deref().unwrap_or(Path::new("-"))).document()?;
    let resolved = match Resolved::of_plain(&text)? {
        Some(plain) => plain,
        None => context.open()?.resolve(&text).map_err(|error| explain(&text, error))?,
    };
    let sink = Sink::new(args.out.out_file, mode);
    match (&sink, context.output.is_json()) {
        (Sink::File(path, _), true) => write_and_report(context, &sink, path, &resolved),
        (Sink::Stdout, true) => {
            tell(context, &resolved);
            let text = Map::from_iter([json::bytes_entry("text", resolved.text())]);
            context.output.json(&Value::Object(text))
        }
        (_, false) => {
            tell(context, &resolved);
            write(context, &sink, &resolved)
        }
    }
}

fn write(context: &Context, sink: &Sink, resolved: &Resolved) -> Result<(), Failure> {
    let mut page = sink.page(&context.output);
    for part in resolved.parts() {
        match part {
            Part::Own(text) => page.push(text),
            // What is stored is escaped for a terminal; the template is the caller's own.
            Part::Value(value) => page.stored(value),
        }
    }
    sink.write(&context.output, page)
}

/// The document takes the place of all that would be told.
fn write_and_report(
    context: &Context,
    sink: &Sink,
    path: &Path,
    resolved: &Resolved,
) -> Result<(), Failure> {
    let document = json!({
        "path": path_text(path),
        "references": resolved.references(),
        "warnings": resolved.warnings().iter().map(ToString::to_string).collect::<Vec<_>>(),
    });
    write(context, sink, resolved)?;
    context.output.json(&document)
}

fn tell(context: &Context, resolved: &Resolved) {
    for warning in resolved.warnings() {
        resolve::tell(context, warning);
    }
}

/// The failure with the lines of the template that it is about.
fn explain(text: &[u8], error: credb::Error) -> Failure {
    match Template::parse(text) {
        Ok(template) => {
            let places = template.places();
            Places::new(places.map(|(line, found)| (format!("line {line}"), found))).explain(error)
        }
        // The error is that of the parser.
        Err(_) => error.into(),
    }
}
